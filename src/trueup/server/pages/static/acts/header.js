// What may be done with the App that one looks at: buttons, a menu, keys, and the dialogs behind them. What is not theirs is not there.
import { html } from "../lib/html.js";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { bind } from "../lib/keys.js";
import { href, query, setQuery } from "../lib/route.js";
import { Problem } from "../live/api.js";
import { idOf } from "../live/apps.js";
import { useRights } from "../live/rights.js";
import { Button } from "../ui/basics.js";
import { Menu, say } from "../ui/layers.js";
import { useCommands } from "../ui/palette.js";
import { DeleteApp } from "./delete.js";
import { EditApp } from "./edit.js";
import { Rollback } from "./rollback.js";
import { Suspend } from "./suspend.js";
import { SyncPanel } from "./sync.js";

/** @typedef {import("../live/app.js").OneApp} OneApp */
/** @typedef {import("../live/app.js").App} App */

/** Which dialog is open stands in the address: a link leads to it, and going back closes it. @param {string | null} what @param {string | null} [revision] */
export const openAct = (what, revision = null) => setQuery({ do: what, to: revision }, { replace: what === null });

/** @param {{one: OneApp, app: App, nodes: readonly import("../live/app.js").Node[], onOpen: (id: string) => void}} props */
export function AppActions({ one, app, nodes, onOpen }) {
  const rights = useRights(app);
  const may = (/** @type {string} */ action) => rights?.may.includes(action) ?? false;
  const what = query.value.get("do");
  const close = () => openAct(null);
  const run = async (/** @type {"refresh" | "resume" | "terminate" | "unpin"} */ name, /** @type {Record<string, unknown>} */ body = {}) => {
    try {
      await one.ask(name, body);
      say("good", t(`app.asked.${name}`, { name: app.name }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const { detail, title, hint, status } = error.details;
      say("bad", status === 0 ? t("wrong.unreachable") : detail || title, status === 0 ? t("acts.lost.hint") : hint);
    }
  };
  const sync = () => openAct("sync");
  const refresh = () => run("refresh");
  const isArgo = app.dialect === "argocd";
  const isRunning = app.operation?.phase === "Running";
  /** @type {Array<[boolean, import("../ui/palette.js").Command & {keys?: string, key?: import("../i18n/i18n.js").Key, danger?: boolean}]>} */
  const all = [
    [may("sync") && isRunning, { id: "terminate", group: app.name, label: t("do.terminate"), icon: "x", danger: true, run: () => run("terminate") }],
    [may("refresh") && isArgo, { id: "hard", group: app.name, label: t("acts.hard"), icon: "rotate-ccw", run: () => run("refresh", { hard: true }) }],
    [may("sync") && app.pinned, { id: "unpin", group: app.name, label: t("acts.unpin"), icon: "git-branch", run: () => run("unpin") }],
    [may("sync"), { id: "rollback", group: app.name, label: t("acts.rollback"), icon: "undo-2", keys: "b", key: "acts.rollback", run: () => openAct("rollback") }],
    [may("update") && app.suspended, { id: "resume", group: app.name, label: t("do.resume"), icon: "play", run: () => run("resume") }],
    [may("update") && !app.suspended, { id: "suspend", group: app.name, label: t("acts.suspend"), icon: "pause", run: () => openAct("suspend") }],
    [may("update"), { id: "edit", group: app.name, label: t("acts.edit"), icon: "pencil", keys: "e", key: "acts.edit", run: () => openAct("edit") }],
    [may("delete"), { id: "delete", group: app.name, label: t("acts.delete"), icon: "trash", danger: true, run: () => openAct("delete") }],
  ];
  const some = all.filter(([is]) => is).map(([, act]) => act);
  const state = `${idOf(app)} ${app.suspended} ${app.pinned} ${isRunning} ${rights?.may.join()}`;
  useLayoutEffect(
    () =>
      bind([
        { keys: "s", label: "do.sync", group: "keys.page", run: sync },
        ...(may("refresh") ? [{ keys: "r", label: /** @type {const} */ ("do.refresh"), group: /** @type {const} */ ("keys.page"), run: refresh }] : []),
        ...some.flatMap((act) => (act.keys && act.key ? [{ keys: act.keys, label: act.key, group: /** @type {const} */ ("keys.page"), run: act.run }] : [])),
      ]),
    [state],
  );
  useCommands([{ id: "act.sync", group: app.name, label: `${t("do.sync")} ${app.name}`, icon: "refresh-cw", run: sync }, ...some.map((act) => ({ id: `act.${act.id}`, group: act.group, label: `${act.label} ${app.name}`, icon: act.icon, run: act.run }))], [state]);
  // What one may not do has no dialog, whatever the address says; a plan may be read by everybody who sees the App.
  const allowed = what === "sync" || some.some((act) => act.id === what);
  useEffect(() => {
    if (what && rights && !allowed && !["edit", "delete", "suspend", "rollback"].includes(what)) close();
  }, [what, rights, allowed]);
  return html`<div class="row no-print">
    ${may("refresh") && html`<${Button} icon="rotate-ccw" onClick=${refresh} title=${t("app.refresh.what")} shortcut="R">${t("do.refresh")}<//>`}
    <${Button} kind="primary" icon="refresh-cw" onClick=${sync} shortcut="S">${isRunning ? t("sync.watch") : t("do.sync")}<//>
    <${Menu} label=${t("do.more")} items=${[
      ...some.map((act) => ({ label: act.label, icon: act.icon, run: act.run, ...(act.danger ? { danger: true } : {}) })),
      ...(some.length ? [/** @type {const} */ ("-")] : []),
      ...(rights && !some.length ? [{ title: t("acts.none", { line: rights.missing["sync"] ?? "" }) }] : []),
      { label: t("app.diff-of"), icon: "git-compare", href: href(`/diff?app=${idOf(app)}`) },
      { label: t("app.print"), icon: "printer", run: () => print() },
    ]} button=${(/** @type {any} */ attributes) => html`<${Button} icon="ellipsis" label=${t("do.more")} ...${attributes} />`} />
  </div>
  ${what === "sync" ? html`<${SyncPanel} one=${one} app=${app} rights=${rights} onClose=${close} onOpen=${onOpen} onPin=${(/** @type {string} */ revision) => openAct("rollback", revision)} />` : !allowed ? null : what === "rollback" ? html`<${Rollback} key=${query.value.get("to") ?? ""} one=${one} app=${app} rights=${rights} start=${query.value.get("to") ?? ""} onClose=${close} />` : what === "suspend" ? html`<${Suspend} one=${one} app=${app} onClose=${close} />` : what === "edit" ? html`<${EditApp} one=${one} app=${app} onClose=${close} />` : what === "delete" ? html`<${DeleteApp} one=${one} app=${app} nodes=${nodes} onClose=${close} />` : null}`;
}
