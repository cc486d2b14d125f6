import assert from "node:assert/strict";
import { test } from "node:test";
import { badgeAddress, badgeText } from "../../../../src/trueup/server/pages/static/lib/badge.js";
import { bodyOf, formOf, pairsOf } from "../../../../src/trueup/server/pages/static/lib/placeforms.js";

const APP = { kind: "Application", namespace: "argocd", name: "web" };

/** Wish; the address, as a browser of Argo CD's would ask for it. */
const ADDRESSES = [
  [{ app: APP, revision: false, named: false }, "https://t/api/badge?namespace=argocd&name=web"],
  [{ app: APP, revision: true, named: true }, "https://t/api/badge?namespace=argocd&name=web&revision=true&showAppName=true"],
  [{ app: { ...APP, kind: "Kustomization" }, revision: false, named: false }, "https://t/api/badge?kind=Kustomization&namespace=argocd&name=web"],
];
for (const [wish, address] of ADDRESSES) test(address, () => assert.equal(badgeAddress("https://t", wish), address));

test("a badge is pasted in the words of each form", () => {
  const what = { image: "https://t/api/badge?a=1&b=2", page: "https://t/apps/x", name: "web" };
  assert.equal(badgeText("markdown", what), "[![web](https://t/api/badge?a=1&b=2)](https://t/apps/x)");
  assert.equal(badgeText("html", what), '<a href="https://t/apps/x"><img src="https://t/api/badge?a=1&amp;b=2" alt="web"></a>');
  assert.equal(badgeText("asciidoc", what), "image:https://t/api/badge?a=1&b=2[web,link=https://t/apps/x]");
  assert.equal(badgeText("address", what), what.image);
  const hostile = { ...what, name: 'a](javascript:x)"><b>' };
  assert.equal(badgeText("markdown", hostile), '[![a\\](javascript:x)"><b>](https://t/api/badge?a=1&b=2)](https://t/apps/x)');
  assert.ok(!badgeText("html", hostile).includes("<b>"));
});

test("a repository's Secret becomes a form without its credentials, and the form says only what was said", () => {
  const secret = { metadata: { labels: { "argocd.argoproj.io/secret-type": "repo-creds" } }, stringData: { url: "https://git/x", password: "********", enableOCI: "true", githubAppID: "7", insecure: "false" } };
  const form = formOf("repositories", secret);
  assert.deepEqual(form, { url: "https://git/x", type: "git", prefix: true, enableOci: true, githubAppId: "7", insecure: false });
  assert.deepEqual(bodyOf("repositories", { ...form, password: "", username: undefined, proxy: "" }), { url: "https://git/x", type: "git", prefix: true, enableOci: true, githubAppId: "7" });
  assert.equal(bodyOf("repositories", { ...form, password: "new" }).password, "new");
});

test("a cluster's Secret becomes a form, also where its configuration is hidden", () => {
  const secret = { metadata: { labels: { "argocd.argoproj.io/secret-type": "cluster", env: "prod" } }, stringData: { name: "eu", server: "https://eu", namespaces: "a, b", config: '{"bearerToken":"********","proxyUrl":"http://p","tlsClientConfig":{"insecure":true,"serverName":"s"}}' } };
  assert.deepEqual(formOf("clusters", secret), { name: "eu", server: "https://eu", namespaces: ["a", "b"], labels: { env: "prod" }, proxyUrl: "http://p", serverName: "s", insecure: true });
  assert.deepEqual(formOf("clusters", { stringData: { name: "x", server: "y", config: "********" } }), { name: "x", server: "y", namespaces: [] });
  assert.deepEqual(pairsOf("a=1, b=c=d"), { a: "1", b: "c=d" });
});
