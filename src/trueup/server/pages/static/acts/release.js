// What a sync would do to a Helm release: which action, from which chart to which, with which other values. Its hooks stand in the plan.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { chartsOf, plainValue } from "../lib/plan.js";
import { Button, Chip } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";

/** @typedef {import("../lib/plan.js").Release} Release */

const FIRST = 8;
const HIDDEN = "(hidden)";
/** @type {Record<string, [string, string]>} action -> tone, icon */
const SIGNS = { install: ["good", "plus"], upgrade: ["busy", "arrow-up"], rollback: ["warn", "undo-2"], uninstall: ["bad", "trash"], test: ["busy", "badge-check"], none: ["none", "check"] };

/** @param {{release: Release}} props */
export function ReleaseStep({ release }) {
  const [tone, icon] = SIGNS[release.action] ?? ["none", "package"];
  return html`<section class="card act-release" aria-label=${t("release.title")}>
    <div class="row wrap"><span class=${`status large tone-${tone}`}><${Icon} name=${icon} /><span>${actionOf(release)}</span></span><${Charts} release=${release} />
      ${release.nextRecord !== release.record ? html`<span class="faint num">${release.record ? t("release.records", { from: release.record, to: release.nextRecord }) : t("release.record", { n: release.nextRecord })}</span>` : release.record > 0 && html`<span class="faint num">${t("release.record", { n: release.record })}</span>`}</div>
    ${release.why && html`<p class="muted">${release.why}</p>`}
    ${release.becomes && html`<${Values} release=${release} />`}
  </section>`;
}

/** @param {Release} release */
export const actionOf = (release) => t(/** @type {any} */ (`release.${release.action in SIGNS ? release.action : "none"}`));

/** @param {{release: Release}} props */
function Charts({ release }) {
  const { name, from, to } = chartsOf(release);
  return html`<span class="row wrap act-charts">${name && html`<strong class="clip">${name}</strong>`}${from && html`<${Chip} icon="package">${from}<//>`}${to !== from && to && html`${from && html`<${Icon} name="arrow-right" size=${14} />`}<${Chip} icon="package">${to}<//>`}</span>`;
}

/** @param {{release: Release}} props */
function Values({ release }) {
  const [all, setAll] = useState(false);
  const rows = release.values;
  if (!rows.length) return release.action === "install" ? html`<p class="muted">${t("release.values.default")}</p>` : html`<p class="muted">${t("release.values.same")}</p>`;
  return html`<div class="stack"><h3>${release.record ? t("release.values", { n: rows.length }) : t("release.values.set", { n: rows.length })}</h3>
    <dl class="act-values">${rows.slice(0, all ? rows.length : FIRST).map((row) => html`<div key=${row.path}><dt><code>${row.path}</code></dt><dd class="code">${row.before ? html`<del><${Value} text=${row.before} /></del>` : ""}${row.before && row.after && html`<${Icon} name="arrow-right" size=${13} />`}${row.after ? html`<ins><${Value} text=${row.after} /></ins>` : html`<span class="faint">${t("release.value.gone")}</span>`}</dd></div>`)}</dl>
    ${rows.length > FIRST && html`<div><${Button} kind="quiet" small icon=${all ? "chevron-up" : "chevron-down"} onClick=${() => setAll(!all)}>${all ? t("release.values.less") : t("release.values.more", { n: rows.length - FIRST })}<//></div>`}
  </div>`;
}

/** @param {{text: string}} props */
function Value({ text }) {
  const plain = plainValue(text);
  return plain === HIDDEN ? html`<span class="row act-hidden" title=${t("text.masked")}><${Icon} name="lock" size=${12} />${t("release.value.hidden")}</span>` : plain === "" ? html`<span class="faint">${t("release.value.empty")}</span>` : plain;
}
