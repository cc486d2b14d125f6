// The panel of one thing that happened: what it changed, field by field, and the manifests that it shows.
import { html } from "../lib/html.js";
import { t, duration, word } from "../i18n/i18n.js";
import { href, query, setQuery, withQuery } from "../lib/route.js";
import { call } from "../live/api.js";
import { timeOf } from "../live/apps.js";
import { toYaml } from "../live/app.js";
import { refText } from "../live/past.js";
import { useLoaded } from "../live/resource.js";
import { fileUrl } from "../lib/forges.js";
import { Ago, Button, Chip, Empty, Facts, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Panel } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { Tabs } from "../ui/tabs.js";
import { Diff, Yaml } from "../ui/text.js";
import { Made, statusOf, titleOf } from "./happening.js";

/**
 * @typedef {import("../live/past.js").Row} Row @typedef {import("../live/past.js").Ref} Ref @typedef {import("../live/past.js").Commits} Commits
 * @typedef {{ref: Ref, action: string, message: string, reason: string, origin: string, fields: Array<{path: string, before: string, after: string}>}} Change
 */

/** @param {{path: string, id: string, row: Row | undefined, recorded: boolean, commits: Commits | null}} props */
export function Moment({ path, id, row, recorded, commits }) {
  const tab = query.value.get("tab") ?? "changes";
  const isRecord = recorded && /^\d+$/.test(id);
  const { data, problem, again } = useLoaded(isRecord ? id : null, (abort) => /** @type {Promise<{row: Row, changes: Change[]}>} */ (call(`${path}/history/${encodeURIComponent(id)}`, { signal: abort })));
  const shown = row ?? (data ? { ...data.row, record: Number(id) } : undefined);
  const title = html`<h2>${shown ? titleOf(shown) : t("history.moment")}</h2>${shown && html`<p class="muted num"><${Ago} at=${timeOf(shown.at)} /></p>`}`;
  const tabs = [{ id: "changes", label: t("history.changes") }, ...(shown?.manifests ? [{ id: "manifests", label: t("history.manifests"), count: shown.manifests }] : [])];
  const close = () => setQuery({ moment: null, tab: null, object: null });
  return html`<${Panel} label=${t("history.moment")} title=${title} onClose=${close} tabs=${html`<${Tabs} label=${t("history.moment")} current=${tab} onChange=${(/** @type {string} */ next) => setQuery({ tab: next === "changes" ? null : next })} tabs=${tabs} />`}>
    ${problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : tab === "manifests" ? html`<${Recorded} path=${path} id=${id} />` : html`
      ${shown && html`<${Facts} rows=${[[t("apps.status"), html`<${Status} status=${statusOf(shown)} />`], shown.revision && [t("apps.revision"), html`<${Made} revision=${shown.revision} commits=${commits} />`], shown.by && [t("history.by"), shown.by], shown.reason && shown.kind !== "action" && shown.kind !== "event" && [t("history.reason"), shown.reason], shown.took > 0 && [t("history.took"), duration(shown.took * 1000)], shown.message && [t("facet.message"), shown.message]]} />`}
      ${shown && recorded && html`<div class="row wrap"><${Button} small icon="rotate-ccw-clock" href=${href(withQuery({ show: "then", at: shown.at, moment: null, tab: null }))}>${t("past.open-then")}<//><${Button} small icon="git-compare" href=${href(withQuery({ show: "compare", at: shown.at, moment: null, tab: null }))}>${t("past.open-compare")}<//></div>`}
      ${shown?.kind === "event" ? html`<${Notice} tone="none">${t("past.event-kept")}<//>` : shown?.kind === "action" ? html`<${Notice} tone="none">${t("past.action")} <a href=${href(`/audit?entry=${encodeURIComponent(shown.id.slice(1))}`)}>${t("past.action.audit")}</a><//>` : !isRecord ? html`<${Notice} tone="none">${t("history.not-recorded")}<//>` : !data ? html`<${Waiting} rows=${5} />` : !data.changes.length ? html`<${Empty} icon="circle-check" title=${t("history.no-changes")} />` : data.changes.map((change, i) => html`<${Changed} key=${i} change=${change} commits=${commits} revision=${data.row.revision} />`)}
    `}
  <//>`;
}

/** @param {{change: Change, commits: Commits | null, revision: string}} props */
function Changed({ change, commits, revision }) {
  return html`<section class="card"><header><h3 class="clip">${refText(change.ref)}</h3><${Chip}>${word("action", change.action)}<//></header><div class="body stack">${change.message && html`<p>${change.message}</p>`}${change.origin && html`<${Origin} origin=${change.origin} url=${commits?.url ?? ""} commit=${commits?.items[revision]?.commit ?? ""} />`}${change.fields.map((field) => html`<${FieldChange} key=${field.path} field=${field} />`)}</div></section>`;
}

/** @param {{field: {path: string, before: string, after: string}}} props */
export const FieldChange = ({ field }) => html`<div class="field-change"><code>${field.path}</code><span class="code"><del>${field.before || "–"}</del> <ins>${field.after || "–"}</ins></span></div>`;

/** A file and a line, linked to its forge where that is known. @param {{origin: string, url: string, commit: string}} props */
export function Origin({ origin, url, commit }) {
  const found = /^([^:]+?)(?::(\d+))?(?:$|,)/.exec(origin);
  const link = found ? fileUrl(url, commit, found[1] ?? "", Number(found[2] ?? 0)) : "";
  return link ? html`<p><a class="faint" href=${link} target="_blank" rel="noreferrer">${origin}</a></p>` : html`<p class="faint">${origin}</p>`;
}

/** @param {{path: string, id: string}} props */
function Recorded({ path, id }) {
  const at = Number(query.value.get("part") ?? 0);
  const { data, problem, again } = useLoaded(id, async (abort) => {
    /** @type {{items: Array<{ref: Ref, desired: Record<string, unknown> | null, applied: Record<string, unknown> | null}>}} */
    const found = await call(`${path}/history/${encodeURIComponent(id)}/manifests`, { signal: abort });
    return Promise.all(found.items.map(async (item) => ({ ref: refText(item.ref), desired: await toYaml(item.desired), applied: await toYaml(item.applied) })));
  });
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${10} />`;
  const item = data[at] ?? data[0];
  if (!item) return html`<${Empty} icon="file-clock" title=${t("history.no-manifests")} />`;
  return html`<div class="row wrap">${data.map((one, i) => html`<${Button} key=${one.ref} small pressed=${one === item} onClick=${() => setQuery({ part: i ? String(i) : null })}>${one.ref}<//>`)}</div>
    ${item.desired && item.applied && item.desired !== item.applied ? html`<${Diff} before=${item.desired} after=${item.applied} title=${item.ref} label=${item.ref} names=${[t("diff.desired"), t("history.applied")]} />` : html`<${Yaml} text=${item.applied || item.desired} title=${item.ref} />`}`;
}
