import assert from "node:assert/strict";
import { test } from "node:test";
import { commitOf, commitUrl, compareUrl, fileUrl, homeOf, pullRef, pullUrl, revisionOf } from "../../../../src/trueup/server/pages/static/lib/forges.js";

const A = "3f2a91c4d0b8a7f6e5d4c3b2a190817263544536";
const B = "8b1f0e2d3c4b5a69788796a5b4c3d2e1f0a9b8c7";

/** Clone address; forge; its page of commit A. */
const COMMITS = [
  ["https://github.com/shop/deploy", "github", `https://github.com/shop/deploy/commit/${A}`],
  ["https://github.com/shop/deploy.git", "github", `https://github.com/shop/deploy/commit/${A}`],
  ["https://malee:s3cret@github.com/shop/deploy.git/", "github", `https://github.com/shop/deploy/commit/${A}`],
  ["git@github.com:shop/deploy.git", "github", `https://github.com/shop/deploy/commit/${A}`],
  ["ssh://git@github.example.com:2222/shop/deploy.git", "github", `https://github.example.com/shop/deploy/commit/${A}`],
  ["https://gitlab.com/group/sub/deploy.git", "gitlab", `https://gitlab.com/group/sub/deploy/-/commit/${A}`],
  ["http://gitlab.lan:8080/group/deploy.git", "gitlab", `http://gitlab.lan:8080/group/deploy/-/commit/${A}`],
  ["git@gitlab.example.com:group/deploy.git", "gitlab", `https://gitlab.example.com/group/deploy/-/commit/${A}`],
  ["https://codeberg.org/shop/deploy", "gitea", `https://codeberg.org/shop/deploy/commit/${A}`],
  ["https://gitea.example.com/shop/deploy.git", "gitea", `https://gitea.example.com/shop/deploy/commit/${A}`],
  ["https://forgejo.example.com/shop/deploy.git", "gitea", `https://forgejo.example.com/shop/deploy/commit/${A}`],
  ["https://malee@bitbucket.org/shop/deploy.git", "bitbucket", `https://bitbucket.org/shop/deploy/commits/${A}`],
  ["https://git.example.com/scm/shop/deploy.git", "bitbucket-server", `https://git.example.com/projects/SHOP/repos/deploy/commits/${A}`],
  ["https://git.example.com/stash/scm/~malee/deploy.git", "bitbucket-server", `https://git.example.com/stash/users/malee/repos/deploy/commits/${A}`],
  ["ssh://git@git.example.com:7999/shop/deploy.git", "bitbucket-server", `https://git.example.com/projects/SHOP/repos/deploy/commits/${A}`],
  ["https://org@dev.azure.com/org/My%20Project/_git/deploy", "azure", `https://dev.azure.com/org/My%20Project/_git/deploy/commit/${A}`],
  ["git@ssh.dev.azure.com:v3/org/project/deploy", "azure", `https://dev.azure.com/org/project/_git/deploy/commit/${A}`],
  ["org@vs-ssh.visualstudio.com:v3/org/project/deploy", "azure", `https://org.visualstudio.com/project/_git/deploy/commit/${A}`],
  ["https://org.visualstudio.com/project/_git/deploy", "azure", `https://org.visualstudio.com/project/_git/deploy/commit/${A}`],
];

for (const [url, forge, commit] of COMMITS)
  test(`a commit of ${url} is shown by its forge`, () => {
    assert.equal(homeOf(url)?.forge, forge);
    assert.equal(commitUrl(url, A), commit);
  });

for (const url of ["", null, "javascript:alert(1)//github.com/a/b", "file:///srv/git/github.com/a/b.git", "data:text/html,github.com/a/b", "https://git.example.com/shop/deploy.git", "https://github.com", "https://github.com/shop", "oci://ghcr.io/a/b", "https://notgithub.com/a/b", "C:\\github.com\\a", "../github.com/a/b", "https://dev.azure.com/org/project"])
  test(`${url} leads nowhere`, () => {
    assert.equal(homeOf(url), null);
    assert.equal(commitUrl(url, A), "");
    assert.equal(fileUrl(url, A, "a.yaml"), "");
    assert.equal(pullUrl(url, 7), "");
  });

test("whatever comes out is a web address without credentials", () => {
  for (const [url] of COMMITS)
    for (const link of [commitUrl(url, A), compareUrl(url, A, B), fileUrl(url, A, "apps/web.yaml", 7), pullUrl(url, 7)]) {
      const parsed = new URL(link);
      assert.match(parsed.protocol, /^https?:$/);
      assert.equal(parsed.username + parsed.password, "");
    }
});

