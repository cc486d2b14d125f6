// The audit log: who did what, when, from where, why, and what came of it; with what was before and after.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t, moment } from "../i18n/i18n.js";
import { query, setQuery } from "../lib/route.js";
import { address, call } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { timeOf } from "../live/apps.js";
import { useLoaded } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Empty, Facts, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { Panel } from "../ui/layers.js";
import { Table } from "../ui/table.js";
import { Diff } from "../ui/text.js";
import { Typing } from "../ui/typing.js";

/** @typedef {{id: string, at: string, actor: string, via: string, address: string, action: string, target: string, project: string, message: string, before: string, after: string, revision: string, result: string, reason: string, requestId: string, replica: string, hash: string, previous: string}} Entry */
/** @typedef {{items: Entry[], next: string, notes?: string[]}} AuditPage */

const PAGE = 100;
/** @type {Record<string, string>} */
const ICONS = { succeeded: "circle-check", refused: "shield-off", failed: "circle-alert" };
/** @type {Record<string, string>} */
const TONES = { succeeded: "good", refused: "warn", failed: "bad" };

/** @param {string} result */
const wordOf = (result) => (result === "succeeded" ? t("audit.succeeded") : result === "refused" ? t("audit.refused") : result === "failed" ? t("audit.failed") : result);

export function Page() {
  useTitle([{ label: t("nav.audit") }]);
  const text = query.value.get("q") ?? "";
  const result = query.value.get("result") ?? "";
  const chosen = query.value.get("entry");
  const [shown, setShown] = useState(/** @type {Entry[]} */ ([]));
  const [next, setNext] = useState("");
  const [after, setAfter] = useState("");
  const key = `${text}\n${result}`;
  useEffect(() => setAfter(""), [key]);
  const { data, problem, again, waiting } = useLoaded(`${key}\n${after}`, (abort) => /** @type {Promise<AuditPage>} */ (call("/audit", { query: { text, result, limit: PAGE, after }, signal: abort })));
  useEffect(() => {
    if (!data) return;
    setShown((was) => (after ? [...was.filter((one) => !data.items.some((other) => other.id === one.id)), ...data.items] : data.items));
    setNext(data.next);
  }, [data]);
  if (problem && !shown.length) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data && !shown.length) return html`<${Waiting} rows=${8} height=${22} />`;
  /** @type {Array<import("../ui/table.js").Column<Entry>>} */
  const columns = [
    { id: "at", label: t("audit.when"), width: "minmax(84px, 130px)", narrow: true, cell: (entry) => html`<${Ago} at=${timeOf(entry.at)} short />` },
    { id: "actor", label: t("audit.who"), width: "minmax(72px, 1fr)", narrow: true, cell: (entry) => html`<span class="clip">${entry.actor || t("audit.nobody")}</span>` },
    { id: "action", label: t("audit.what"), width: "minmax(96px, 1fr)", narrow: true, cell: (entry) => html`<span class="clip mono" style=${{ display: "block" }}>${entry.action}</span>` },
    { id: "target", label: t("audit.target"), width: "minmax(120px, 2fr)", cell: (entry) => html`<span class="clip" style=${{ display: "block" }}>${entry.target}</span>` },
    { id: "message", label: t("facet.message"), width: "minmax(100px, 2fr)", wide: true, cell: (entry) => html`<span class="clip" style=${{ display: "block" }} title=${entry.message}>${entry.message}</span>` },
    { id: "result", label: t("audit.result"), width: "130px", cell: (entry) => html`<${Result} result=${entry.result} />` },
  ];
  return html`<div class="page-head"><h1>${t("nav.audit")}</h1><span class="grow"></span><${Button} small icon="download" href=${address("/audit/export", { text, result })} title=${t("audit.export.what")} download>${t("audit.export")}<//>${next && html`<${Button} small icon="chevron-down" disabled=${waiting} onClick=${() => setAfter(next)}>${t("audit.older")}<//>`}</div>
    <div class="toolbar">
      <div class="search"><${Icon} name="search" size=${16} /><${Typing} type="search" shown=${text} placeholder=${t("audit.search")} aria-label=${t("audit.search")} tell=${(/** @type {string} */ said) => setQuery({ q: said })} /></div>
      <select class="input" aria-label=${t("audit.result")} value=${result} onChange=${(/** @type {any} */ event) => setQuery({ result: event.currentTarget.value })}>
        <option value="">${t("audit.any")}</option>${["succeeded", "refused", "failed"].map((one) => html`<option key=${one} value=${one}>${wordOf(one)}</option>`)}
      </select>
    </div>
    ${(data?.notes ?? []).map((/** @type {string} */ note) => html`<${Notice} key=${note} tone="warn" title=${t("audit.missing")}>${note}<//>`)}
    ${shown.length === 0 ? html`<${Empty} icon="scroll-text" title=${t("audit.none")}>${t("audit.none.what")}<//>` : html`<div class="card grow-sheet"><${Table} label=${t("nav.audit")} columns=${columns} total=${shown.length} at=${(/** @type {number} */ i) => shown[i]} id=${(/** @type {Entry} */ entry) => entry.id} row=${44} current=${chosen} onOpen=${(/** @type {Entry} */ entry) => setQuery({ entry: entry.id })} /></div>`}
    ${chosen && html`<${One} key=${chosen} id=${chosen} />`}`;
}

/** @param {{result: string}} props */
const Result = ({ result }) => html`<span class=${`status tone-${TONES[result] ?? "none"}`}><${Icon} name=${ICONS[result] ?? "info"} size=${15} /><span>${wordOf(result)}</span></span>`;

/** @param {string} id @param {AbortSignal} abort @returns {Promise<{entry: Entry, before: string, after: string}>} */
async function opened(id, abort) {
  /** @type {Entry} */ const entry = await call(`/audit/${encodeURIComponent(id)}`, { signal: abort });
  /** @param {string} text */
  const read = async (text) => {
    try {
      return text ? await toYaml(JSON.parse(text)) : "";
    } catch {
      return text;
    }
  };
  return { entry, before: await read(entry.before), after: await read(entry.after) };
}

/** @param {{id: string}} props */
function One({ id }) {
  const { data, problem, again } = useLoaded(id, (abort) => opened(id, abort));
  const entry = data?.entry;
  return html`<${Panel} title=${entry?.action ?? ""} label=${id} onClose=${() => setQuery({ entry: null })}>
    ${problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : !entry ? html`<${Waiting} />` : html`<div class="stack">
      <${Facts} rows=${[
        [t("audit.result"), html`<${Result} result=${entry.result} />`],
        [t("audit.when"), moment(Date.parse(entry.at))],
        [t("audit.who"), `${entry.actor || t("audit.nobody")} (${entry.via})`],
        entry.address && [t("audit.from"), entry.address],
        entry.target && [t("audit.target"), entry.target],
        entry.message && [t("facet.message"), entry.message],
        entry.reason && [t("audit.reason"), entry.reason],
        entry.revision && [t("facet.revision"), html`<span class="mono">${entry.revision}</span>`],
        [t("audit.id"), html`<span class="mono">${entry.id}</span>`],
        [t("audit.hash"), html`<span class="mono clip" title=${entry.hash}>${entry.hash.slice(0, 16)}…</span>`],
      ]} />
      ${(data.before || data.after) && html`<${Diff} before=${data.before} after=${data.after} title=${t("audit.change")} label=${t("audit.change")} />`}
    </div>`}
  <//>`;
}
