// The design system on one page: looked at in both themes and languages, and by the tests.
import { html } from "../lib/html.js";
import { useMemo, useState } from "preact/hooks";
import { t, number, word } from "../i18n/i18n.js";
import { icons } from "../vendor/icons.mjs";
import { Icon } from "../ui/icon.js";
import { EVERY_WORD, Shares, Status } from "../ui/status.js";
import { Button, Check, Chip, Empty, Field, Notice, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, Menu, Panel, say } from "../ui/layers.js";
import { Tabs } from "../ui/tabs.js";
import { Table } from "../ui/table.js";
import { Diff, Log, Yaml } from "../ui/text.js";
import { Tree } from "../ui/tree.js";
import { DenseMap } from "../ui/map.js";
import { Timeline } from "../ui/timeline.js";
import { useTitle } from "../shell.js";
import { Problem } from "../live/api.js";
import { CHANGED, DEPLOYMENT, SAMPLE, logLines, mapCells, timeEntries, treeNodes } from "./design-data.js";

const COLOURS = ["canvas", "surface", "sunken", "hover", "selected", "border", "text", "text-2", "text-3", "accent", "good", "busy", "warn", "bad", "idle", "none"];
const SIZES = ["2xl", "xl", "lg", "md", "sm", "xs"];
const NOW = 1790000000000;

/** @param {{title: string, what?: string, children: any}} props */
const Section = ({ title, what, children }) => html`<section class="card"><header><h2>${title}</h2></header><div class="body">${what && html`<p class="muted">${what}</p>`}${children}</div></section>`;

