// What one wants to know first: what is broken and since when, what changed, what waits for a person; and everything as a map.
import { html, cls } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t, number, word } from "../i18n/i18n.js";
import { href, query, setQuery } from "../lib/route.js";
import { writeQuery } from "../lib/query.js";
import { call } from "../live/api.js";
import { idOf, pageOf, timeOf } from "../live/apps.js";
import { useLoaded, useNews } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Empty, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Shape, Shares, STATUS_WORDS, Status, toneOf } from "../ui/status.js";

/** @typedef {import("../live/apps.js").App} App */
/** @typedef {{name: string, total: number, statuses: Record<string, number>}} Group */
/** @typedef {{total: number, statuses: Record<string, number>, broken: App[], changed: App[], waiting: App[], brokenTotal: number, waitingTotal: number, clusters: Group[], projects: Group[], namespaces: Group[], environments: Group[], teams: Group[]}} Overview */

const BY = /** @type {const} */ (["clusters", "environments", "teams", "projects", "namespaces"]);
const AGAIN = 2000; // after news the whole is asked for again, at most so often

export function Page() {
  useTitle([{ label: t("nav.overview") }]);
  const turn = useNews("/apps/events", AGAIN);
  const { data, problem, again } = useLoaded(turn ? `overview ${turn}` : null, (abort) => /** @type {Promise<Overview>} */ (call("/overview", { signal: abort })));
  const [last, setLast] = useState(/** @type {Overview | null} */ (null));
  useEffect(() => {
    if (data) setLast(data);
  }, [data]);
  const shown = data ?? last;
  if (problem && !shown) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!shown) return html`<${Waiting} rows=${8} height=${22} />`;
  if (!shown.total) return html`<${Empty} icon="layers" title=${t("design.empty")}>${t("design.empty.what")}<//>`;
  return html`<${Shown} overview=${shown} />`;
}

/** @param {{overview: Overview}} props */
function Shown({ overview }) {
  const asked = /** @type {typeof BY[number]} */ (query.value.get("by") ?? "clusters");
  const offered = BY.filter((name) => overview[name]?.length || name === "clusters"); // environments and teams where Apps say theirs
  const by = offered.includes(asked) ? asked : "clusters";
  const n = (/** @type {string} */ status) => overview.statuses[status] ?? 0;
  const says = overview.brokenTotal ? t("overview.broken", { n: overview.brokenTotal }) : n("Progressing") ? t("overview.moving", { n: n("Progressing") }) : t("overview.well");
  /** @type {Array<[string, number, string]>} */
  const figures = [
    ["Degraded", overview.brokenTotal, "is:broken"],
    ["OutOfSync", n("OutOfSync"), "status:OutOfSync"],
    ["Progressing", n("Progressing"), "status:Progressing"],
    ["Suspended", n("Suspended"), "status:Suspended"],
    ["Ready", n("Ready"), "status:Ready"],
  ];
  const recent = overview.changed.filter((app) => app.since);
  return html`<div class="page-head"><h1>${says}</h1><span class="muted num">${t("apps.count", { n: overview.total })}</span></div>
    <${Shares} label=${t("apps.shares")} counts=${STATUS_WORDS.map((status) => [status, n(status)])} />
    <div class="figures">${figures.map(([status, count, search]) => html`<a key=${status} class="figure" href=${href(`/apps?q=${encodeURIComponent(search)}`)}><span class=${cls("value", count === 0 && "zero")}>${number(count)}</span>${status === "Degraded" ? html`<span class=${`status tone-${count ? "bad" : "none"}`}><${Shape} status="Degraded" /><span>${t("overview.figure.broken")}</span></span>` : html`<${Status} status=${status} />`}</a>`)}</div>
    <div class="two">
      <div class="stack" style=${{ gap: "var(--s4)" }}>
        <section class="card"><header><h2>${t("overview.broken.title")}</h2>${overview.brokenTotal > overview.broken.length && html`<a href=${href("/apps?q=is:broken")}>${t("overview.all")}</a>`}</header>
          ${overview.broken.length ? overview.broken.slice(0, 8).map((app) => html`<${Line} key=${idOf(app)} app=${app} />`) : html`<${Empty} icon="circle-check" title=${t("overview.none-broken")} />`}
        </section>
        <section class="card"><header><h2>${t("overview.everything")}</h2><span class="btn-group">${offered.map((name) => html`<${Button} key=${name} small pressed=${by === name} onClick=${() => setQuery({ by: name === "clusters" ? null : name })}>${word("by", name)}<//>`)}</span></header>
          <div class="body groups">${overview[by].slice(0, 60).map((group) => html`<${Box} key=${group.name} group=${group} field=${by.slice(0, -1)} />`)}</div>
        </section>
      </div>
      <div class="stack" style=${{ gap: "var(--s4)" }}>
        <section class="card"><header><h2>${t("overview.waiting.title")}</h2>${overview.waitingTotal > 0 && html`<span class="count">${number(overview.waitingTotal)}</span>`}</header>
          ${overview.waiting.length ? overview.waiting.slice(0, 6).map((app) => html`<${Line} key=${idOf(app)} app=${app} />`) : html`<${Empty} icon="circle-check" title=${t("overview.none-waiting")} />`}
        </section>
        <section class="card"><header><h2>${t("overview.changed.title")}</h2></header>
          ${recent.slice(0, 10).map((app) => html`<${Line} key=${idOf(app)} app=${app} brief />`)}
        </section>
      </div>
    </div>`;
}

/** @param {{app: App, brief?: boolean}} props */
const Line = ({ app, brief }) => html`<a class="list-line" href=${href(pageOf(app))}>
  <span class=${`status tone-${toneOf(app.status)}`} style=${{ marginTop: "2px" }}><${Shape} status=${app.status} /><span class="hidden-text">${word("status", app.status)}</span></span>
  <span class="grow"><span class="row"><strong class="clip">${app.name}</strong><span class="faint clip">${app.namespace}</span></span>${brief ? html`<span class="row"><${Revision} revision=${app.fullRevision || app.revision} /></span>` : html`<span class="muted two-lines">${app.message || word("status", app.status)}</span>`}</span>
  <span class="faint num" style=${{ whiteSpace: "nowrap" }}><${Ago} at=${timeOf(app.since)} short /></span>
</a>`;

/** @param {{group: Group, field: string}} props */
function Box({ group, field }) {
  const counts = STATUS_WORDS.map((status) => /** @type {[string, number]} */ ([status, group.statuses[status] ?? 0]));
  const unwell = counts.filter(([status, n]) => n > 0 && toneOf(status) !== "good");
  return html`<a class="group-box" href=${href(`/apps?q=${encodeURIComponent(writeQuery([{ field, value: group.name }]))}`)}>
    <span class="row"><strong class="clip grow">${group.name || t("map.none")}</strong><span class="faint num">${number(group.total)}</span></span>
    <${Shares} label=${counts.filter(([, n]) => n).map(([status, n]) => `${word("status", status)} ${number(n)}`).join(", ")} counts=${counts} />
    <span class="row wrap" style=${{ gap: "2px 10px", minHeight: "20px" }}>${unwell.length ? unwell.map(([status, n]) => html`<span key=${status} class=${`status tone-${toneOf(status)}`} title=${word("status", status)}><${Shape} status=${status} size=${13} /><span class="num">${number(n)}</span><span class="hidden-text">${word("status", status)}</span></span>`) : html`<span class="faint">${t("overview.all-well")}</span>`}</span>
  </a>`;
}
