// Deleting an App, or one object of it: what would go is shown before, and typed.
import { html } from "../lib/html.js";
import { useMemo, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { go } from "../lib/route.js";
import { holdsData } from "../lib/plan.js";
import { call } from "../live/api.js";
import { Button, Check, Chip, Notice } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Dialog, say } from "../ui/layers.js";
import { Declared, Failed, Typed, useDoing } from "./doing.js";

/** @typedef {import("../live/app.js").Node} Node */
/** @typedef {import("../live/app.js").OneApp} OneApp */

/** @typedef {"background" | "foreground" | "keep"} Propagation what becomes of an App's objects when it is deleted */
/** @type {readonly Propagation[]} */
const WAYS = ["background", "foreground", "keep"];

/** As the API takes it. @param {Propagation} how */
export const queryOf = (how) => (how === "keep" ? { keepObjects: true } : { propagation: how });

/** @param {{how: Propagation, setHow: (how: Propagation) => void, many?: boolean}} props */
export const How = ({ how, setHow, many }) => html`<fieldset class="act-choices"><legend>${t(many ? "bulk.how" : "delete.how")}</legend>
  ${WAYS.map((name) => html`<${Check} key=${name} radio="how" checked=${how === name} onChange=${() => setHow(name)} help=${t(/** @type {any} */ (`delete.how.${name}.help`))}>${t(/** @type {any} */ (`delete.how.${name}`))}<//>`)}
</fieldset>`;

/** Whether an App's objects stay when it is deleted, as it is now, and why. @param {Record<string, any> | null} resource @returns {"" | "finalizer" | "prune" | "orphan" | "suspended"} */
export function staysBecause(resource) {
  const { kind, metadata = {}, spec = {} } = resource ?? {};
  if (kind === "Application") return (metadata.finalizers ?? []).some((/** @type {string} */ name) => name.startsWith("resources-finalizer.argocd.argoproj.io")) ? "" : "finalizer";
  if (spec.deletionPolicy === "Orphan") return "orphan";
  if (spec.deletionPolicy === "Delete" || spec.deletionPolicy === "WaitForTermination") return "";
  if (spec.suspend) return "suspended";
  return kind === "Kustomization" && spec.prune !== true ? "prune" : "";
}

/** @param {{one: OneApp, app: import("../live/app.js").App, nodes: readonly Node[], onClose: () => void}} props */
export function DeleteApp({ one, app, nodes, onClose }) {
  const stays = staysBecause(one.resource.value);
  const [how, setHow] = useState(/** @type {Propagation} */ ("background"));
  const [typed, setTyped] = useState("");
  const [uid] = useState(app.uid); // of what was there when somebody decided: whatever takes its name meanwhile is not meant
  const doing = useDoing();
  const own = useMemo(() => nodes.filter((node) => node.managed), [nodes]);
  const below = nodes.length - own.length;
  const keeps = how === "keep" || stays !== "";
  const ask = async () => {
    if (await doing.run(async () => void (await one.change("DELETE", "", undefined, { uid, ...queryOf(how) })))) {
      say("good", t("delete.asked", { name: app.name }), keeps ? t("delete.asked.keep") : t("delete.asked.gone"));
      go("/apps");
    }
  };
  return html`<${Dialog} wide title=${t("delete.title", { name: app.name })} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="danger primary" icon="trash" disabled=${typed !== app.name || doing.busy} onClick=${ask}>${keeps ? t("delete.do.keep") : t("delete.do", { n: own.length })}<//>`}>
    <${Declared} resource=${one.resource.value} />
    <${Failed} problem=${doing.problem} />
    ${stays ? html`<${Notice} tone="idle" title=${t("delete.stays")}>${t(/** @type {any} */ (`delete.stays.${stays}`))}<//>` : html`<${How} how=${how} setHow=${setHow} />`}
    <${WhatGoes} own=${own} below=${below} keeps=${keeps} />
    <${Typed} word=${app.name} typed=${typed} onTyped=${setTyped} />
  <//>`;
}

