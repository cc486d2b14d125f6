// What may be done with one object of an App: what its kind knows (restart, scale), an edit with its difference before it is sent, a deletion.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t, word } from "../i18n/i18n.js";
import { query, setQuery } from "../lib/route.js";
import { mergePatch, same } from "../lib/mergepatch.js";
import { call } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { useLoaded } from "../live/resource.js";
import { Button, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, Menu, say } from "../ui/layers.js";
import { Diff } from "../ui/text.js";
import { DeleteObject } from "./delete.js";
import { Failed, useDoing } from "./doing.js";
import { YamlField, readYaml } from "./yamledit.js";

/** @typedef {import("../live/app.js").Node} Node */
/** @typedef {import("../live/app.js").OneApp} OneApp */
/** @typedef {{name: string, title: string, disabled: boolean, icon: string, parameters: Array<{name: string, type: string, default: string}>}} Action */

/** @type {Record<string, string>} */
const ICONS = { restart: "refresh-cw", scale: "scale", pause: "pause", play: "play", stop: "x" };

/** @param {{one: OneApp, node: Node, all: readonly Node[], onGone: () => void}} props */
export function ObjectActions({ one, node, all, onGone }) {
  const { data } = useLoaded(node.id, async (abort) => {
    const [rights, told] = await Promise.all([
      call(`${one.path}/object/rights`, { query: one.queryOf(node), signal: abort }),
      call(`${one.path}/object`, { query: { ...one.queryOf(node), fields: "actions" }, signal: abort }).catch(() => ({ actions: [] })),
    ]);
    return { may: /** @type {string[]} */ (rights.may), actions: /** @type {Action[]} */ (told.actions ?? []) };
  });
  const what = query.value.get("act");
  const open = (/** @type {string | null} */ name) => setQuery({ act: name });
  const close = () => open(null);
  const allowed = (data?.actions ?? []).filter((action) => data?.may.includes(action.name));
  const items = [
    ...allowed.map((action) => ({ label: `${word("object.do", action.name)}${action.parameters.length ? "…" : ""}`, icon: ICONS[action.icon] ?? "zap", disabled: action.disabled, run: () => open(action.name) })),
    ...(data?.may.includes("update") ? [{ label: t("object.edit"), icon: "pencil", run: () => open("edit") }] : []),
    ...(data?.may.includes("delete") ? [{ label: t("acts.delete"), icon: "trash", danger: true, run: () => open("delete") }] : []),
  ];
  const action = allowed.find((other) => other.name === what);
  if (!items.length) return null;
  return html`<${Menu} label=${t("object.acts")} items=${items} button=${(/** @type {any} */ attributes) => html`<${Button} small icon="zap" ...${attributes}>${t("object.acts")}<//>`} />
    ${what === "edit" && data?.may.includes("update") ? html`<${EditObject} one=${one} node=${node} onClose=${close} />` : what === "delete" && data?.may.includes("delete") ? html`<${DeleteObject} one=${one} node=${node} all=${all} onClose=${close} onDone=${() => [close(), onGone()]} />` : action && html`<${Act} one=${one} node=${node} action=${action} onClose=${close} />`}`;
}

/** That what Git declares comes back by itself. @param {{node: Node}} props */
const Healed = ({ node }) => node.managed && html`<${Notice} tone="warn" icon="git-branch" title=${t("object.healed")}>${t("object.healed.hint")}<//>`;

/** @param {{one: OneApp, node: Node, action: Action, onClose: () => void}} props */
function Act({ one, node, action, onClose }) {
  const [values, setValues] = useState(/** @type {Record<string, string>} */ (Object.fromEntries(action.parameters.map((parameter) => [parameter.name, parameter.default]))));
  const doing = useDoing();
  const name = word("object.do", action.name);
  const run = async () => {
    if (await doing.run(async () => void (await call(`${one.path}/object/actions`, { method: "POST", query: one.queryOf(node), body: { action: action.name, parameters: values } })))) {
      say("good", t("object.done", { action: name, name: `${node.kind} ${node.name}` }));
      onClose();
    }
  };
  return html`<${Dialog} title=${`${name}: ${node.kind} ${node.name}`} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="primary" icon=${ICONS[action.icon] ?? "zap"} disabled=${doing.busy} onClick=${run}>${name}<//>`}>
    <p>${t(/** @type {any} */ (`object.what.${action.name}`))}</p>
    ${!["restart", "create-job", "reconcile"].includes(action.name) && html`<${Healed} node=${node} />`}
    <${Failed} problem=${doing.problem} />
    ${action.parameters.map((parameter) => html`<${Field} key=${parameter.name} label=${word("object.parameter", parameter.name)} help=${parameter.default && t("object.now", { value: parameter.default })}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" type=${parameter.type === "integer" ? "number" : "text"} min="0" value=${values[parameter.name]} onInput=${(/** @type {any} */ event) => setValues({ ...values, [parameter.name]: event.currentTarget.value })} />`}<//>`)}
  <//>`;
}

/** Of a live object what people decide. @param {Record<string, any>} object */
function editable(object) {
  const { status: _, ...rest } = object;
  const { managedFields: _m, resourceVersion: _v, uid: _u, creationTimestamp: _c, generation: _g, selfLink: _s, ...metadata } = object["metadata"] ?? {};
  return { ...rest, metadata };
}

/** @param {{one: OneApp, node: Node, onClose: () => void}} props */
function EditObject({ one, node, onClose }) {
  const { data, problem, again } = useLoaded(node.id, async (abort) => {
    const live = await one.live(node, abort);
    return live && { live: editable(live), version: String(live["metadata"].resourceVersion), text: await toYaml(editable(live)) };
  });
  const title = t("object.edit.title", { name: `${node.kind} ${node.name}` });
  if (data) return html`<${Edited} key=${data.version} one=${one} node=${node} title=${title} from=${data} again=${again} onClose=${onClose} />`;
  return html`<${Dialog} wide title=${title} onClose=${onClose}>${problem ? html`<${Wrong} problem=${problem} again=${again} />` : html`<${Waiting} rows=${10} />`}<//>`;
}

/** @param {{one: OneApp, node: Node, title: string, from: {live: Record<string, any>, version: string, text: string}, again: () => void, onClose: () => void}} props */
function Edited({ one, node, title, from, again, onClose }) {
  const [text, setText] = useState(from.text);
  const [unread, setUnread] = useState("");
  const [tried, setTried] = useState(/** @type {{patch: Record<string, unknown>, after: string} | null} */ (null));
  const doing = useDoing();
  const send = (/** @type {Record<string, unknown>} */ patch, /** @type {boolean} */ dryRun) => call(`${one.path}/object`, { method: "PATCH", query: { ...one.queryOf(node), dryRun }, body: patch, headers: { "If-Match": `"${from.version}"` } });
  const preview = () =>
    doing.run(async () => {
      const { documents, problem } = await readYaml(text);
      setUnread(problem || (documents.length === 1 ? "" : t("yaml.one")));
      const wanted = documents[0];
      if (problem || !wanted || documents.length !== 1) return;
      const patch = mergePatch(from.live, wanted);
      if (same(patch, {})) return setTried(null);
      const { manifest } = await send(patch, true);
      setTried({ patch, after: await toYaml(editable(manifest)) });
    });
  const apply = async () => {
    if (tried && (await doing.run(async () => void (await send(tried.patch, false))))) {
      say("good", t("object.changed", { name: `${node.kind} ${node.name}` }));
      onClose();
    }
  };
  const isStale = doing.problem?.details.status === 412;
  return html`<${Dialog} wide title=${title} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//>${tried ? html`<${Button} icon="arrow-left" onClick=${() => setTried(null)}>${t("object.edit.on")}<//><${Button} kind="primary" icon="check" disabled=${doing.busy} onClick=${apply}>${t("object.edit.send")}<//>` : html`<${Button} kind="primary" icon="git-compare" disabled=${doing.busy || text === from.text} onClick=${preview}>${t("object.edit.preview")}<//>`}`}>
    <${Healed} node=${node} />
    <${Failed} problem=${doing.problem} />
    ${isStale && html`<${Button} icon="refresh-cw" onClick=${again}>${t("object.edit.again")}<//>`}
    ${tried ? html`<p class="muted">${t("object.edit.tried")}</p>${tried.after === from.text ? html`<${Notice} tone="idle">${t("object.edit.nothing")}<//>` : html`<${Diff} before=${from.text} after=${tried.after} title=${t("object.edit.diff")} label=${t("object.edit.diff")} names=${[t("diff.live"), t("edit.after")]} />`}` : html`<${YamlField} text=${text} label=${t("side.manifest")} problem=${unread} onText=${(/** @type {string} */ next) => [setText(next), setUnread("")]} />`}
  <//>`;
}
