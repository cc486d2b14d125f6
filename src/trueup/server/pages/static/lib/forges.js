// Where a forge shows a commit, a file, a comparison, a pull request of a repository. Pure; known by host and by the form of the address.
// Only http and https come out, whatever goes in: these become links.

/** @typedef {"github" | "gitlab" | "gitea" | "bitbucket" | "bitbucket-server" | "azure"} Forge */
/** @typedef {{forge: Forge, web: string}} Home `web`: the repository's own page, without a slash at its end */

/** @type {Array<[RegExp, Forge]>} */
const HOSTS = [
  [/(^|\.)dev\.azure\.com$|\.visualstudio\.com$/, "azure"],
  [/^bitbucket\.org$/, "bitbucket"],
  [/(^|[.-])bitbucket([.-]|$)|^stash\./, "bitbucket-server"],
  [/(^|[.-])gitlab([.-]|$)|^salsa\.debian\.org$|^framagit\.org$/, "gitlab"],
  [/(^|[.-])(gitea|forgejo)([.-]|$)|^codeberg\.org$/, "gitea"],
  [/(^|[.-])github([.-]|$)|\.ghe\.com$/, "github"],
];

/** A clone address as a web address; null for what no browser can open. @param {string} text @returns {URL | null} */
function webAddress(text) {
  const scp = /^(?:[\w.-]+@)?([\w.-]+):(?!\/\/)(?!\d+\/)([^\\]+)$/.exec(text);
  try {
    const url = new URL(scp && !text.includes("://") ? `ssh://${scp[1]}/${/** @type {string} */ (scp[2]).replace(/^\//, "")}` : text);
    if (!["http:", "https:", "ssh:", "git:", "git+ssh:"].includes(url.protocol) || !url.hostname) return null;
    const isWeb = url.protocol === "http:" || url.protocol === "https:";
    return new URL(`${url.protocol === "http:" ? "http" : "https"}://${isWeb ? url.host : url.hostname}${url.pathname}#${isWeb ? "" : url.port || "22"}`);
  } catch {
    return null;
  }
}

/** Which forge has the repository, and where. @param {string | null | undefined} text the address that Git clones from @returns {Home | null} */
export function homeOf(text) {
  const url = webAddress((text ?? "").trim());
  if (!url) return null;
  const path = url.pathname.replace(/\/+$/, "").replace(/\.git$/, "");
  const parts = path.split("/").filter(Boolean);
  const forge = /\/scm\//.test(`${path}/`) || url.hash === "#7999" ? "bitbucket-server" : HOSTS.find(([host]) => host.test(url.hostname))?.[1];
  if (!forge) return null;
  if (forge === "azure") return azure(url, parts);
  if (forge === "bitbucket-server") return bitbucketServer(url, parts);
  return parts.length < 2 ? null : { forge, web: url.origin + path };
}

/** `git@ssh.dev.azure.com:v3/ORG/PROJECT/REPO` and `//ORG@dev.azure.com/ORG/PROJECT/_git/REPO`. @param {URL} url @param {string[]} parts @returns {Home | null} */
function azure(url, parts) {
  if (parts[0] === "v3" && parts.length === 4) {
    const old = /^vs-ssh\.visualstudio\.com$/.test(url.hostname);
    const [, org, project, name] = parts;
    return { forge: "azure", web: old ? `https://${org}.visualstudio.com/${project}/_git/${name}` : `https://dev.azure.com/${org}/${project}/_git/${name}` };
  }
  return parts.includes("_git") ? { forge: "azure", web: `${url.origin}/${parts.join("/")}` } : null;
}

/** `//HOST/CONTEXT/scm/PROJECT/REPO`, `git@HOST:7999/PROJECT/REPO`; `~NAME` is a person's. @param {URL} url @param {string[]} parts @returns {Home | null} */
function bitbucketServer(url, parts) {
  const at = parts.indexOf("scm");
  const [owner, name] = at < 0 ? parts : parts.slice(at + 1);
  if (!owner || !name) return null;
  const context = at > 0 ? `/${parts.slice(0, at).join("/")}` : "";
  return { forge: "bitbucket-server", web: `${url.origin}${context}/${owner.startsWith("~") ? `users/${owner.slice(1)}` : `projects/${owner.toUpperCase()}`}/repos/${name}` };
}

/** @param {string | null | undefined} url @param {string | null | undefined} commit @returns {string} "" where nothing is known of it */
export function commitUrl(url, commit) {
  const home = homeOf(url);
  if (!home || !commit || !/^[0-9a-f]{7,64}$/.test(commit)) return "";
  return { github: `${home.web}/commit/${commit}`, gitlab: `${home.web}/-/commit/${commit}`, gitea: `${home.web}/commit/${commit}`, bitbucket: `${home.web}/commits/${commit}`, "bitbucket-server": `${home.web}/commits/${commit}`, azure: `${home.web}/commit/${commit}` }[home.forge];
}