const SHOWN = 60;

/** @param {{own: readonly Node[], below: number, keeps: boolean}} props */
function WhatGoes({ own, below, keeps }) {
  const data = own.filter(holdsData);
  return html`<section class="stack" aria-label=${t("delete.what")}><h3>${keeps ? t("delete.keeps", { n: own.length }) : t("delete.goes", { n: own.length })}${!keeps && below > 0 && html` <span class="faint">${t("delete.below", { n: below })}</span>`}</h3>
    ${!keeps && data.length > 0 && html`<${Notice} tone="bad">${t("plan.data", { names: data.slice(0, 8).map((node) => `${node.kind}/${node.name}`).join(", ") })}<//>`}
    <ul class="act-goes">${own.slice(0, SHOWN).map((node) => html`<li key=${node.id}><${Icon} name=${kindIcon(node.kind)} size=${14} /><span class="clip">${node.kind}/${node.name}</span>${node.namespace && html`<span class="faint clip">${node.namespace}</span>`}</li>`)}</ul>
    ${own.length > SHOWN && html`<p class="faint">${t("story.more", { n: own.length - SHOWN })}</p>`}
  </section>`;
}

/** @param {{one: OneApp, node: Node, all: readonly Node[], onClose: () => void, onDone: () => void}} props */
export function DeleteObject({ one, node, all, onClose, onDone }) {
  const [how, setHow] = useState(/** @type {"background" | "foreground" | "orphan"} */ ("background"));
  const [force, setForce] = useState(false);
  const [typed, setTyped] = useState("");
  const [uid] = useState(node.uid);
  const doing = useDoing();
  const below = all.filter((other) => other.parent === node.id);
  const ask = async () => {
    if (await doing.run(async () => void (await call(`${one.path}/object`, { method: "DELETE", query: { ...one.queryOf(node), uid, propagation: how, ...(force ? { force: true } : {}) } })))) {
      say("good", t("delete.asked", { name: `${node.kind} ${node.name}` }));
      onDone();
    }
  };
  return html`<${Dialog} title=${t("delete.title", { name: `${node.kind} ${node.name}` })} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="danger primary" icon="trash" disabled=${typed !== node.name || doing.busy} onClick=${ask}>${t("do.delete")}<//>`}>
    <${Failed} problem=${doing.problem} />
    ${node.managed ? html`<${Notice} tone="warn" icon="git-branch" title=${t("object.healed")}>${t("delete.object.healed")}<//>` : node.parent && html`<${Notice} tone="busy">${t("delete.object.owned")}<//>`}
    ${holdsData(node) && html`<${Notice} tone="bad">${t("plan.data", { names: `${node.kind}/${node.name}` })}<//>`}
    <fieldset class="act-choices"><legend>${t("delete.how.object")}</legend>${(/** @type {const} */ (["background", "foreground", "orphan"])).map((name) => html`<${Check} key=${name} radio="how" checked=${how === name} onChange=${() => setHow(name)} help=${t(/** @type {any} */ (`delete.object.${name}.help`))}>${t(/** @type {any} */ (`delete.object.${name}`))}<//>`)}</fieldset>
    ${below.length > 0 && html`<p class="row wrap">${how === "orphan" ? t("delete.object.leaves") : t("delete.object.with")} ${below.slice(0, 8).map((other) => html`<${Chip} key=${other.id} icon=${kindIcon(other.kind)}>${other.name}<//>`)}${below.length > 8 && t("story.more", { n: below.length - 8 })}</p>`}
    ${node.kind === "Pod" && html`<${Check} checked=${force} onChange=${setForce} help=${t("delete.force.help")}>${t("delete.force")}<//>`}
    <${Typed} word=${node.name} typed=${typed} onTyped=${setTyped} />
  <//>`;
}
