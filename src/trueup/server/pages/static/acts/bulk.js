// One thing done with many Apps: first what will happen with each, or why not; then how it goes, and what came of each.
import { html } from "../lib/html.js";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { href } from "../lib/route.js";
import { RIGHT_OF, inTurn, whyNot } from "../lib/bulk.js";
import { changesOf, chartsOf, deletedOf, isIdle, restartedOf } from "../lib/plan.js";
import { Problem, call } from "../live/api.js";
import { rootOf } from "../live/app.js";
import { idOf, pageOf } from "../live/apps.js";
import { rightsOf } from "../live/rights.js";
import { useLoaded } from "../live/resource.js";
import { Button, Check, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, Menu } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { HowMany, fateInWords, useFates } from "./bulkdelete.js";
import { queryOf } from "./delete.js";
import { Typed } from "./doing.js";
import { actionOf } from "./release.js";
import { MOST, chosen, clear } from "./selection.js";
import { Until } from "./suspend.js";

/** @typedef {import("../live/apps.js").App} App */
/** @typedef {import("../lib/bulk.js").Deed} Deed */
/** @typedef {{text: string, gone: number | null}} Told what a plan says; `gone`: how many objects it deletes, null: there is no plan */
/** @typedef {{state: "waiting" | "busy" | "good" | "bad", text: string}} Result */

const AT_ONCE = 4;
const SHOWN = 300;
/** @type {Array<[Deed, string]>} */
const DEEDS = [["sync", "refresh-cw"], ["refresh", "rotate-ccw"], ["suspend", "pause"], ["resume", "play"], ["delete", "trash"]];

