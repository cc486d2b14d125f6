// The first steps: a small sheet beside every page of `trueup up`. It says what to do, watches for it, and says why it went so.
import { html, cls } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { href } from "../lib/route.js";
import { quoted } from "../lib/shell.js";
import { STEPS, doneSteps, otherCount, proof } from "../lib/tour.js";
import { pageOf } from "../live/apps.js";
import { SAMPLE, Watch, local, show, tour } from "../live/tour.js";
import { Button, Notice, Waiting, shortRevision } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { say } from "../ui/layers.js";
import { Shape } from "../ui/status.js";
import { copy } from "../ui/text.js";

/** @typedef {import("../lib/tour.js").Row} Row */
/** @typedef {import("../lib/tour.js").Step} Step */
/** @typedef {import("../lib/tour.js").Proof} Proof */

const MEDDLED = 9; // replicas that somebody in a hurry would set
const PRINCIPLES = /** @type {const} */ (["declarative", "versioned", "pulled", "reconciled"]);
/** Which principles a step shows. @type {Record<Step, ReadonlyArray<typeof PRINCIPLES[number]>>} */
const SHOWN = { change: ["declarative", "versioned", "pulled"], break: ["reconciled"], revert: ["versioned"] };
/** @type {Record<Step, string>} */
const ICONS = { change: "git-commit-horizontal", break: "zap", revert: "undo-2" };

export function Tour() {
  const [watch, setWatch] = useState(/** @type {Watch | null} */ (null));
  const begun = tour.value.of;
  const isAnew = begun === "";
  useEffect(() => {
    const opened = new Watch();
    setWatch(opened);
    return () => opened.close();
  }, [isAnew]);
  if (!watch) return null;
  const rows = watch.rows.value;
  const found = proof(rows ?? [], tour.value.after);
  const done = doneSteps(found);
  const count = STEPS.filter((step) => done[step]).length;
  if (tour.value.shown === "folded") return html`<button type="button" class="tour-pill" onClick=${() => show("open")} aria-label=${t("tour.open")}><${Icon} name="map" /><span>${t("tour.title")}</span><span class="count">${count}/${STEPS.length}</span></button>`;
  const skip = () => {
    show("away");
    say("busy", t("tour.skipped"));
  };
  const progress = t("tour.of", { done: count, all: STEPS.length });
  return html`<aside class="tour" aria-label=${t("tour.title")}>
    <header><${Icon} name="map" size=${18} /><h2 class="grow">${t("tour.title")}</h2><span class="faint num" role="status">${progress}</span><${Button} kind="quiet" small icon="chevron-down" label=${t("tour.fold")} onClick=${() => show("folded")} /><${Button} kind="quiet" small icon="x" label=${t("tour.skip")} onClick=${skip} /></header>
    <div class="shares" aria-hidden="true">${count > 0 && html`<i class="tone-good" style=${{ flexGrow: count }}></i>`}<span style=${{ flexGrow: STEPS.length - count }}></span></div>
    <div class="body">${tour.value.shown === "new" ? html`<${Welcome} onSkip=${skip} />` : html`<${Steps} watch=${watch} found=${found} done=${done} />`}</div>
  </aside>`;
}

/** @param {{onSkip: () => void}} props */
const Welcome = ({ onSkip }) => html`<p>${t("tour.welcome")}</p><div class="row"><${Button} kind="primary" onClick=${() => show("open")}>${t("tour.begin")}<//><${Button} kind="quiet" onClick=${onSkip}>${t("tour.later")}<//></div>`;

