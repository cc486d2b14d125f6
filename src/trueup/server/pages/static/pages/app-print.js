// An App on paper: what is going on, its facts, and every object with its state in words.
import { html } from "../lib/html.js";
import { clock, moment, t, word } from "../i18n/i18n.js";

/** @param {{app: import("../live/apps.js").App, nodes: readonly import("../live/app.js").Node[], about: any}} props */
export function PrintSheet({ app, nodes, about }) {
  return html`<div class="print-sheet">
    <p class="muted">${t("print.at", { moment: moment(clock.peek()), address: location.origin + location.pathname })}</p>
    ${about}
    <h2>${t("app.list")} <span class="muted num">${nodes.length}</span></h2>
    <table class="plain-table"><thead><tr><th>${t("fact.kind")}</th><th>${t("facet.namespace")}</th><th>${t("apps.name")}</th><th>${t("facet.health")}</th><th>${t("facet.sync")}</th><th>${t("apps.message")}</th></tr></thead>
      <tbody>${nodes.map((node) => html`<tr key=${node.id}><td>${node.kind}</td><td>${node.namespace}</td><td>${node.name}</td><td>${node.health && word("status", node.health)}</td><td>${node.sync && word("status", node.sync)}</td><td>${node.message || node.note}</td></tr>`)}</tbody></table>
    ${app.message && html`<p>${app.message}</p>`}
  </div>`;
}
