// Pods by the node that they run on: each by its name where there are few, as a dense map where there are many.
import { html } from "../lib/html.js";
import { useMemo } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { Count } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { DenseMap } from "../ui/map.js";
import { Status } from "../ui/status.js";

/** @typedef {import("../live/app.js").Node} Node */

const FEW = 60;

/** @param {{pods: readonly Node[], onOpen: (id: string) => void}} props */
export const Pods = (props) => (props.pods.length > FEW ? html`<${Many} ...${props} />` : html`<${Some} ...${props} />`);

/** @param {{pods: readonly Node[], onOpen: (id: string) => void}} props */
function Some({ pods, onOpen }) {
  /** @type {Map<string, Node[]>} */ const nodes = new Map();
  for (const pod of pods) nodes.set(pod.host ?? "", [...(nodes.get(pod.host ?? "") ?? []), pod]);
  const sorted = [...nodes].sort(([a], [b]) => (a < b ? -1 : 1));
  return html`<div class="card pods"><div class="body stack">${sorted.map(([node, some]) => html`<section class="stack" key=${node} aria-label=${node || t("app.pods.nowhere")}>
    <h3 class="row"><${Icon} name="server" size=${15} />${node || t("app.pods.nowhere")}<${Count} n=${some.length} /></h3>
    <ul>${some.map((pod) => html`<li key=${pod.id}><button type="button" class="pod" title=${pod.message || pod.name} onClick=${() => onOpen(pod.id)}><span class="clip">${pod.name}</span><span class="row"><${Status} status=${pod.health || "Healthy"} />${pod.note && html`<small class="faint clip">${pod.note}</small>`}</span></button></li>`)}</ul>
  </section>`)}</div></div>`;
}

/** @param {{pods: readonly Node[], onOpen: (id: string) => void}} props */
function Many({ pods, onOpen }) {
  const cells = useMemo(() => pods.map((pod) => ({ id: pod.id, name: pod.name, status: pod.health || "Healthy", group: pod.host ?? "", note: pod.message || pod.note })), [pods]);
  return html`<div class="card" style=${{ overflow: "auto" }}><div class="body"><${DenseMap} cells=${cells} label=${t("app.pods")} onOpen=${(/** @type {any} */ cell) => onOpen(cell.id)} /></div></div>`;
}
