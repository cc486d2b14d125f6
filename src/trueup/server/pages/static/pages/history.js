// What happened to an App, on one line of time and as a list; each moment with its changes, and the manifests as they were recorded.
import { html } from "../lib/html.js";
import { useMemo } from "preact/hooks";
import { t, day, duration, word } from "../i18n/i18n.js";
import { query, setQuery } from "../lib/route.js";
import { clock } from "../i18n/i18n.js";
import { call } from "../live/api.js";
import { timeOf } from "../live/apps.js";
import { toYaml } from "../live/app.js";
import { useLoaded } from "../live/resource.js";
import { Ago, Button, Chip, Empty, Facts, Notice, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Panel } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { Tabs } from "../ui/tabs.js";
import { Timeline } from "../ui/timeline.js";
import { Diff, Yaml } from "../ui/text.js";

/**
 * @typedef {{group: string, kind: string, namespace: string, name: string}} Ref
 * @typedef {{id: number, at: string, kind: string, revision: string, result: string, took: number, by: string, reason: string, message: string, counts: Record<string, number>, manifests: number}} Row
 * @typedef {{items: Row[], recorded: boolean, note: string, next: number}} History
 * @typedef {{ref: Ref, action: string, message: string, reason: string, origin: string, fields: Array<{path: string, before: string, after: string}>}} Change
 * @typedef {{items: Array<{ref: Ref, desired: Record<string, unknown> | null, applied: Record<string, unknown> | null}>}} Manifests
 */

/** @type {Record<string, string>} */
const LANES = { sync: "sync", rollback: "person", prune: "sync", failure: "sync", drift: "drift", heal: "drift", health: "event" };

/** @param {Row} row */
const statusOf = (row) => (row.kind === "failure" || row.result === "failed" ? "Failed" : row.kind === "drift" ? "OutOfSync" : row.kind === "health" ? (/-> (Degraded|Missing)/.test(row.message) ? "Degraded" : "Normal") : row.result === "partial" ? "Warning" : "Succeeded");
/** @param {Ref} ref */
const refText = (ref) => [ref.kind, ref.namespace, ref.name].filter(Boolean).join("/");