/** @param {{watch: Watch, found: Proof, done: Record<Step, boolean>}} props */
function Steps({ watch, found, done }) {
  const problem = watch.problem.value;
  const now = STEPS.find((step) => !done[step]) ?? null;
  const [picked, setPicked] = useState(/** @type {Step | null | ""} */ (null));
  const isRead = watch.rows.value !== null;
  // What was done while one looked stays open with its reasons, until one goes on.
  useEffect(() => {
    if (isRead) setPicked((was) => was ?? now ?? "");
  }, [isRead]);
  const open = picked ?? now;
  if (problem === "missing") return html`<${Notice} tone="warn">${t("tour.missing")}<//>`;
  if (!watch.rows.value) return problem ? html`<${Notice} tone="warn">${t(problem === "unreachable" ? "tour.unreachable" : "tour.waiting")}<//>` : html`<${Waiting} rows=${3} />`;
  return html`${problem === "unreachable" && html`<${Notice} tone="warn">${t("tour.unreachable")}<//>`}
    <ol class="tour-steps">${STEPS.map((step, i) => html`<li key=${step} class=${cls(done[step] && "done", open === step && "open")} aria-current=${step === now ? "step" : undefined}>
      <button type="button" class="tour-step" aria-expanded=${String(open === step)} onClick=${() => setPicked(open === step ? "" : step)}>
        <span class=${cls("tour-mark", done[step] && "tone-good")}>${done[step] ? html`<${Shape} status="Ready" size=${20} />` : i + 1}</span><strong class="grow">${t(`tour.${step}`)}</strong><${Icon} name=${ICONS[step]} class="faint" />
      </button>
      ${open === step && html`<div class="stack">
        ${!done[step] && html`<${Doing} step=${step} watch=${watch} />`}
        ${found.refused && step === now && step !== "break" && html`<${Notice} tone="bad" title=${t("tour.refused")}>${found.refused.message} ${t("tour.refused.hint")}<//>`}
        <${Seen} step=${step} watch=${watch} found=${found} isDone=${done[step]} />
        ${done[step] && html`<${Why} step=${step} />`}
        ${done[step] && now && html`<div><${Button} kind="primary" onClick=${() => setPicked(now)}>${t("tour.next", { step: t(`tour.${now}`) })}<//></div>`}
      </div>`}
    </li>`)}</ol>
    ${!now && html`<${End} />`}
    ${now && html`<a class="tour-watch" href=${href(pageOf(SAMPLE))}><${Icon} name="eye" size=${14} />${t("tour.watch")}</a>`}`;
}

/** What to do, with the commands of this machine. @param {{step: Step, watch: Watch}} props */
function Doing({ step, watch }) {
  const here = local.value;
  if (!here) return null;
  if (step === "break") return html`<${Break} watch=${watch} />`;
  const now = watch.web.value?.wanted ?? null;
  const next = otherCount(now);
  const push = 'git push';
  if (step === "revert") return html`<p>${t("tour.revert.what")}</p><${Commands} lines=${[`git revert --no-edit HEAD && ${push}`]} />`;
  const lines = [`git clone ${quoted(here.repository)} && cd sample`, `sed -i.bak 's/count: .*/count: ${next}/' apps/web/overlays/dev/kustomization.yaml`, `git commit -am "${next} replicas for dev" && ${push}`];
  return html`<p>${t("tour.change.what", { now: now ?? 2, next })}</p><${Commands} lines=${lines} /><p class="faint">${t("tour.cloned")}</p>`;
}

/** @param {{watch: Watch}} props */
function Break({ watch }) {
  const [busy, setBusy] = useState(false);
  const here = local.value;
  const meddle = async () => {
    setBusy(true);
    try {
      await watch.meddle(MEDDLED);
    } catch (error) {
      say("bad", t("tour.break.failed"), error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return html`<p>${t("tour.break.what", { n: MEDDLED })}</p>
    ${here?.kubectl && html`<${Commands} lines=${[`export KUBECONFIG=${quoted(here.kubeconfig)}`, `kubectl -n web-dev scale deployment/web --replicas=${MEDDLED}`]} />`}
    <p>${t(here?.kubectl ? "tour.break.or" : "tour.break.without")}</p>
    <div><${Button} icon="zap" disabled=${busy} onClick=${meddle}>${t("tour.break.do", { n: MEDDLED })}<//></div>`;
}