/** What is chosen, and what may be done with it. @param {{total: number | null, onAll: () => void}} props */
export function BulkBar({ total, onAll }) {
  const [deed, setDeed] = useState(/** @type {Deed | null} */ (null));
  const n = chosen.value.size;
  if (!n) return null;
  return html`<div class="act-bulk" role="region" aria-label=${t("bulk.title")}>
    <strong class="num">${t("bulk.chosen", { n })}</strong>
    ${total !== null && total > n && n < MOST && html`<${Button} small kind="quiet" onClick=${onAll}>${t("bulk.all", { n: Math.min(total, MOST) })}<//>`}
    <span class="grow"></span>
    <${Button} small kind="primary" icon="refresh-cw" onClick=${() => setDeed("sync")}>${t("bulk.sync")}<//>
    <${Menu} label=${t("do.more")} place="up" items=${DEEDS.slice(1).map(([name, icon]) => ({ label: t(/** @type {any} */ (`bulk.${name}`)), icon, ...(name === "delete" ? { danger: true } : {}), run: () => setDeed(name) }))} button=${(/** @type {any} */ attributes) => html`<${Button} small icon="ellipsis" label=${t("do.more")} ...${attributes} />`} />
    <${Button} small kind="quiet" icon="x" label=${t("bulk.clear")} onClick=${clear} />
    ${deed && html`<${Bulk} key=${deed} deed=${deed} apps=${[...chosen.peek().values()]} onClose=${(/** @type {boolean} */ done) => [setDeed(null), done && clear()]} />`}
  </div>`;
}

/** @param {{deed: Deed, apps: readonly App[], onClose: (done: boolean) => void}} props */
function Bulk({ deed, apps, onClose }) {
  const rights = useLoaded(deed, (abort) => rightsOf(apps.map(idOf), abort));
  const plans = usePlans(deed === "sync" && rights.data ? apps.filter((app) => !whyNot(deed, app, rights.data?.get(idOf(app)))) : null);
  const fates = useFates(deed === "delete" && rights.data ? apps.filter((app) => !whyNot(deed, app, rights.data?.get(idOf(app)))) : null);
  const problemOf = (/** @type {App} */ app) => (deed === "delete" ? (fates.get(idOf(app))?.problem ?? "") : plans.get(idOf(app))?.gone === null ? (plans.get(idOf(app))?.text ?? "") : "");
  const [results, setResults] = useState(/** @type {ReadonlyMap<string, Result>} */ (new Map()));
  const [phase, setPhase] = useState(/** @type {"look" | "run" | "end"} */ ("look"));
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [typed, setTyped] = useState("");
  const [how, setHow] = useState(/** @type {import("./delete.js").Propagation} */ ("background"));
  const [agreed, setAgreed] = useState(0);
  const stopped = useRef(false);
  useEffect(() => () => void (stopped.current = true), []);
  const why = useMemo(() => new Map(apps.map((app) => [idOf(app), rights.data ? whyNot(deed, app, rights.data.get(idOf(app))) : ""])), [rights.data]);
  const going = apps.filter((app) => rights.data && !why.get(idOf(app)) && !problemOf(app));
  const isForeseen = going.every((app) => (deed === "sync" ? plans.has(idOf(app)) : deed !== "delete" || fates.has(idOf(app))));
  const gone = going.reduce((n, app) => n + (plans.get(idOf(app))?.gone ?? 0), 0);
  const tell = (/** @type {App} */ app, /** @type {Result} */ result) => setResults((was) => new Map(was).set(idOf(app), result));
  const run = async (/** @type {readonly App[]} */ some) => {
    setPhase("run");
    stopped.current = false;
    await inTurn(some, AT_ONCE, async (app) => {
      tell(app, { state: "busy", text: t("bulk.asking") });
      try {
        await ask(deed, app, { reason, until, how });
        tell(app, { state: "good", text: t(/** @type {any} */ (`bulk.done.${deed}`)) });
      } catch (error) {
        const { status, detail, title } = error instanceof Problem ? error.details : { status: -1, detail: String(error), title: "" };
        tell(app, { state: "bad", text: status === 0 ? t("wrong.unreachable") : detail || title });
      }
    }, () => stopped.current);
    setPhase("end");
  };
  const done = [...results.values()].filter((one) => one.state === "good").length;
  const failed = going.filter((app) => results.get(idOf(app))?.state === "bad");
  const bad = failed.length;
  const word = String(going.length);
  const title = t(/** @type {any} */ (`bulk.title.${deed}`), { n: apps.length });
  const end = html`<${Button} kind=${phase === "end" && !bad ? "primary" : ""} onClick=${() => onClose(phase === "end")}>${phase === "look" ? t("do.cancel") : t("do.close")}<//>`;
  return html`<${Dialog} wide title=${title} onClose=${() => onClose(phase === "end")} footer=${html`<span class="grow faint">${phase === "look" ? "" : t("bulk.progress", { done, bad, all: going.length })}</span>${end}
      ${phase === "run" ? html`<${Button} kind="danger" icon="x" onClick=${() => (stopped.current = true)}>${t("bulk.stop")}<//>` : phase === "end" && bad ? html`<${Button} kind="primary" icon="refresh-cw" onClick=${() => run(failed)}>${t("bulk.retry", { n: bad })}<//>` : phase === "look" && html`<${Button} kind=${deed === "delete" ? "danger primary" : "primary"} disabled=${!going.length || !isForeseen || agreed !== gone || (deed === "delete" && typed !== word)} onClick=${() => run(going)}>${t(/** @type {any} */ (`bulk.do.${deed}`), { n: going.length })}<//>`}`}>
    ${rights.problem && html`<${Wrong} problem=${rights.problem} again=${rights.again} />`}
    ${rights.data && going.length < apps.length && html`<${Notice} tone="warn" title=${t("bulk.without", { n: apps.length - going.length })}>${t("bulk.without.hint")}<//>`}
    ${apps.length >= MOST && html`<${Notice} tone="idle">${t("bulk.most", { n: MOST })}<//>`}
    ${phase === "look" && isForeseen && gone > 0 && html`<${Check} checked=${agreed === gone} onChange=${(/** @type {boolean} */ on) => setAgreed(on ? gone : 0)}>${t("sync.sure", { n: gone })}<//>`}
    ${phase === "look" && deed === "suspend" && html`<div class="act-two"><${Field} label=${t("suspend.reason")} help=${t("suspend.reason.help")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" maxlength="200" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.currentTarget.value)} />`}<//><${Until} label=${t("suspend.until")} help=${t("suspend.until.help")} value=${until} onValue=${setUntil} /></div>`}
    ${phase === "look" && deed === "delete" && html`<${Notice} tone="warn">${t("bulk.delete.what")}<//>${isForeseen ? html`<${HowMany} how=${how} setHow=${setHow} fates=${going.flatMap((app) => fates.get(idOf(app)) ?? [])} />` : html`<${Waiting} rows=${3} />`}<${Typed} word=${word} typed=${typed} onTyped=${setTyped} />`}
    ${!rights.data && !rights.problem ? html`<${Waiting} rows=${6} />` : html`<ul class="act-apps">${apps.slice(0, SHOWN).map((app) => html`<li key=${idOf(app)}><span class="act-who"><a class="clip" href=${href(pageOf(app))} target="_blank" rel="noreferrer">${app.name}</a><small class="faint clip">${app.kind} · ${app.namespace}</small></span><${Outcome} app=${app} deed=${deed} why=${why.get(idOf(app)) || (problemOf(app) ? "unforeseen" : "")} problem=${problemOf(app)} rights=${rights.data?.get(idOf(app))} plan=${deed === "delete" ? fateInWords(fates.get(idOf(app)), how) : plans.get(idOf(app))?.text} result=${results.get(idOf(app))} /></li>`)}</ul>`}
    ${apps.length > SHOWN && html`<p class="faint">${t("story.more", { n: apps.length - SHOWN })}</p>`}
  <//>`;
}