/** @param {{path: string, name: string}} props `path` of the App in the API */
export function HistoryView({ path, name }) {
  const { data, problem, again } = useLoaded(path, (abort) => /** @type {Promise<History>} */ (call(`${path}/history`, { query: { limit: 200 }, signal: abort })));
  const chosen = query.value.get("moment");
  const rows = data?.items ?? [];
  const entries = useMemo(() => rows.map((row) => ({ id: String(row.id), at: Date.parse(row.at), until: row.took > 1 ? Date.parse(row.at) + row.took * 1000 : null, lane: LANES[row.kind] ?? "event", status: statusOf(row), title: word("record", row.kind), detail: row.message, who: row.by })), [data]);
  const span = useMemo(() => {
    const to = clock.peek();
    const from = Math.min(to - 3_600_000, ...entries.map((entry) => entry.at - 60_000));
    return { from, to };
  }, [entries]);
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${8} />`;
  if (!rows.length) return html`<${Empty} icon="rotate-ccw-clock" title=${t("history.none")}>${data.note}<//>`;
  const open = (/** @type {string} */ id) => setQuery({ moment: id });
  let last = "";
  return html`<div class="stack" style=${{ overflow: "auto" }}>
    ${!data.recorded && html`<${Notice} tone="warn" title=${t("history.remembered")}>${data.note}<//>`}
    <section class="card"><div class="body"><${Timeline} entries=${entries} lanes=${["sync", "drift", "person", "event"]} span=${span} chosen=${chosen} onChoose=${(/** @type {any} */ entry) => open(entry.id)} label=${t("history.of", { name })} /></div></section>
    <section class="card">${rows.map((row) => {
      const date = day(Date.parse(row.at));
      const head = date !== last && date;
      last = date;
      const counts = Object.entries(row.counts).filter(([, n]) => n > 0);
      return html`${head && html`<h3 class="day" key=${`d${row.id}`}>${head}</h3>`}<button type="button" key=${row.id} class="list-line" style=${{ width: "100%" }} onClick=${() => open(String(row.id))}>
        <span style=${{ width: "116px", flex: "none" }}><${Status} status=${statusOf(row)} /></span>
        <span class="grow"><span class="row wrap"><strong>${word("record", row.kind)}</strong>${row.revision && html`<${Revision} revision=${row.revision} />`}${row.by && html`<${Chip} icon="user">${row.by}<//>`}${counts.map(([action, n]) => html`<${Chip} key=${action}>${`${n} ${word("action", action)}`}<//>`)}</span><span class="muted two-lines">${row.message}</span></span>
        <span class="faint num" style=${{ whiteSpace: "nowrap", textAlign: "end" }}><${Ago} at=${Date.parse(row.at)} short />${row.took >= 0.1 && html`<br />${duration(row.took * 1000)}`}</span>
      </button>`;
    })}</section>
    ${chosen && html`<${Moment} key=${chosen} path=${path} id=${chosen} row=${rows.find((row) => String(row.id) === chosen)} recorded=${data.recorded} />`}
  </div>`;
}

/** @param {{path: string, id: string, row: Row | undefined, recorded: boolean}} props */
function Moment({ path, id, row, recorded }) {
  const tab = query.value.get("tab") ?? "changes";
  const { data, problem, again } = useLoaded(recorded ? id : null, (abort) => /** @type {Promise<{row: Row, changes: Change[]}>} */ (call(`${path}/history/${encodeURIComponent(id)}`, { signal: abort })));
  const shown = data?.row ?? row;
  const title = html`<h2>${shown ? word("record", shown.kind) : t("history.moment")}</h2>${shown && html`<p class="muted num"><${Ago} at=${timeOf(shown.at)} /></p>`}`;
  const tabs = [{ id: "changes", label: t("history.changes") }, ...(shown?.manifests ? [{ id: "manifests", label: t("history.manifests"), count: shown.manifests }] : [])];
  return html`<${Panel} label=${t("history.moment")} title=${title} onClose=${() => setQuery({ moment: null, tab: null })} tabs=${html`<${Tabs} label=${t("history.moment")} current=${tab} onChange=${(/** @type {string} */ next) => setQuery({ tab: next === "changes" ? null : next })} tabs=${tabs} />`}>
    ${problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : tab === "manifests" ? html`<${Recorded} path=${path} id=${id} />` : html`
      ${shown && html`<${Facts} rows=${[[t("apps.status"), html`<${Status} status=${statusOf(shown)} />`], shown.revision && [t("apps.revision"), html`<${Revision} revision=${shown.revision} />`], shown.by && [t("history.by"), shown.by], shown.reason && [t("history.reason"), shown.reason], shown.took > 0 && [t("history.took"), duration(shown.took * 1000)], shown.message && [t("facet.message"), shown.message]]} />`}
      ${!recorded ? html`<${Notice} tone="none">${t("history.not-recorded")}<//>` : !data ? html`<${Waiting} rows=${5} />` : !data.changes.length ? html`<${Empty} icon="circle-check" title=${t("history.no-changes")} />` : data.changes.map((change, i) => html`<section class="card" key=${i}><header><h3 class="clip">${refText(change.ref)}</h3><${Chip}>${word("action", change.action)}<//></header><div class="body stack">${change.message && html`<p>${change.message}</p>`}${change.origin && html`<p class="faint">${change.origin}</p>`}${change.fields.map((field) => html`<div key=${field.path} class="field-change"><code>${field.path}</code><span class="code"><del>${field.before || "–"}</del> <ins>${field.after || "–"}</ins></span></div>`)}</div></section>`)}
    `}
  <//>`;
}

/** @param {{path: string, id: string}} props */
function Recorded({ path, id }) {
  const at = Number(query.value.get("object") ?? 0);
  const { data, problem, again } = useLoaded(id, async (abort) => {
    const found = /** @type {Manifests} */ (await call(`${path}/history/${encodeURIComponent(id)}/manifests`, { signal: abort }));
    return Promise.all(found.items.map(async (item) => ({ ref: refText(item.ref), desired: await toYaml(item.desired), applied: await toYaml(item.applied) })));
  });
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${10} />`;
  const item = data[at] ?? data[0];
  if (!item) return html`<${Empty} icon="file-clock" title=${t("history.no-manifests")} />`;
  return html`<div class="row wrap">${data.map((one, i) => html`<${Button} key=${one.ref} small pressed=${one === item} onClick=${() => setQuery({ object: i ? String(i) : null })}>${one.ref}<//>`)}</div>
    ${item.desired && item.applied && item.desired !== item.applied ? html`<${Diff} before=${item.desired} after=${item.applied} title=${item.ref} label=${item.ref} names=${[t("diff.desired"), t("history.applied")]} />` : html`<${Yaml} text=${item.applied || item.desired} title=${item.ref} />`}`;
}