export function Page() {
  useTitle([{ label: t("design.title") }]);
  const [dialog, setDialog] = useState(false);
  const [panel, setPanel] = useState(false);
  const [on, setOn] = useState(true);
  const [tab, setTab] = useState("a");
  const [follow, setFollow] = useState(false);
  const [picked, setPicked] = useState("app");
  const [moment, setMoment] = useState("long");
  const lines = useMemo(() => logLines(3000), []);
  const nodes = useMemo(() => treeNodes(Number(new URLSearchParams(location.search).get("nodes") ?? 60)), []);
  const cells = useMemo(() => mapCells(Number(new URLSearchParams(location.search).get("cells") ?? 2400)), []);
  const entries = useMemo(() => timeEntries(NOW), []);
  const columns = [
    { id: "name", label: t("design.field"), width: "minmax(0, 1.5fr)", narrow: true, cell: (/** @type {number} */ i) => html`<span class="app-name"><span class="kind-icon"><${Icon} name="layers" /></span><span class="clip">${`app-${i}`}</span></span>` },
    { id: "status", label: t("design.status"), width: "170px", narrow: true, cell: (/** @type {number} */ i) => html`<${Status} status=${EVERY_WORD[(i - 1) % EVERY_WORD.length]} />` },
    { id: "kind", label: t("design.kind"), width: "minmax(0, 1fr)", cell: () => "Kustomization" },
  ];
  return html`<div class="page-head"><h1>${t("design.title")}</h1></div>
    <p class="muted">${t("design.intro")}</p>
    <div class="specimen">
      <${Section} title=${t("design.status")} what=${t("design.status.what")}>
        <div class="swatches">${EVERY_WORD.map((name) => html`<${Status} key=${name} status=${name} />`)}</div>
        <div class="row wrap">${EVERY_WORD.map((name) => html`<${Status} key=${name} status=${name} pill />`)}</div>
        <${Shares} label=${`${word("status", "Ready")} ${number(80)}`} counts=${[["Failed", 3], ["Progressing", 8], ["OutOfSync", 5], ["Ready", 80]]} />
      <//>
      <${Section} title=${t("design.colours")}><div class="swatches">${COLOURS.map((name) => html`<div class="swatch" key=${name}><i style=${{ background: `var(--${name})` }}></i><code>--${name}</code></div>`)}</div><//>
      <${Section} title=${t("design.type")}>${SIZES.map((size) => html`<div class="row" key=${size}><code class="faint" style=${{ width: "56px" }}>${size}</code><span class="clip" style=${{ fontSize: `var(--text-${size})`, fontWeight: ["2xl", "xl", "lg"].includes(size) ? 600 : 400 }}>${t("design.title1")}</span></div>`)}<//>
      <${Section} title=${t("design.buttons")}>
        <div class="row wrap"><${Button} kind="primary" icon="refresh-cw">${t("design.primary")}<//><${Button} icon="plus">${t("design.ordinary")}<//><${Button} kind="quiet">${t("design.quiet")}<//><${Button} kind="danger" icon="trash">${t("design.danger")}<//><${Button} disabled>${t("design.disabled")}<//><${Button} small>${t("design.ordinary")}<//><${Button} icon="ellipsis" label=${t("do.more")} /><${Chip} icon="tag">${SAMPLE.label}<//><${Revision} revision="main@sha1:3f2a91c4d0b8a7f6e5d4c3b2a190817263544536" /></div>
        <${Tabs} label=${t("design.buttons")} current=${tab} onChange=${setTab} tabs=${[{ id: "a", label: t("design.tabs") }, { id: "b", label: t("design.type"), count: 12 }, { id: "c", label: t("design.icons") }]} />
      <//>
      <${Section} title=${t("design.inputs")}>
        <${Field} label=${t("design.field")} help=${t("design.field.help")}>${(/** @type {any} */ a) => html`<input class="input" value="web-shop" ...${a} />`}<//>
        <${Field} label=${t("design.field")} wrong=${t("design.field.wrong")}>${(/** @type {any} */ a) => html`<input class="input" value="Web Shop" ...${a} />`}<//>
        <${Check} checked=${on} onChange=${setOn} help=${t("design.check.help")}>${t("design.check")}<//>
      <//>
      <${Section} title=${t("design.icons")}><div class="row wrap">${Object.keys(icons).map((name) => html`<span key=${name} title=${name}><${Icon} name=${name} size=${20} /></span>`)}</div><//>
      <${Section} title=${t("design.messages")}>
        ${(/** @type {const} */ (["good", "busy", "warn", "bad", "idle"])).map((tone) => html`<${Notice} key=${tone} tone=${tone} title=${t("design.title1")}>${t("design.empty.what")}<//>`)}
        <${Waiting} rows=${3} />
        <${Empty} icon="layers" title=${t("design.empty")}>${t("design.empty.what")}<//>
        <${Wrong} problem=${new Problem({ title: "Immutable field", status: 422, reason: "ImmutableField", ref: "Deployment/shop/web", field: "spec.selector", detail: "cannot be changed in place", hint: "rename the Deployment, or set spec.force to recreate it" })} again=${() => {}} />
      <//>
      <${Section} title=${t("design.layers")}><div class="row wrap"><${Button} onClick=${() => setDialog(true)}>${t("design.dialog")}<//><${Button} onClick=${() => setPanel(true)}>${t("design.panel")}<//><${Button} onClick=${() => say("good", t("text.copied"))}>${t("design.toast")}<//><${Menu} label=${t("design.menu")} place="start" items=${[{ label: t("do.refresh"), icon: "refresh-cw" }, "-", { label: t("do.delete"), icon: "trash", danger: true }]} button=${(/** @type {any} */ a) => html`<${Button} icon="chevron-down" ...${a}>${t("design.menu")}<//>`} /></div><//>
      <${Section} title=${t("design.table")} what=${t("design.table.what")}><${Table} label=${t("design.table")} columns=${columns} total=${100000} at=${(/** @type {number} */ i) => i + 1} id=${String} height="280px" /><//>
      <${Section} title=${t("design.texts")}>
        <${Diff} before=${DEPLOYMENT} after=${CHANGED} title=${SAMPLE.ref} label=${SAMPLE.ref} names=${[t("diff.live"), t("diff.desired")]} />
        <${Yaml} text=${DEPLOYMENT} title=${SAMPLE.file} height="260px" />
        <div style=${{ height: "280px", display: "flex", flexDirection: "column" }}><${Log} lines=${lines} title=${SAMPLE.app} following=${follow} onFollow=${setFollow} /></div>
      <//>
      <${Section} title=${t("design.tree")}><div style=${{ height: "460px" }}><${Tree} nodes=${nodes} label=${t("design.tree")} current=${picked} onOpen=${(/** @type {any} */ node) => setPicked(node.id)} /></div><//>
      <${Section} title=${t("design.map")}><${DenseMap} cells=${cells} label=${t("design.map")} onOpen=${() => {}} /><//>
      <${Section} title=${t("design.timeline")}><${Timeline} entries=${entries} lanes=${["sync", "drift", "person", "event"]} span=${{ from: NOW - 86400000, to: NOW }} chosen=${moment} onChoose=${(/** @type {any} */ one) => setMoment(one.id)} label=${t("design.timeline")} /><//>
    </div>
    ${dialog && html`<${Dialog} title=${t("design.dialog")} onClose=${() => setDialog(false)} footer=${html`<${Button} onClick=${() => setDialog(false)}>${t("do.cancel")}<//><${Button} kind="primary" onClick=${() => setDialog(false)}>${t("do.save")}<//>`}><p>${t("design.empty.what")}</p><//>`}
    ${panel && html`<${Panel} label=${t("design.panel")} title=${html`<h2>${t("design.panel")}</h2>`} onClose=${() => setPanel(false)}><p>${t("design.empty.what")}</p><//>`}`;
}