/** @param {{app: App, deed: Deed, why: string, problem: string, rights: import("../live/rights.js").Rights | undefined, plan: string | undefined, result: Result | undefined}} props */
function Outcome({ app, deed, why, problem, rights, plan, result }) {
  if (result) return html`<span class="act-what" role=${result.state === "bad" ? "alert" : undefined}><${Status} status=${{ waiting: "Pending", busy: "Running", good: "Succeeded", bad: "Failed" }[result.state]} /><span class="muted">${result.text}</span></span>`;
  if (why) return html`<span class="act-what"><${Status} status="Skipped" /><span class="muted">${t(/** @type {any} */ (`bulk.why.${why}`))}${why === "right" && rights && html` ${rights.missing[RIGHT_OF[deed]]}`}${why === "unforeseen" && ` ${problem}`}</span></span>`;
  const what = deed === "sync" || deed === "delete" ? (plan ?? t("bulk.planning")) : t(/** @type {any} */ (`bulk.what.${deed}`));
  return html`<span class="act-what"><${Status} status=${app.status} /><span class="muted">${what}</span></span>`;
}

/** What a sync of each would do, in a line; few at a time, since each asks the cluster. @param {readonly App[] | null} apps @returns {ReadonlyMap<string, Told>} */
function usePlans(apps) {
  const [told, setTold] = useState(/** @type {ReadonlyMap<string, Told>} */ (new Map()));
  const key = apps ? apps.map(idOf).join() : "";
  useEffect(() => {
    if (!apps?.length) return undefined;
    const abort = new AbortController();
    void inTurn(apps, 2, async (app) => {
      /** @type {Told} */ let one;
      try {
        one = inWords(await call(`${rootOf(app)}/plan`, { query: { changed: true }, signal: abort.signal }));
      } catch (error) {
        if (abort.signal.aborted) return;
        one = { text: error instanceof Problem ? error.message : String(error), gone: null };
      }
      setTold((was) => new Map(was).set(idOf(app), one));
    }, () => abort.signal.aborted);
    return () => abort.abort();
  }, [key]);
  return told;
}

/** @param {import("../lib/plan.js").Plan} plan @returns {Told} */
function inWords(plan) {
  const objects = changesOf(plan);
  if (isIdle(plan)) return { text: t("plan.nothing"), gone: 0 };
  const gone = deletedOf(objects).length;
  const rolls = restartedOf(objects).length;
  return { text: [releaseInWords(plan.release), objects.length ? t("bulk.changes", { n: objects.length }) : t("plan.no-object"), gone && t("plan.deletes", { n: gone }), rolls && t("plan.restarts", { n: rolls })].filter(Boolean).join(", "), gone };
}

/** @param {import("../lib/plan.js").Release | null | undefined} release */
function releaseInWords(release) {
  if (!release || release.action === "none") return "";
  const { from, to } = chartsOf(release);
  return `${actionOf(release)}: ${[from, to].filter((one, i, all) => one && one !== all[i - 1]).join(" → ")}`;
}

/** @param {Deed} deed @param {App} app @param {{reason: string, until: string, how: import("./delete.js").Propagation}} wish */
function ask(deed, app, { reason, until, how }) {
  const root = rootOf(app);
  switch (deed) {
    case "sync":
      return call(`${root}/sync`, { method: "POST", body: {} });
    case "refresh":
      return call(`${root}/refresh`, { method: "POST", body: {} });
    case "suspend":
      return call(`${root}/suspension`, { method: "PUT", body: { reason, ...(until ? { until: new Date(until).toISOString() } : {}) } });
    case "resume":
      return call(`${root}/suspension`, { method: "DELETE" });
    case "delete":
      return call(root, { method: "DELETE", query: { uid: app.uid, ...queryOf(how) } });
  }
}
