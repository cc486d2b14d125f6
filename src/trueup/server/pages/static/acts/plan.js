// A plan as people read it: what would be made, changed, deleted, restarted; turn by turn, each object's fields to open.
import { html, cls } from "../lib/html.js";
import { useMemo, useState } from "preact/hooks";
import { t, word } from "../i18n/i18n.js";
import { changesOf, deletedOf, holdsData, idOfRef, isIdle, refText, restartedOf, turnsOf } from "../lib/plan.js";
import { Ago, Button, Chip, Notice, Revision } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { timeOf } from "../live/apps.js";
import { ReleaseStep } from "./release.js";

/** @typedef {import("../lib/plan.js").Plan} Plan */
/** @typedef {import("../lib/plan.js").Planned} Planned */

const SHOWN = 150;
/** @type {Record<string, [string, string]>} action -> tone, sign */
const SIGNS = { created: ["good", "plus"], configured: ["busy", "pencil"], pruned: ["bad", "trash"], recreated: ["bad", "refresh-cw"], failed: ["bad", "circle-alert"], skipped: ["idle", "minus"], unchanged: ["none", "check"] };

/** @param {{action: string}} props */
export function ActionSign({ action }) {
  const [tone, sign] = SIGNS[action] ?? ["none", "info"];
  return html`<span class=${`status act-sign tone-${tone}`}><${Icon} name=${sign} size=${14} /><span>${word("action", action)}</span></span>`;
}

/** What it comes to, in a few words. @param {{plan: Plan, objects?: readonly Planned[]}} props */
export function PlanSummary({ plan, objects = changesOf(plan) }) {
  const counts = new Map(objects.map((one) => [one.action, 0]));
  for (const one of objects) counts.set(one.action, (counts.get(one.action) ?? 0) + 1);
  const restarted = restartedOf(objects);
  return html`<span class="row wrap act-summary">
    ${!objects.length && html`<strong>${t(isIdle(plan) ? "plan.nothing" : "plan.no-object")}</strong>`}
    ${[...counts].map(([action, n]) => html`<${Chip} key=${action}>${`${n} ${word("action", action)}`}<//>`)}
    ${restarted.length > 0 && html`<${Chip} icon="refresh-cw" title=${restarted.map((one) => refText(one.ref)).join(", ")}>${t("plan.restarts", { n: restarted.length })}<//>`}
  </span>`;
}

/** @param {{plan: Plan}} props */
export const PlanRevision = ({ plan }) => html`<p class="row wrap muted"><${Revision} revision=${plan.fullRevision || plan.revision} />${plan.commit && html`<span class="clip">“${plan.commit.message.split("\n")[0]}”</span><span>${plan.commit.author}</span><${Ago} at=${timeOf(plan.commit.at)} short />`}</p>`;

/** What goes, loudly: data does not come back with Git. @param {{objects: readonly Planned[]}} props */
export function Losses({ objects }) {
  const gone = deletedOf(objects);
  if (!gone.length) return null;
  const data = gone.filter((one) => holdsData(one.ref));
  return html`<${Notice} tone="bad" icon="trash" title=${`${t("plan.deletes", { n: gone.length })}:`}>${gone.slice(0, 6).map((one) => refText(one.ref)).join(", ")}${gone.length > 6 && ` ${t("story.more", { n: gone.length - 6 })}`}. ${data.length > 0 && html`<strong>${t("plan.data", { names: data.map((one) => refText(one.ref)).join(", ") })}</strong>`}<//>`;
}

/** Whether somebody agreed to these deletions, and to no others: a plan that is made anew asks again. @param {readonly Planned[]} losses @returns {[boolean, (on: boolean) => void]} */
export function useSure(losses) {
  const [agreed, setAgreed] = useState("");
  const what = losses.map((one) => `${one.action} ${idOfRef(one.ref)}`).join("\n");
  return [what !== "" && agreed === what, (on) => setAgreed(on ? what : "")];
}

/**
 * @param {{plan: Plan, picked?: ReadonlySet<string> | null, onPick?: ((ids: Set<string>) => void) | null}} props `picked` null: all of them
 */
