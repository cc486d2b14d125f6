// Holding an App at a revision of before: which, what that would change, what Git says meanwhile, and how the revert is made there.
import { html } from "../lib/html.js";
import { useMemo, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { changesOf, deletedOf } from "../lib/plan.js";
import { branchOf, revertCommands } from "../lib/shell.js";
import { call } from "../live/api.js";
import { timeOf } from "../live/apps.js";
import { useLoaded } from "../live/resource.js";
import { Ago, Button, Check, Empty, Field, Notice, Revision, Waiting, Wrong, shortRevision } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { copy } from "../ui/text.js";
import { Failed, MayNot, useDoing } from "./doing.js";
import { Losses, PlanList, PlanRevision, PlanSummary, useSure } from "./plan.js";
import { Until } from "./suspend.js";

/** @typedef {{id: number, at: string, kind: string, revision: string, result: string}} Row */
/** @typedef {{revision: string, at: string}} Choice */

/** Each revision that once ran well, newest first, without the one of now. @param {readonly Row[]} rows @param {string} now @returns {Choice[]} */
export function choicesOf(rows, now) {
  /** @type {Map<string, Choice>} */ const found = new Map();
  for (const { revision, at, kind, result } of rows) if (revision && revision !== now && ["sync", "rollback"].includes(kind) && !["failed", "failure"].includes(result) && !found.has(revision)) found.set(revision, { revision, at });
  return [...found.values()].slice(0, 30);
}

/** A revision's commit alone; empty where it is none. @param {string} revision */
const commitOf = (revision) => /([0-9a-f]{40,64})$/.exec(revision)?.[1] ?? "";

/** @param {{one: import("../live/app.js").OneApp, app: import("../live/app.js").App, rights: import("../live/rights.js").Rights | null, start?: string, onClose: () => void}} props `start`: a revision that was chosen already */
export function Rollback({ one, app, rights, start = "", onClose }) {
  const past = useLoaded(one.path, async (abort) => {
    const { items } = /** @type {{items: Row[]}} */ (await call(`${one.path}/history`, { query: { limit: 200 }, signal: abort }));
    return choicesOf(items, app.fullRevision);
  });
  const [chosen, setChosen] = useState(start);
  const revisions = useMemo(() => [...new Set([app.fullRevision, ...(past.data ?? []).map((one) => one.revision)])].filter(Boolean), [past.data]);
  const commits = useLoaded(past.data ? revisions.join() : null, (abort) => call(`${one.path}/commits`, { query: { revision: revisions }, signal: abort }));
  const plan = useLoaded(chosen || null, (abort) => /** @type {Promise<import("../lib/plan.js").Plan>} */ (call(`${one.path}/plan`, { query: { revision: commitOf(chosen) || chosen }, signal: abort })));
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const doing = useDoing();
  const may = rights?.may.includes("sync") ?? true;
  const losses = plan.data ? deletedOf(changesOf(plan.data)) : [];
  const [sure, setSure] = useSure(losses);
  const hold = async () => {
    if (await doing.run(async () => void (await one.change("PUT", "/pin", { revision: chosen, reason, ...(until ? { until: new Date(until).toISOString() } : {}) })))) {
      say("good", t("pin.asked", { name: app.name, revision: shortRevision(chosen) }));
      onClose();
    }
  };
  const list = past.data ?? [];
  const [now, then] = [commitOf(app.fullRevision), commitOf(chosen)];
  const commands = now && then && now !== then ? revertCommands(now, then, branchOf(app.fullRevision, app.source.target)) : "";
  return html`<${Dialog} wide title=${t("pin.title", { name: app.name })} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="primary" icon="lock" disabled=${!may || !chosen || doing.busy || plan.waiting || !plan.data || plan.problem !== null || (losses.length > 0 && !sure)} onClick=${hold}>${t("pin.do")}<//>`}>
    ${!may && rights && html`<${MayNot} rights=${rights} action="sync" what=${t("pin.may-not")} />`}
    <${Failed} problem=${doing.problem} />
    <fieldset class="act-choices"><legend>${t("pin.which")}</legend>
      ${past.problem && !past.data ? html`<${Wrong} problem=${past.problem} again=${past.again} />` : !past.data ? html`<${Waiting} rows=${4} />` : !list.length && !start ? html`<${Empty} icon="rotate-ccw-clock" title=${t("pin.none")}>${t("pin.none.hint")}<//>` : [...(start && !list.some((row) => row.revision === start) ? [{ revision: start, at: "" }] : []), ...list].map((row) => {
        const commit = commits.data?.items?.[row.revision];
        return html`<label class="act-choice" key=${row.revision}><input type="radio" name="revision" checked=${chosen === row.revision} onChange=${() => setChosen(row.revision)} /><${Revision} revision=${row.revision} /><span class="grow clip">${commit ? `${commit.message.split("\n")[0]} · ${commit.author}` : ""}</span>${row.at && html`<span class="faint"><${Ago} at=${timeOf(row.at)} short /></span>`}</label>`;
      })}
    </fieldset>
    ${chosen && html`<section class="stack" aria-label=${t("plan.title")}><h3>${t("plan.title")}</h3>${plan.problem ? html`<${Wrong} problem=${plan.problem} again=${plan.again} />` : !plan.data ? html`<${Waiting} rows=${4} />` : html`<${PlanRevision} plan=${plan.data} /><${PlanSummary} plan=${plan.data} /><${PlanList} plan=${plan.data} />`}</section>
      ${losses.length > 0 && html`<${Losses} objects=${losses} /><${Check} checked=${sure} onChange=${setSure}>${t("sync.sure", { n: losses.length })}<//>`}
      <${Notice} tone="busy" icon="git-branch" title=${t("pin.git", { revision: shortRevision(app.fullRevision) || app.source.target })}>${t("pin.git.hint")}
        ${commands && html`<div class="tour-commands"><pre class="code">${commands}</pre><${Button} small icon="copy" onClick=${() => copy(commands)}>${t("text.copy")}<//></div>`}<//>
      <div class="act-two"><${Field} label=${t("suspend.reason")} help=${t("pin.reason.help")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" maxlength="200" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.currentTarget.value)} />`}<//><${Until} label=${t("pin.until")} help=${t("pin.until.help")} value=${until} onValue=${setUntil} /></div>`}
  <//>`;
}
