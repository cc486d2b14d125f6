// What happened everywhere, on one line that zooms: all Apps that one may see, or those that a search finds.
import { html } from "../lib/html.js";
import { useEffect, useMemo, useState } from "preact/hooks";
import { clock, day, t, word } from "../i18n/i18n.js";
import { untilNow } from "../lib/timescale.js";
import { go, query, setQuery } from "../lib/route.js";
import { pageOf } from "../live/apps.js";
import { line } from "../live/past.js";
import { useLoaded, useNews } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Button, Empty, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { Timeline } from "../ui/timeline.js";
import { Typing } from "../ui/typing.js";
import { Happening, KINDS, LANES, entryOf } from "./happening.js";

/** @typedef {import("../live/past.js").Row} Row @typedef {import("../live/past.js").Line} Line */

const AGAIN = 5000; // after news it is asked for again, at most so often
/** @type {Record<string, number>} hours */
const RANGES = { hour: 1, day: 24, week: 168, month: 720 };

export function Page() {
  useTitle([{ label: t("nav.timeline") }]);
  const turn = useNews("/apps/events", AGAIN);
  const search = query.value.get("q") ?? "";
  const range = query.value.get("range") ?? "day";
  const lane = query.value.get("lane") ?? "";
  const hours = RANGES[range] ?? 24;
  const key = `${search}\n${range}\n${lane}`;
  const [after, setAfter] = useState("");
  const [rows, setRows] = useState(/** @type {Row[]} */ ([]));
  useEffect(() => (setAfter(""), setRows([])), [key]);
  const { data, problem, again, waiting } = useLoaded(`${key} ${after} ${after ? "" : turn}`, (abort) => line({ search, since: new Date(clock.peek() - hours * 3_600_000).toISOString(), after, ...(lane ? { kind: KINDS[lane] ?? [] } : {}) }, abort));
  useEffect(() => {
    if (data) setRows((was) => sorted([...was, ...data.items]));
  }, [data]);
  const entries = useMemo(() => rows.map((row) => entryOf(row, row.app.name)), [rows]);
  const span = useMemo(() => untilNow(clock.peek() - hours * 3_600_000, clock.peek()), [rows, hours]);
  const open = (/** @type {Row | undefined} */ row) => row && go(`${pageOf(row.app)}?view=history&moment=${encodeURIComponent(row.record ? String(row.record) : row.id)}&at=${encodeURIComponent(row.at)}`);
  let last = "";
  return html`<div class="page-head"><h1>${t("nav.timeline")}</h1><span class="muted num">${t("timeline.count", { n: rows.length })}</span><span class="grow"></span><span class="btn-group" role="group" aria-label=${t("timeline.range")}>${Object.keys(RANGES).map((id) => html`<${Button} key=${id} small pressed=${range === id} onClick=${() => setQuery({ range: id === "day" ? null : id })}>${word("range", id)}<//>`)}</span></div>
    <div class="toolbar">
      <div class="search"><${Icon} name="search" size=${16} /><${Typing} type="search" shown=${search} placeholder=${t("timeline.search")} aria-label=${t("timeline.search")} tell=${(/** @type {string} */ text) => setQuery({ q: text })} /></div>
      <select class="input" aria-label=${t("past.lanes")} value=${lane} onChange=${(/** @type {any} */ event) => setQuery({ lane: event.currentTarget.value })}><option value="">${t("timeline.everything")}</option>${LANES.map((id) => html`<option key=${id} value=${id}>${word("lane", id)}</option>`)}</select>
    </div>
    ${problem && !rows.length ? html`<${Wrong} problem=${problem} again=${again} />` : !data && !rows.length ? html`<${Waiting} rows=${8} height=${22} />` : html`
      ${data?.notes.map((note) => html`<${Notice} key=${note} tone="none">${note}<//>`)}
      <section class="card"><div class="body"><${Timeline} entries=${entries} lanes=${lane ? [lane] : LANES} span=${span} name="timeline" onChoose=${(/** @type {any} */ entry) => open(rows.find((row) => row.id === entry.id))} label=${t("nav.timeline")} /></div></section>
      ${!rows.length ? html`<${Empty} icon="rotate-ccw-clock" title=${t("timeline.none")}>${t("timeline.none.hint")}<//>` : html`<section class="card">${rows.map((row) => {
        const date = day(Date.parse(row.at));
        const head = date !== last && date;
        last = date;
        return html`${head && html`<h2 class="day" key=${`d${row.id}`}>${head}</h2>`}<${Happening} key=${row.id} row=${row} name=${`${row.app.namespace}/${row.app.name}`} onOpen=${() => open(row)} />`;
      })}</section>`}
      ${data?.next && html`<div class="row"><${Button} icon="chevron-down" disabled=${waiting} onClick=${() => setAfter(data.next)}>${t("past.older")}<//></div>`}`}`;
}

/** Each once, the newest first. @param {readonly Row[]} rows */
const sorted = (rows) => [...new Map(rows.map((row) => [row.id, row])).values()].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
