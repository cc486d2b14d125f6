// How far a sync has come, turn by turn and object by object, while it runs; what failed, and what to do about it.
import { html } from "../lib/html.js";
import { t } from "../i18n/i18n.js";
import { changesOf, helpFor, idOfRef, refText, stepsOf, turnsOf } from "../lib/plan.js";
import { Notice, Waiting } from "../ui/basics.js";
import { Status, toneOf } from "../ui/status.js";
import { turnName } from "./plan.js";

/** @typedef {import("../lib/plan.js").Step} Step */

const SHOWN = 200;

/**
 * @param {{one: import("../live/app.js").OneApp, app: import("../live/app.js").App, asked: {dryRun: boolean}, end: {succeeded: boolean, message: string} | null, plan: {objects: import("../lib/plan.js").Planned[]} | null, onOpen: (id: string) => void}} props
 */
export function Progress({ one, app, asked, end, plan, onOpen }) {
  const rows = one.resource.value?.["status"]?.operationState?.syncResult?.resources ?? [];
  const objects = plan ? changesOf(/** @type {any} */ (plan)) : [];
  const steps = stepsOf(objects, end || !asked.dryRun ? rows : [], one.nodes.value ?? [], end !== null);
  const failed = steps.filter((step) => step.stage === "failed");
  const done = steps.filter((step) => step.stage === "done").length;
  const status = end ? (end.succeeded ? "Succeeded" : "Failed") : "Running";
  const other = rows.filter((/** @type {any} */ row) => row.status === "SyncFailed" && !steps.some((step) => step.planned.ref.kind === row.kind && step.planned.ref.name === row.name));
  return html`<div class="row wrap" role="status"><${Status} status=${status} large /><span class="muted">${asked.dryRun && end ? t("sync.tried") : end ? end.message : app.operation?.message || app.message}</span></div>
    ${end && !end.succeeded && html`<${Advice} message=${end.message || app.message} />`}
    ${!end && !objects.length && !plan && html`<${Waiting} rows=${4} />`}
    ${steps.length > 0 && html`<div class="act-bar" role="progressbar" aria-label=${t("sync.progress")} aria-valuemin="0" aria-valuemax=${steps.length} aria-valuenow=${done}><i class=${`tone-${failed.length ? "bad" : end ? "good" : "busy"}`} style=${{ width: `${(100 * done) / steps.length}%` }}></i></div><p class="muted num">${t("sync.done-of", { done, all: steps.length })}${failed.length > 0 && html` · <strong class="tone-bad status">${t("sync.failed-of", { n: failed.length })}</strong>`}</p>`}
    ${failed.slice(0, 8).map((step) => html`<${Trouble} key=${idOfRef(step.planned.ref)} step=${step} onOpen=${onOpen} />`)}
    ${other.map((/** @type {any} */ row) => html`<${Notice} tone="bad" key=${`${row.kind}/${row.name}`} title=${refText(row)}>${row.message}<//>`)}
    <${Turns} steps=${steps} onOpen=${onOpen} />`;
}

/** @param {{steps: readonly Step[], onOpen: (id: string) => void}} props */
function Turns({ steps, onOpen }) {
  const turns = turnsOf(steps.slice(0, SHOWN).map((step) => step.planned));
  const at = new Map(steps.map((step) => [idOfRef(step.planned.ref), step]));
  return html`<div class="act-plan">${turns.map((turn, i) => {
    const inside = turn.objects.map((planned) => /** @type {Step} */ (at.get(idOfRef(planned.ref))));
    const done = inside.filter((step) => step.stage === "done").length;
    return html`<section key=${i} aria-label=${turnName(turn)}>${turns.length > 1 && html`<h3 class="row"><span class="grow">${turnName(turn)}</span><span class="faint num">${t("sync.of", { done, all: inside.length })}</span></h3>`}
      <ul>${inside.map((step) => html`<li class="act-object" key=${idOfRef(step.planned.ref)}><button type="button" class="row" onClick=${() => onOpen(idOfRef(step.planned.ref))}><span class="act-status"><${Status} status=${step.status} /></span><span class="grow clip">${refText(step.planned.ref)}</span><span class="faint clip act-note">${step.stage === "done" ? "" : step.message}</span></button></li>`)}</ul>
    </section>`;
  })}${steps.length > SHOWN && html`<p class="faint">${t("story.more", { n: steps.length - SHOWN })}</p>`}</div>`;
}

/** @param {{step: Step, onOpen: (id: string) => void}} props */
const Trouble = ({ step, onOpen }) => html`<${Notice} tone=${toneOf(step.status)} title=${refText(step.planned.ref)} action=${html`<button type="button" class="btn small" onClick=${() => onOpen(idOfRef(step.planned.ref))}>${t("sync.look")}</button>`}>${step.message} <strong>${t("wrong.try")}</strong> ${t(/** @type {any} */ (`help.${helpFor(step.message)}`))}<//>`;

/** @param {{message: string}} props */
const Advice = ({ message }) => html`<${Notice} tone="bad" title=${t("wrong.try")}>${t(/** @type {any} */ (`help.${helpFor(message)}`))}<//>`;
