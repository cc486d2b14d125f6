// The sync panel: the plan before anything runs, what may be asked for in a phrase each, then how far it has come, and what to do about what failed.
import { html } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { changesOf, deletedOf, endOf, idOfRef } from "../lib/plan.js";
import { call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Button, Check, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog } from "../ui/layers.js";
import { Failed, MayNot, useDoing } from "./doing.js";
import { Losses, PlanList, PlanRevision, PlanSummary, useSure } from "./plan.js";
import { Progress } from "./progress.js";

/** @typedef {import("../live/app.js").OneApp} OneApp */
/** @typedef {import("../live/app.js").App} App */
/** @typedef {import("../lib/plan.js").Plan} Plan */
/** @typedef {{prune: boolean | null, dryRun: boolean, force: boolean, hooks: boolean, retries: string, options: ReadonlySet<string>, message: string}} Wish */

/** @type {Wish} */
const PLAIN = { prune: null, dryRun: false, force: false, hooks: true, retries: "", options: new Set(), message: "" };
/** What Argo CD's syncs may be told for one time alone; the phrases are in the catalogues. */
const OPTIONS = ["ApplyOutOfSyncOnly=true", "CreateNamespace=true", "PruneLast=true", "Replace=true", "RespectIgnoreDifferences=true", "FailOnSharedResource=true", "SkipDryRunOnMissingResource=true", "Validate=false"];

/** @param {{one: OneApp, app: App, rights: import("../live/rights.js").Rights | null, onClose: () => void, onOpen: (id: string) => void, onPin: (revision: string) => void}} props */
export function SyncPanel({ one, app, rights, onClose, onOpen, onPin }) {
  const isArgo = app.dialect === "argocd";
  const isRunning = app.operation?.phase === "Running" || (!isArgo && app.status === "Progressing");
  const [asked, setAsked] = useState(/** @type {{token: string, version: string, dryRun: boolean, objects: import("../lib/plan.js").Planned[] | null} | null} */ (isRunning ? { token: "", version: "0", dryRun: false, objects: null } : null));
  const [wish, setWish] = useState(PLAIN);
  const [typed, setTyped] = useState("");
  const [revision, setRevision] = useState("");
  const [picked, setPicked] = useState(/** @type {Set<string> | null} */ (null));
  const doing = useDoing();
  useEffect(() => {
    const timer = setTimeout(() => setRevision(typed.trim()), 500);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data: plan, problem, waiting, again } = useLoaded(`${revision}|${wish.prune}|${app.fullRevision}|${asked ? "ran" : ""}`, (abort) => /** @type {Promise<Plan>} */ (call(`${one.path}/plan`, { query: { revision, prune: wish.prune }, signal: abort })));
  const set = (/** @type {Partial<Wish>} */ change) => {
    setWish((was) => ({ ...was, ...change }));
  };
  const chosen = useMemo(() => (plan ? changesOf(plan).filter((object) => picked === null || picked.has(idOfRef(object.ref))) : []), [plan, picked]);
  const losses = wish.dryRun ? [] : deletedOf(chosen);
  const [sure, setSure] = useSure(losses);
  const may = rights?.may.includes("sync") ?? true;
  const toPin = !isArgo && revision !== "";
  const ready = may && (!app.suspended || toPin) && plan !== null && problem === null && !waiting && typed.trim() === revision && (losses.length === 0 || sure) && (picked === null || chosen.length > 0);
  // Whoever only wanted to sync presses Enter once the plan is read: the button has the focus as soon as it can be pressed, not when
  // somebody has gone on to another place with the Tab key.
  useLayoutEffect(() => {
    const focused = document.activeElement;
    if (ready && !asked && !(focused instanceof HTMLInputElement)) /** @type {HTMLElement | null} */ (document.querySelector(".dialog > footer .primary"))?.focus();
  }, [ready, asked]);
  const start = () =>
    toPin
      ? onPin(plan?.fullRevision ?? revision)
      : doing.run(async () => {
          const body = isArgo ? bodyOf(wish, revision, picked === null || !plan ? null : plan.objects.filter((object) => picked.has(idOfRef(object.ref)))) : { message: wish.message };
          const answer = await one.sync(body);
          setAsked({ ...answer, dryRun: wish.dryRun, objects: chosen });
        });
  if (asked) {
    const end = endOf(one.resource.value, asked, app.status);
    return html`<${Dialog} wide title=${t("sync.title", { name: app.name })} onClose=${onClose} footer=${html`<span class="grow faint">${!end && t("sync.goes-on")}</span>
        ${end || !isArgo ? html`<${Button} icon="arrow-left" onClick=${() => [setAsked(null), again()]}>${end ? t("sync.again") : t("sync.plan")}<//>` : may && html`<${Terminate} one=${one} />`}
        <${Button} kind="primary" onClick=${onClose}>${t("do.close")}<//>`}>
      <${Progress} one=${one} app=${app} asked=${asked} end=${end} plan=${asked.objects ? { objects: asked.objects } : plan} onOpen=${(/** @type {string} */ id) => [onClose(), onOpen(id)]} />
    <//>`;
  }
  const label = toPin ? t("sync.pin") : wish.dryRun ? t("sync.try") : chosen.length && picked !== null ? t("sync.some", { n: chosen.length }) : t("sync.now");
  return html`<${Dialog} wide first="footer .btn" title=${t("sync.title", { name: app.name })} onClose=${onClose} footer=${html`<span class="grow faint clip">${waiting && plan ? t("wait.loading") : ""}</span><${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="primary" icon=${toPin ? "lock" : "refresh-cw"} disabled=${!ready || doing.busy} onClick=${start}>${label}<//>`}>
    ${!may && rights && html`<${MayNot} rights=${rights} action="sync" what=${t("sync.may-not")} />`}
    ${app.suspended && html`<${Notice} tone="idle" title=${t("sync.suspended")}>${t("sync.suspended.hint")}<//>`}
    ${app.pinned && html`<${Notice} tone="warn" icon="lock" title=${t("sync.pinned")}>${t("sync.pinned.hint")}<//>`}
    <${Failed} problem=${doing.problem} />
    <section class="stack" aria-label=${t("plan.title")} aria-busy=${String(waiting)}>
      <h3>${t("plan.title")}</h3>
      ${problem && (!plan || problem.details.status !== 0) ? html`<${Wrong} problem=${problem} again=${again} />` : !plan ? html`<${Waiting} rows=${5} />` : html`<${PlanRevision} plan=${plan} /><${PlanSummary} plan=${plan} objects=${chosen} /><${PlanList} plan=${plan} picked=${picked} onPick=${isArgo ? setPicked : null} />`}
    </section>
    ${losses.length > 0 && html`<${Losses} objects=${losses} /><${Check} checked=${sure} onChange=${setSure}>${t("sync.sure", { n: losses.length })}<//>`}
    <${Field} label=${t("sync.revision")} help=${isArgo ? t("sync.revision.help") : t("sync.revision.pins")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input mono" placeholder=${app.source.target || t("sync.revision.now")} autocomplete="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ event) => [setPicked(null), setTyped(event.currentTarget.value)]} />`}<//>
    ${isArgo ? html`<${Options} wish=${wish} set=${set} app=${app} />` : html`<p class="muted">${t("sync.flux", { kind: app.kind })}</p>`}
    <${Field} label=${t("sync.message")} help=${t("sync.message.help")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" value=${wish.message} maxlength="200" onInput=${(/** @type {any} */ event) => set({ message: event.currentTarget.value })} />`}<//>
  <//>`;
}