/** @param {{lines: string[]}} props */
const Commands = ({ lines }) => html`<div class="tour-commands"><span class="faint">${t("tour.terminal")}</span><${Button} kind="quiet" small icon="copy" label=${t("tour.copy")} onClick=${() => copy(lines.join("\n") + "\n")} />
  <pre class="code" tabindex="0" role="region" aria-label=${t("tour.terminal")}>${lines.join("\n")}</pre></div>`;

/** What was seen of it so far. @param {{step: Step, watch: Watch, found: Proof, isDone: boolean}} props */
function Seen({ step, watch, found, isDone }) {
  const row = step === "change" ? found.changed : step === "revert" ? found.reverted : null;
  const web = watch.web.value;
  const arrived = watch.app.value?.fullRevision ?? "";
  const isOther = Boolean(tour.value.revision) && arrived !== tour.value.revision;
  /** @type {Array<[boolean, any]>} */ const seen = [];
  if (step === "break") {
    if (found.drift) seen.push(...fieldsOf(found.drift).map((field) => /** @type {[boolean, any]} */ ([true, t("tour.seen.drift", { object: field.object, path: field.path, live: field.before, declared: field.after })])));
    if (found.healed) seen.push([true, t("tour.seen.healed", { s: Math.max(0.01, Math.round(found.healed.took * 100) / 100) })]);
    else seen.push([false, t(found.drift ? "tour.break.healing" : "tour.break.wait")]);
  } else if (row) {
    seen.push([true, t("tour.seen.commit", { commit: commitOf(row.revision) })], ...fieldsOf(row).map((field) => /** @type {[boolean, any]} */ ([true, t("tour.seen.field", field)])));
    const isCurrent = row.revision === arrived;
    if (isCurrent && web?.wanted) seen.push([web.ready === web.wanted, t("tour.seen.pods", { ready: web.ready ?? 0, wanted: web.wanted })]);
  } else if (step === "change" && isOther && !found.refused) seen.push([false, t("tour.change.nothing", { commit: commitOf(arrived) })]);
  else seen.push([false, t(step === "change" ? "tour.change.wait" : "tour.revert.wait")]);
  return html`<div role="status"><ul class="tour-seen">${seen.map(([isSeen, text], i) => html`<li key=${i} class=${isSeen ? "status tone-good" : "status tone-busy"}><${Shape} status=${isSeen ? "Ready" : isDone ? "Progressing" : "Waiting"} size=${14} /><span>${text}</span></li>`)}</ul></div>`;
}

/** @param {string} revision */
const commitOf = (revision) => shortRevision(revision).split("@").pop() ?? revision;
/** @param {Row} row */
const fieldsOf = (row) => row.changes.flatMap((change) => change.fields.map((field) => ({ object: `${change.ref.kind}/${change.ref.name}`, path: field.path, before: field.before, after: field.after }))).slice(0, 3);

/** @param {{step: Step}} props */
const Why = ({ step }) => html`<section class="tour-why"><h3>${t("tour.why")}</h3><p>${t(`tour.${step}.why`)}</p><dl>${SHOWN[step].map((name) => html`<div key=${name}><dt>${t(`tour.p.${name}`)}</dt><dd>${t(`tour.p.${name}.what`)}</dd></div>`)}</dl></section>`;

const End = () => html`<${Notice} tone="good" title=${t("tour.end")}><ul class="plain">${PRINCIPLES.map((name) => html`<li key=${name}>${t(`tour.p.${name}`)}</li>`)}</ul><//>
  <div class="row wrap"><${Button} href=${href(`${pageOf(SAMPLE)}?view=history`)} icon="rotate-ccw-clock">${t("tour.end.history")}<//><${Button} kind="primary" onClick=${() => show("away")}>${t("tour.finish")}<//></div>`;