export function PlanList({ plan, picked = null, onPick = null }) {
  const [quiet, setQuiet] = useState(false);
  const changes = useMemo(() => changesOf(plan), [plan]);
  const rest = plan.objects.length - changes.length;
  const objects = quiet ? plan.objects : changes;
  const turns = useMemo(() => turnsOf(objects.slice(0, SHOWN)), [objects]);
  const several = turns.length > 1;
  const has = (/** @type {string} */ id) => picked === null || picked.has(id);
  const pick = (/** @type {readonly Planned[]} */ some, /** @type {boolean} */ on) => {
    const next = new Set(picked ?? plan.objects.map((one) => idOfRef(one.ref)));
    for (const one of some) on ? next.add(idOfRef(one.ref)) : next.delete(idOfRef(one.ref));
    onPick?.(next);
  };
  const box = (/** @type {readonly Planned[]} */ some, /** @type {string} */ label) => onPick && html`<span class="check"><input type="checkbox" aria-label=${label} checked=${some.some((one) => has(idOfRef(one.ref)))} onChange=${(/** @type {any} */ event) => pick(some, event.currentTarget.checked)} /></span>`;
  return html`<div class="act-plan">
    ${plan.release && html`<${ReleaseStep} release=${plan.release} />`}
    ${turns.map((turn, i) => html`<section key=${i} aria-label=${turnName(turn)}>
      ${several && html`<h3 class="row act-turn">${box(turn.objects, turnName(turn))}<span>${turnName(turn)}</span></h3>`}
      <ul>${turn.objects.map((one) => html`<${Row} key=${idOfRef(one.ref)} one=${one} box=${box([one], refText(one.ref))} />`)}</ul>
    </section>`)}
    ${objects.length > SHOWN && html`<p class="faint">${t("story.more", { n: objects.length - SHOWN })}</p>`}
    ${rest > 0 && html`<${Button} kind="quiet" small icon=${quiet ? "chevron-up" : "chevron-down"} onClick=${() => setQuiet(!quiet)}>${quiet ? t("plan.hide") : t("plan.rest", { n: rest })}<//>`}
    ${plan.hooks.length > 0 && html`<section><h3>${t("plan.hooks")}</h3><ul>${plan.hooks.map((one) => html`<li class="act-object" key=${`${idOfRef(one.ref)}${one.hook}`}><span class="row"><${Icon} name="zap" size=${14} /><span class="grow clip">${refText(one.ref)}</span>${one.wave !== 0 && html`<span class="faint num">${t("plan.weight", { n: one.wave })}</span>`}<${Chip} title=${one.hook.join(", ")}>${one.hook.map((at) => word("hook", at)).join(", ")}<//></span></li>`)}</ul></section>`}
    ${plan.notices.map((notice) => html`<p class="faint" key=${notice}>${notice}</p>`)}
  </div>`;
}

const capital = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {import("../lib/plan.js").Turn} turn */
export const turnName = (turn) => (turn.phase === "prune" ? t("plan.phase.prune") : [turn.phase && turn.phase !== "Sync" ? capital(word("hook", turn.phase)) : "", turn.wave ? t("plan.wave", { n: turn.wave }) : turn.phase && turn.phase !== "Sync" ? "" : t("plan.wave", { n: 0 })].filter(Boolean).join(" · "));

/** @param {{one: Planned, box: any}} props */
function Row({ one, box }) {
  const [open, setOpen] = useState(false);
  const has = one.fields.length > 0 || one.message;
  return html`<li class="act-object">
    <div class="row">${box}<button type="button" class="grow row" aria-expanded=${has ? String(open) : undefined} disabled=${!has} onClick=${() => setOpen(!open)}>
      <${ActionSign} action=${one.action} /><${Icon} name=${kindIcon(one.ref.kind)} size=${14} /><span class="grow clip">${refText(one.ref)}</span>
      ${one.fields.length > 0 && html`<span class="faint num">${t("plan.fields", { n: one.fields.length })}</span>`}
      ${has && html`<${Icon} name=${open ? "chevron-up" : "chevron-down"} size=${14} />`}
    </button></div>
    ${open && html`<div class="act-fields">${one.message && html`<p>${one.message}</p>`}${one.origin && html`<p class="faint">${one.origin}</p>`}
      ${one.fields.slice(0, 40).map((field) => html`<div class="field-change" key=${field.path}><code>${field.path}</code><span class=${cls("code")}>${field.before && html`<del>${field.before}</del> `}${field.after && html`<ins>${field.after}</ins>`}</span></div>`)}</div>`}
  </li>`;
}