/** As the API takes it. @param {Wish} wish @param {string} revision @param {readonly import("../lib/plan.js").Planned[] | null} objects */
function bodyOf(wish, revision, objects) {
  return {
    ...(revision ? { revision } : {}),
    ...(wish.prune === null ? {} : { prune: wish.prune }),
    ...(wish.dryRun ? { dryRun: true } : {}),
    ...(wish.force ? { force: true } : {}),
    ...(wish.hooks ? {} : { hooks: false }),
    ...(wish.retries === "" ? {} : { retries: Number(wish.retries) }),
    ...(wish.options.size ? { options: [...wish.options] } : {}),
    ...(objects ? { resources: objects.map(({ ref }) => ({ group: ref.group, kind: ref.kind, namespace: ref.namespace, name: ref.name })) } : {}),
    ...(wish.message ? { message: wish.message } : {}),
  };
}

/** @param {{wish: Wish, set: (change: Partial<Wish>) => void, app: App}} props */
function Options({ wish, set, app }) {
  const toggle = (/** @type {string} */ name, /** @type {boolean} */ on) => set({ options: new Set(on ? [...wish.options, name] : [...wish.options].filter((one) => one !== name)) });
  return html`<details class="act-options"><summary>${t("sync.options")}</summary><div class="act-two">
    <${Field} label=${t("sync.prune")} help=${t("sync.prune.help")}>${(/** @type {any} */ attributes) => html`<select ...${attributes} class="input" value=${String(wish.prune)} onChange=${(/** @type {any} */ event) => set({ prune: { true: true, false: false }[/** @type {string} */ (event.currentTarget.value)] ?? null })}><option value="null">${app.automated ? t("sync.prune.app") : t("sync.prune.app-manual")}</option><option value="true">${t("fact.yes")}</option><option value="false">${t("fact.no")}</option></select>`}<//>
    <${Field} label=${t("sync.retries")} help=${t("sync.retries.help")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" type="number" min="0" max="50" value=${wish.retries} onInput=${(/** @type {any} */ event) => set({ retries: event.currentTarget.value })} />`}<//>
    <${Check} checked=${wish.dryRun} onChange=${(/** @type {boolean} */ on) => set({ dryRun: on })} help=${t("sync.dry.help")}>${t("sync.dry")}<//>
    <${Check} checked=${!wish.hooks} onChange=${(/** @type {boolean} */ on) => set({ hooks: !on })} help=${t("sync.no-hooks.help")}>${t("sync.no-hooks")}<//>
    <${Check} checked=${wish.force} onChange=${(/** @type {boolean} */ on) => set({ force: on })} help=${t("sync.force.help")}>${t("sync.force")}<//>
    ${OPTIONS.map((name) => html`<${Check} key=${name} checked=${wish.options.has(name)} onChange=${(/** @type {boolean} */ on) => toggle(name, on)} help=${t(/** @type {any} */ (`sync.option.${name}`))}><code>${name}</code><//>`)}
  </div></details>`;
}

/** Asked twice, since what was begun stays half done. @param {{one: OneApp}} props */
function Terminate({ one }) {
  const [sure, setSure] = useState(false);
  const doing = useDoing();
  const end = () => (sure ? doing.run(async () => void (await one.ask("terminate"))) : setSure(true));
  return html`<${Failed} problem=${doing.problem} /><${Button} kind="danger" icon="x" disabled=${doing.busy} title=${t("sync.terminate.what")} onClick=${end}>${sure ? t("sync.terminate.sure") : t("do.terminate")}<//>`;
}
