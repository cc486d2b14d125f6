// One thing that happened: where it stands on the line, how it went, and as a row of the list. Shared by the line of an App and of all.
import { html } from "../lib/html.js";
import { t, duration, word } from "../i18n/i18n.js";
import { commitOf, commitUrl } from "../lib/forges.js";
import { shortened } from "../lib/revisions.js";
import { commitsOf } from "../live/past.js";
import { useLoaded } from "../live/resource.js";
import { Ago, Chip, Revision } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { Status } from "../ui/status.js";

/** @typedef {import("../live/past.js").Row} Row @typedef {import("../live/past.js").Commits} Commits */

export const LANES = ["sync", "drift", "person", "event"];
/** @type {Record<string, string>} */
const LANE = { sync: "sync", prune: "sync", failure: "sync", drift: "drift", heal: "drift", rollback: "person", suspend: "person", action: "person", health: "event", event: "event" };
/** What each lane asks the server for. @type {Record<string, string[]>} */
export const KINDS = { sync: ["sync", "prune", "failure"], drift: ["drift", "heal"], person: ["rollback", "suspend", "action"], event: ["health"] };

/** @param {Row} row */
export function statusOf(row) {
  if (row.kind === "failure" || row.result === "failed") return row.kind === "event" ? "Warning" : "Failed";
  if (row.kind === "drift") return "OutOfSync";
  if (row.kind === "health") return /-> (Degraded|Missing|gone)/.test(row.message) ? "Degraded" : "Normal";
  if (row.kind === "event") return "Normal";
  return row.result === "partial" ? "Warning" : "Succeeded";
}

/** @param {Row} row */
export const titleOf = (row) => (row.kind === "action" ? word("act", row.reason) : row.kind === "event" ? row.reason : word("record", row.kind));

/** A record is written at its end: it began `took` before. @param {Row} row @param {string} [name] @returns {import("../ui/timeline.js").Entry} */
export function entryOf(row, name = "") {
  const end = Date.parse(row.at);
  const long = row.took > 1;
  return { id: row.id, at: long ? end - row.took * 1000 : end, until: long ? end : null, lane: LANE[row.kind] ?? "event", status: statusOf(row), title: [name, titleOf(row)].filter(Boolean).join(" · "), detail: row.message, who: row.by };
}

/** A message that tells the counts alone, which stand beside it in the reader's language. */
const COUNTS = /^\d+ [a-z]+(, \d+ [a-z]+)*$/;

/** @param {{row: Row, commits?: Commits | null, name?: string, current?: boolean, onOpen: () => void}} props */
export function Happening({ row, commits, name, current, onOpen }) {
  const counts = Object.entries(row.counts).filter(([, n]) => n > 0);
  const commit = commits?.items[row.revision];
  return html`<button type="button" class="list-line" aria-current=${current ? "true" : undefined} style=${{ width: "100%" }} onClick=${onOpen}>
    <span class="state"><${Status} status=${statusOf(row)} /></span>
    <span class="grow"><span class="row wrap">${name && html`<strong class="clip">${name}</strong>`}<strong>${titleOf(row)}</strong>${row.revision && html`<${Revision} revision=${row.revision} />`}${row.by && html`<${Chip} icon="user">${row.by}<//>`}${counts.map(([action, n]) => html`<${Chip} key=${action}>${`${n} ${word("action", action)}`}<//>`)}</span>
      ${commit && html`<span class="row commit"><${Icon} name="git-commit-horizontal" size=${14} /><span class="clip">${commit.message.split("\n")[0]}</span><span class="faint">${commit.author}</span></span>`}
      ${row.message && !(counts.length && COUNTS.test(row.message)) && html`<span class="muted two-lines">${shortened(row.message)}</span>`}</span>
    <span class="faint num end"><${Ago} at=${Date.parse(row.at)} short />${row.took >= 0.1 && html`<br />${duration(row.took * 1000)}`}</span>
  </button>`;
}

/** Who made an App's revision, and where its repository is; null until it is known. @param {string} path of the App in the API @param {string} revision @returns {Commits | null} */
export const useMade = (path, revision) => useLoaded(revision ? `${path} ${revision}` : null, (abort) => commitsOf(path, [revision], abort)).data;

/** A revision with who made it, linked to its forge. @param {{revision: string, commits: Commits | null}} props */
export function Made({ revision, commits }) {
  const commit = commits?.items[revision];
  const url = commitUrl(commits?.url, commitOf(revision));
  return html`<${Revision} revision=${revision} url=${url || undefined} />${commit && html`<p class="commit-text"><strong>${commit.message.split("\n")[0]}</strong> <span class="muted">${t("commit.by", { author: commit.author })} · <${Ago} at=${Date.parse(commit.at)} /></span></p>`}`;
}
