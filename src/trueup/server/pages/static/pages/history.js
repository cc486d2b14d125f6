// The past of an App: one line of time with all that happened, the same as a list; any moment of it as it stood; two moments compared.
import { html } from "../lib/html.js";
import { useEffect, useMemo, useState } from "preact/hooks";
import { clock, day, t, word } from "../i18n/i18n.js";
import { untilNow } from "../lib/timescale.js";
import { query, setQuery } from "../lib/route.js";
import { commitsOf, eventsOf, lineOf } from "../live/past.js";
import { useLoaded } from "../live/resource.js";
import { Button, Empty, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Timeline } from "../ui/timeline.js";
import { Happening, KINDS, LANES, entryOf } from "./happening.js";
import { CompareView } from "./history-compare.js";
import { Moment } from "./history-moment.js";
import { ThenView } from "./history-then.js";

/** @typedef {import("../live/past.js").Row} Row @typedef {import("../live/past.js").Line} Line */

/** @param {{path: string, app: import("../live/apps.js").App}} props `path` of the App in the API */
export function HistoryView({ path, app }) {
  const name = app.name;
  const ref = { group: "", kind: app.kind, namespace: app.namespace, name };
  const lanes = (query.value.get("lanes") ?? LANES.join(",")).split(",").filter((lane) => LANES.includes(lane));
  const kinds = lanes.length === LANES.length ? [] : lanes.flatMap((lane) => KINDS[lane] ?? []);
  const [after, setAfter] = useState("");
  const [older, setOlder] = useState(/** @type {Row[]} */ ([]));
  const key = `${path} ${kinds}`;
  useEffect(() => (setAfter(""), setOlder([])), [key]);
  const { data, problem, again, waiting } = useLoaded(`${key} ${after} ${app.version}`, (abort) => lineOf(path, ref, { kind: kinds, after }, abort));
  const events = useLoaded(lanes.includes("event") ? path : null, (abort) => eventsOf(path, ref, abort));
  const rows = useMemo(() => {
    const all = new Map([...older, ...(data?.items ?? []), ...(events.data?.rows ?? [])].map((row) => [row.id, row]));
    return [...all.values()].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  }, [data, older, events.data]);
  const commits = useLoaded(rows.length ? rows.map((row) => row.revision).join(" ") : null, (abort) => commitsOf(path, rows.map((row) => row.revision), abort)).data;
  const entries = useMemo(() => rows.map((row) => entryOf(row)), [rows]);
  const span = useMemo(() => {
    const to = clock.peek();
    return untilNow(Math.min(to - 3_600_000, ...entries.map((entry) => entry.at - 60_000)), to);
  }, [entries]);
  const chosen = query.value.get("moment");
  const at = query.value.get("at");
  const show = query.value.get("show") ?? "list";
  const row = rows.find((one) => one.id === chosen || String(one.record) === chosen);
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${8} />`;
  const open = (/** @type {Row | undefined} */ one) => one && setQuery({ moment: one.record ? String(one.record) : one.id, at: one.at, tab: null, object: null });
  const views = /** @type {const} */ (["list", "then", "compare"]);
  return html`<div class="stack past">
    ${!data.recorded && html`<${Notice} tone="warn" title=${t("history.remembered")}>${data.notes[0]}<//>`}
    ${data.recorded && data.notes.map((note) => html`<${Notice} key=${note} tone="none">${note}<//>`)}
    ${events.data?.notes.map((note) => html`<${Notice} key=${note} tone="none" title=${t("history.missing")}>${note}<//>`)}
    <section class="card"><div class="body"><${Timeline} entries=${entries} lanes=${lanes} span=${span} chosen=${row?.id ?? null} pointer=${at ? Date.parse(at) : null} name=${`${name}-timeline`} onChoose=${(/** @type {any} */ entry) => open(rows.find((one) => one.id === entry.id))} onMoment=${data.recorded ? (/** @type {number} */ time) => setQuery({ at: new Date(time).toISOString(), moment: null, show: show === "list" ? "then" : show }) : undefined} label=${t("history.of", { name })} /></div></section>
    <div class="toolbar">
      ${data.recorded && html`<span class="btn-group" role="group" aria-label=${t("past.view")}>${views.map((id) => html`<${Button} key=${id} small pressed=${show === id} onClick=${() => setQuery({ show: id === "list" ? null : id, object: null })}>${word("past", id)}<//>`)}</span>`}
      ${show === "list" && html`<span class="btn-group" role="group" aria-label=${t("past.lanes")}>${LANES.map((lane) => html`<${Button} key=${lane} small pressed=${lanes.includes(lane)} onClick=${() => setQuery({ lanes: flipped(lanes, lane) })}>${word("lane", lane)}<//>`)}</span>`}
    </div>
    ${show === "then" ? html`<${ThenView} path=${path} app=${app} at=${at} commits=${commits} />` : show === "compare" ? html`<${CompareView} path=${path} rows=${rows} at=${at} />` : html`<${List} rows=${rows} note=${data.notes[0]} commits=${commits} chosen=${row?.id ?? ""} onOpen=${open} />
      ${data.next && html`<div class="row"><${Button} icon="chevron-down" disabled=${waiting} onClick=${() => (setOlder(rows.filter((one) => one.kind !== "event")), setAfter(data.next))}>${t("past.older")}<//></div>`}`}
    ${chosen && show !== "compare" && !query.value.get("object") && html`<${Moment} key=${chosen} path=${path} id=${chosen} row=${row} recorded=${data.recorded} commits=${commits} />`}
  </div>`;
}

/** All lanes is the address without a word of them. @param {string[]} lanes @param {string} lane */
function flipped(lanes, lane) {
  const next = lanes.includes(lane) ? lanes.filter((one) => one !== lane) : LANES.filter((one) => lanes.includes(one) || one === lane);
  return next.length === LANES.length || !next.length ? null : next.join(",");
}

/** @param {{rows: readonly Row[], note: string | undefined, commits: import("../live/past.js").Commits | null, chosen: string, onOpen: (row: Row) => void}} props */
function List({ rows, note, commits, chosen, onOpen }) {
  if (!rows.length) return html`<${Empty} icon="rotate-ccw-clock" title=${t("history.none")}>${note}<//>`;
  let last = "";
  return html`<section class="card">${rows.map((row) => {
    const date = day(Date.parse(row.at));
    const head = date !== last && date;
    last = date;
    return html`${head && html`<h3 class="day" key=${`d${row.id}`}>${head}</h3>`}<${Happening} key=${row.id} row=${row} commits=${commits} current=${row.id === chosen} onOpen=${() => onOpen(row)} />`;
  })}</section>`;
}
