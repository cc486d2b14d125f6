// Sources: where declarations come from, how each stands, and what to do with it.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { href, query, setQuery } from "../lib/route.js";
import { commitOf, commitUrl, homeOf } from "../lib/forges.js";
import { call } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { timeOf } from "../live/apps.js";
import { useLoaded, useNews } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Empty, Facts, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Panel, say } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { Table } from "../ui/table.js";
import { Yaml } from "../ui/text.js";

/** @typedef {{kind: string, namespace: string, name: string, status: string, message: string, url: string, revision: string, fullRevision: string, since: string | null, suspended: boolean}} Source */
/** @typedef {{items: Source[], total: number, next: string, eventId: string}} SourcePage */

const AGAIN = 1000; // after news the page is asked for again, at most so often
const MOST = 500;
/** @param {Source} source */
const keyOf = (source) => `${source.kind}/${source.namespace}/${source.name}`;
/** @param {string} key */
const pathOf = (key) => `/sources/${key.split("/").map(encodeURIComponent).join("/")}`;

export function Page() {
  useTitle([{ label: t("nav.sources") }]);
  const text = query.value.get("q") ?? "";
  const chosen = query.value.get("source");
  const turn = useNews("/sources/events", AGAIN);
  const { data, problem, again } = useLoaded(turn ? `${text} ${turn}` : null, (abort) => /** @type {Promise<SourcePage>} */ (call("/sources", { query: { search: text, limit: MOST }, signal: abort })));
  const [last, setLast] = useState(/** @type {SourcePage | null} */ (null));
  useEffect(() => {
    if (data) setLast(data);
  }, [data]);
  const shown = data ?? last;
  if (problem && !shown) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!shown) return html`<${Waiting} rows=${8} height=${22} />`;
  /** @type {Array<import("../ui/table.js").Column<Source>>} */
  const columns = [
    { id: "name", label: t("apps.name"), width: "minmax(180px, 2fr)", narrow: true, cell: (source) => html`<span class="app-name"><span class="kind-icon"><${Icon} name=${kindIcon(source.kind)} size=${15} /></span><span class="clip">${source.name}<small>${source.kind} · ${source.namespace}</small></span></span>` },
    { id: "status", label: t("apps.status"), width: "minmax(120px, 1fr)", narrow: true, cell: (source) => html`<${Status} status=${source.status} />` },
    { id: "url", label: t("sources.url"), width: "minmax(180px, 3fr)", cell: (source) => html`<span class="clip mono" style=${{ display: "block" }}>${source.url}</span>` },
    { id: "revision", label: t("apps.revision"), width: "minmax(120px, 1fr)", wide: true, cell: (source) => html`<${Revision} revision=${source.fullRevision} />` },
    { id: "since", label: t("apps.since"), width: "120px", cell: (source) => html`<${Ago} at=${timeOf(source.since)} short />` },
  ];
  return html`<div class="page-head"><h1>${t("nav.sources")}</h1><span class="muted num">${t("sources.count", { n: shown.total })}</span></div>
    <div class="toolbar"><div class="search"><${Icon} name="search" size=${16} /><input class="input" type="search" value=${text} placeholder=${t("sources.search")} aria-label=${t("sources.search")} onInput=${(/** @type {any} */ event) => setQuery({ q: event.currentTarget.value })} /></div></div>
    ${shown.items.length === 0 ? html`<${Empty} icon="git-branch" title=${t("sources.none")}>${t("sources.none.what")}<//>` : html`<div class="card grow-sheet"><${Table} label=${t("nav.sources")} columns=${columns} total=${shown.items.length} at=${(/** @type {number} */ i) => shown.items[i]} id=${keyOf} row=${48} current=${chosen} onOpen=${(/** @type {Source} */ source) => setQuery({ source: keyOf(source) })} /></div>`}
    ${chosen && html`<${One} key=${chosen} id=${chosen} turn=${turn} />`}`;
}

/** @param {string} id @param {AbortSignal} abort @returns {Promise<{row: Source, text: string}>} */
async function opened(id, abort) {
  const { row, resource } = await call(pathOf(id), { signal: abort });
  return { row, text: await toYaml(resource) };
}

/** @param {{id: string, turn: number}} props */
function One({ id, turn }) {
  const { data, problem, again } = useLoaded(`${id} ${turn}`, (abort) => opened(id, abort));
  const close = () => setQuery({ source: null });
  /** @param {string} path @param {string} method @param {import("../i18n/i18n.js").Key} done */
  const act = async (path, method, done) => {
    try {
      await call(pathOf(id) + path, { method, ...(method === "DELETE" ? {} : { body: {} }) });
      say("good", t(done, { name: id }));
      again();
    } catch (error) {
      say("bad", t("sources.failed"), error instanceof Error ? error.message : String(error));
    }
  };
  const row = data?.row;
  const actions = row && html`<${Button} small icon="git-compare" href=${href(`/diff?source=${id}`)}>${t("sources.diff")}<//><${Button} small icon="refresh-cw" onClick=${() => act("/refresh", "POST", "sources.asked")}>${t("sources.fetch")}<//>
    ${row.suspended ? html`<${Button} small icon="play" onClick=${() => act("/suspension", "DELETE", "sources.resumed")}>${t("do.resume")}<//>` : html`<${Button} small icon="pause" onClick=${() => act("/suspension", "PUT", "sources.suspended")}>${t("do.suspend")}<//>`}`;
  return html`<${Panel} title=${id.split("/")[2] ?? id} label=${id} onClose=${close} actions=${actions}>
    ${problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : !row ? html`<${Waiting} />` : html`<div class="stack">
      <${Facts} rows=${[[t("apps.status"), html`<${Status} status=${row.status} />`], row.message && [t("facet.message"), row.message], [t("sources.url"), homeOf(row.url) ? html`<a class="mono" href=${homeOf(row.url)?.web} target="_blank" rel="noreferrer">${row.url}</a>` : html`<span class="mono">${row.url}</span>`], [t("apps.revision"), html`<${Revision} revision=${row.fullRevision} url=${commitUrl(row.url, commitOf(row.fullRevision)) || undefined} />`], [t("apps.since"), html`<${Ago} at=${timeOf(row.since)} />`]]} />
      <${Yaml} text=${data.text} name=${`${row.name}.yaml`} title=${t("sources.resource")} />
    </div>`}
  <//>`;
}
