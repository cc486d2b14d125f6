// Two moments of an App beside each other: what came, what went, what is another, and what nobody can tell.
import { html } from "../lib/html.js";
import { useMemo, useState } from "preact/hooks";
import { moment, number, t, tx, word } from "../i18n/i18n.js";
import { query, setQuery } from "../lib/route.js";
import { toYaml } from "../live/app.js";
import { pairs, recorded, refId, refText } from "../live/past.js";
import { useLoaded } from "../live/resource.js";
import { Button, Chip, Empty, Field, Notice, Revision, Waiting, Wrong, shortRevision } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Diff } from "../ui/text.js";

/** @typedef {import("../live/past.js").Row} Row @typedef {import("../live/past.js").Pair} Pair */

const OPENED = 6;

/** @param {{path: string, rows: readonly Row[], at: string | null}} props */
export function CompareView({ path, rows, at }) {
  const syncs = useMemo(() => rows.filter((row) => row.kind === "sync"), [rows]);
  const to = query.value.get("to") || null;
  const first = at ?? syncs[1]?.at ?? syncs[0]?.at ?? null;
  const { data, problem, again } = useLoaded(first || to ? `${path} ${first} ${to}` : null, (abort) => pairs(path, first, to, abort));
  return html`<section class="card" aria-label=${t("past.compare")}><div class="body stack">
      <div class="row wrap sides"><${Side} label=${t("compare.first")} rows=${syncs} at=${first} onPick=${(/** @type {string | null} */ value) => setQuery({ at: value, moment: null })} /><${Icon} name="arrow-right" /><${Side} label=${t("compare.second")} rows=${syncs} at=${to} now onPick=${(/** @type {string | null} */ value) => setQuery({ to: value })} /><${Button} small icon="refresh-cw" disabled=${!first || !to} onClick=${() => setQuery({ at: to, to: first, moment: null })}>${t("compare.swap")}<//></div>
      ${data && html`<div class="row wrap"><span>${tx("compare.says", { n: data.items.length, equal: number(data.equal) })}</span>${data.before && data.after && data.before.revision !== data.after.revision && html`<${Revision} revision=${data.before.revision} /><${Icon} name="arrow-right" size=${14} /><${Revision} revision=${data.after.revision} />`}</div>`}
    </div></section>
    ${!first ? html`<${Empty} icon="git-compare" title=${t("compare.none")} />` : problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : !data ? html`<${Waiting} rows=${8} />` : !data.items.length ? html`<${Empty} icon="circle-check" title=${t("compare.equal")}>${t("compare.equal.hint")}<//>` : data.items.map((pair, i) => html`<${One} key=${`${refId(pair.ref)} ${pair.before} ${pair.after}`} path=${path} pair=${pair} open=${i < OPENED} />`)}`;
}

/** @param {{label: string, rows: readonly Row[], at: string | null, now?: boolean, onPick: (at: string | null) => void}} props */
function Side({ label, rows, at, now, onPick }) {
  const known = rows.some((row) => row.at === at);
  return html`<${Field} label=${label}>${(/** @type {any} */ attributes) => html`<select class="input" value=${at ?? ""} onChange=${(/** @type {any} */ event) => onPick(event.currentTarget.value || null)} ...${attributes}>
    ${now && html`<option value="">${t("then.now")}</option>`}
    ${at && !known && html`<option value=${at}>${moment(Date.parse(at))}</option>`}
    ${rows.map((row) => html`<option key=${row.id} value=${row.at}>${[moment(Date.parse(row.at)), row.revision && shortRevision(row.revision)].filter(Boolean).join(" · ")}</option>`)}
  </select>`}<//>`;
}

/** @param {{path: string, pair: Pair, open: boolean}} props */
function One({ path, pair, open }) {
  const [isOpen, setOpen] = useState(open);
  const able = isOpen && (pair.before > 0 || pair.after > 0);
  const { data, problem, again } = useLoaded(able ? `${refId(pair.ref)} ${pair.before} ${pair.after}` : null, async (abort) => {
    const of = async (/** @type {number} */ record) => (record ? toYaml(await recorded(path, record, pair.ref, abort).then((found) => found.desired ?? found.applied)) : "");
    const [before, after] = await Promise.all([of(pair.before), of(pair.after)]);
    return { before, after };
  });
  const title = html`<${Icon} name=${kindIcon(pair.ref.kind)} size=${15} /><span class="clip">${refText(pair.ref)}</span><${Chip}>${word("pair", pair.action)}<//>`;
  if (!isOpen) return html`<button type="button" class="card pair" aria-expanded="false" onClick=${() => setOpen(true)}><span class="row">${title}<${Icon} name="chevron-down" size=${15} /></span></button>`;
  if (!able) return html`<section class="card"><header><h3 class="row">${title}</h3></header><div class="body"><${Notice} tone="none">${t("compare.unrecorded")}<//></div></section>`;
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${5} />`;
  return html`${pair.action === "unknown" && html`<${Notice} tone="warn">${t("compare.unknown")}<//>`}<${Diff} before=${data.before} after=${data.after} title=${title} label=${refText(pair.ref)} names=${[t("compare.first"), t("compare.second")]} />`;
}
