// The badge of an App, and what to write into a README so that it stands there.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { badgeAddress, badgeText } from "../lib/badge.js";
import { base, href } from "../lib/route.js";
import { call } from "../live/api.js";
import { pageOf } from "../live/apps.js";
import { useLoaded } from "../live/resource.js";
import { Button, Check, Field, Notice } from "../ui/basics.js";
import { copy } from "../ui/text.js";

const FORMS = /** @type {const} */ (["markdown", "html", "asciidoc", "address"]);

/** @param {{app: import("../live/apps.js").App}} props */
export function Badge({ app }) {
  const [revision, setRevision] = useState(false);
  const [named, setNamed] = useState(false);
  const [form, setForm] = useState(/** @type {typeof FORMS[number]} */ ("markdown"));
  const { data } = useLoaded("badge", (abort) => /** @type {Promise<{statusBadgeEnabled?: boolean, statusBadgeRootUrl?: string}>} */ (call("/api/v1/settings", { signal: abort }).catch(() => ({}))));
  const root = (data?.statusBadgeRootUrl || location.origin + base).replace(/\/+$/, "");
  const query = { app, revision, named };
  const text = badgeText(form, { image: badgeAddress(root, query), page: location.origin + href(pageOf(app)), name: app.name });
  return html`<section class="card badge-card" aria-label=${t("badge.title")}><header><h2>${t("badge.title")}</h2></header><div class="body stack">
    ${data && data.statusBadgeEnabled === false && html`<${Notice} tone="warn" title=${t("badge.off")}>${t("badge.off.what")} <a href=${href("/settings?map=argocd-cm&key=statusbadge.enabled")}>${t("badge.off.do")}</a><//>`}
    <div><img src=${badgeAddress(base, query)} alt=${t("badge.alt", { name: app.name })} height=${named ? 40 : 20} /></div>
    <div class="row wrap"><${Check} checked=${revision} onChange=${setRevision}>${t("badge.revision")}<//><${Check} checked=${named} onChange=${setNamed}>${t("badge.name")}<//></div>
    <${Field} label=${t("badge.form")}>${(/** @type {any} */ a) => html`<select class="input" value=${form} onChange=${(/** @type {any} */ event) => setForm(event.currentTarget.value)} ...${a}>${FORMS.map((one) => html`<option key=${one} value=${one}>${t(`badge.${one}`)}</option>`)}</select>`}<//>
    <div class="row wrap"><pre class="code command grow" tabindex="0" aria-label=${t("badge.text")}>${text}</pre><${Button} icon="copy" onClick=${() => copy(text)}>${t("text.copy")}<//></div>
  </div></section>`;
}