/** @param {string | null | undefined} url @param {string} before @param {string} after two commits @returns {string} what came between them */
export function compareUrl(url, before, after) {
  const home = homeOf(url);
  if (!home || ![before, after].every((one) => /^[0-9a-f]{7,64}$/.test(one))) return "";
  return { github: `${home.web}/compare/${before}...${after}`, gitlab: `${home.web}/-/compare/${before}...${after}`, gitea: `${home.web}/compare/${before}...${after}`, bitbucket: `${home.web}/branches/compare/${after}..${before}`, "bitbucket-server": `${home.web}/compare/diff?targetBranch=${before}&sourceBranch=${after}`, azure: `${home.web}/branchCompare?baseVersion=GC${before}&targetVersion=GC${after}&_a=files` }[home.forge];
}

/** @param {string | null | undefined} url @param {string} commit @param {string} path inside of the repository @param {number} [line] @returns {string} */
export function fileUrl(url, commit, path, line = 0) {
  const home = homeOf(url);
  if (!home || !/^[0-9a-f]{7,64}$/.test(commit) || !path) return "";
  const at = path.replace(/^\.?\/+/, "").split("/").map(encodeURIComponent).join("/");
  const whole = encodeURIComponent(`/${path.replace(/^\.?\/+/, "")}`);
  const mark = line > 0;
  return {
    github: `${home.web}/blob/${commit}/${at}${mark ? `#L${line}` : ""}`,
    gitlab: `${home.web}/-/blob/${commit}/${at}${mark ? `#L${line}` : ""}`,
    gitea: `${home.web}/src/commit/${commit}/${at}${mark ? `#L${line}` : ""}`,
    bitbucket: `${home.web}/src/${commit}/${at}${mark ? `#lines-${line}` : ""}`,
    "bitbucket-server": `${home.web}/browse/${at}?at=${commit}${mark ? `#${line}` : ""}`,
    azure: `${home.web}?path=${whole}&version=GC${commit}${mark ? `&line=${line}&lineEnd=${line + 1}&lineStartColumn=1&lineEndColumn=1` : ""}`,
  }[home.forge];
}

/** @param {string | null | undefined} url @param {number} number @returns {string} the page of a pull (merge) request */
export function pullUrl(url, number) {
  const home = homeOf(url);
  if (!home || !Number.isSafeInteger(number) || number < 1) return "";
  return { github: `${home.web}/pull/${number}`, gitlab: `${home.web}/-/merge_requests/${number}`, gitea: `${home.web}/pulls/${number}`, bitbucket: `${home.web}/pull-requests/${number}`, "bitbucket-server": `${home.web}/pull-requests/${number}`, azure: `${home.web}/pullrequest/${number}` }[home.forge];
}

/** The ref under which a forge keeps a pull request's head; "" where it keeps none, and its branch has to be named. @param {string | null | undefined} url @param {number} number @returns {string} */
export function pullRef(url, number) {
  switch (homeOf(url)?.forge) {
    case "gitlab":
      return `refs/merge-requests/${number}/head`;
    case "bitbucket-server":
      return `refs/pull-requests/${number}/from`;
    case "azure":
      return `refs/pull/${number}/merge`;
    case "bitbucket":
      return "";
    default:
      return `refs/pull/${number}/head`;
  }
}

/** What a person typed or pasted as a revision: `#7`, a forge's address of a commit or a pull request, or a branch, tag, commit as it is. @param {string} text @param {string | null | undefined} url of the repository @returns {string} */
export function revisionOf(text, url) {
  const given = text.trim();
  const number = /^[#!](\d+)$/.exec(given) ?? /^https?:\/\/\S+\/(?:pull|pulls|merge_requests|pull-requests|pullrequest)\/(\d+)(?:[/?#]|$)/.exec(given);
  if (number) return pullRef(url, Number(number[1])) || given;
  const commit = /^https?:\/\/\S+\/commits?\/([0-9a-f]{7,64})(?:[/?#]|$)/.exec(given);
  return commit?.[1] ?? given;
}

/** "main@sha1:3f2a…" -> "3f2a…"; "" for what is no commit. @param {string | null | undefined} revision */
export function commitOf(revision) {
  const digest = (revision ?? "").slice((revision ?? "").lastIndexOf("@") + 1);
  const hex = digest.replace(/^sha(1|256):/, "");
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hex) ? hex : "";
}