test("what is no commit is not linked", () => {
  for (const wrong of ["", "main", "../../evil", "3f2a91", `${A}/x`, "HEAD~1", null]) assert.equal(commitUrl("https://github.com/a/b", wrong), "");
  assert.equal(compareUrl("https://github.com/a/b", "main", A), "");
});

/** Forge's clone address; comparison of A with B; line 7 of apps/web v1.yaml at A; pull request 7; its ref. */
const REST = [
  ["https://github.com/a/b", `https://github.com/a/b/compare/${A}...${B}`, `https://github.com/a/b/blob/${A}/apps/web%20v1.yaml#L7`, "https://github.com/a/b/pull/7", "refs/pull/7/head"],
  ["https://gitlab.com/a/b", `https://gitlab.com/a/b/-/compare/${A}...${B}`, `https://gitlab.com/a/b/-/blob/${A}/apps/web%20v1.yaml#L7`, "https://gitlab.com/a/b/-/merge_requests/7", "refs/merge-requests/7/head"],
  ["https://codeberg.org/a/b", `https://codeberg.org/a/b/compare/${A}...${B}`, `https://codeberg.org/a/b/src/commit/${A}/apps/web%20v1.yaml#L7`, "https://codeberg.org/a/b/pulls/7", "refs/pull/7/head"],
  ["https://bitbucket.org/a/b", `https://bitbucket.org/a/b/branches/compare/${B}..${A}`, `https://bitbucket.org/a/b/src/${A}/apps/web%20v1.yaml#lines-7`, "https://bitbucket.org/a/b/pull-requests/7", ""],
  ["https://h/scm/a/b", `https://h/projects/A/repos/b/compare/diff?targetBranch=${A}&sourceBranch=${B}`, `https://h/projects/A/repos/b/browse/apps/web%20v1.yaml?at=${A}#7`, "https://h/projects/A/repos/b/pull-requests/7", "refs/pull-requests/7/from"],
  ["https://dev.azure.com/o/p/_git/b", `https://dev.azure.com/o/p/_git/b/branchCompare?baseVersion=GC${A}&targetVersion=GC${B}&_a=files`, `https://dev.azure.com/o/p/_git/b?path=%2Fapps%2Fweb%20v1.yaml&version=GC${A}&line=7&lineEnd=8&lineStartColumn=1&lineEndColumn=1`, "https://dev.azure.com/o/p/_git/b/pullrequest/7", "refs/pull/7/merge"],
];

for (const [url, comparison, file, pull, ref] of REST)
  test(`${url}: comparison, file, pull request`, () => {
    assert.equal(compareUrl(url, A, B), comparison);
    assert.equal(fileUrl(url, A, "./apps/web v1.yaml", 7), file);
    assert.equal(pullUrl(url, 7), pull);
    assert.equal(pullRef(url, 7), ref);
  });

/** Typed or pasted; of which repository; the revision that the server is asked for. */
const TYPED = [
  [" main ", "https://github.com/a/b", "main"],
  ["v1.2.3", null, "v1.2.3"],
  ["#7", "https://github.com/a/b", "refs/pull/7/head"],
  ["!7", "https://gitlab.com/a/b", "refs/merge-requests/7/head"],
  ["#7", "https://git.example.com/a/b", "refs/pull/7/head"],
  ["#7", "https://bitbucket.org/a/b", "#7"],
  ["https://github.com/a/b/pull/7/files", "https://github.com/a/b", "refs/pull/7/head"],
  ["https://gitlab.com/a/b/-/merge_requests/7", "https://gitlab.com/a/b", "refs/merge-requests/7/head"],
  [`https://github.com/a/b/commit/${A}`, "https://github.com/a/b", A],
  [`https://gitlab.com/a/b/-/commit/${A}?x=1`, "https://gitlab.com/a/b", A],
  ["refs/pull/7/head", "https://github.com/a/b", "refs/pull/7/head"],
];

for (const [typed, url, revision] of TYPED) test(`${typed} of ${url} means ${revision}`, () => assert.equal(revisionOf(typed, url), revision));

test("a revision's commit is told from what is none", () => {
  assert.deepEqual([`main@sha1:${A}`, `sha1:${A}`, A, "1.9.0", "latest@sha256:abc", null].map(commitOf), [A, A, A, "", "", ""]);
});
