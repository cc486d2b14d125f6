// A form of fields that one table describes, and beside it the YAML that it will write. What a field is refused for stands below that field.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { pairsOf, parts } from "../lib/placeforms.js";
import { Check, Field, Notice } from "../ui/basics.js";
import { useNewest } from "../ui/newest.js";
import { Yaml } from "../ui/text.js";
import { Typing } from "../ui/typing.js";

/** @typedef {import("../lib/placeforms.js").FieldOf} FieldOf @typedef {import("../lib/placeforms.js").Form} Form @typedef {import("../i18n/i18n.js").Key} Key @typedef {import("../live/api.js").Problem} Problem */

/** A value that has rested for a while. @template T @param {T} value @param {number} [milliseconds] @returns {T} */
export function useRested(value, milliseconds = 350) {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

/** The field that a refusal names: "body.url" -> "url". @param {Problem | null} problem */
const named = (problem) => (problem?.details.field ?? "").replace(/^body\./, "").replace(/[[.].*$/, "");

/** @param {{fields: FieldOf[], form: Form, onForm: (form: Form) => void, problem: Problem | null, stays: boolean, beside: any}} props `stays`: credentials that are left alone stay as they are */
export function FieldForm({ fields, form, onForm, problem, stays, beside }) {
  const shown = fields.filter((field) => !field.when || field.when(form));
  const said = named(problem);
  const newest = useNewest(form);
  const known = shown.some((field) => field.name === said);
  const draw = (/** @type {FieldOf} */ field) => html`<${One} key=${field.name} field=${field} value=${form[field.name]} stays=${stays} wrong=${field.name === said ? [problem?.details.detail, problem?.details.hint].filter(Boolean).join(". ") : ""} onValue=${(/** @type {any} */ value) => onForm((newest.current = { ...newest.current, [field.name]: value }))} />`;
  const more = shown.filter((field) => field.more);
  return html`<div class="admin-form"><div class="stack">
      ${problem && !known && html`<${Notice} tone="bad" title=${problem.details.title}>${problem.details.detail} ${problem.details.hint}<//>`}
      ${shown.filter((field) => !field.more).map(draw)}
      ${more.length > 0 && html`<details open=${more.some((field) => field.name === said || form[field.name])}><summary>${t("place.more")}</summary><div class="stack">${more.map(draw)}</div></details>`}
    </div><div class="stack">${beside}</div></div>`;
}

/** @param {{field: FieldOf, value: any, stays: boolean, wrong: string, onValue: (value: any) => void}} props */
function One({ field, value, stays, wrong, onValue }) {
  const label = t(/** @type {Key} */ (field.label));
  const typed = (/** @type {any} */ event) => onValue(event.currentTarget.value);
  if (field.type === "bool") return html`<${Check} checked=${Boolean(value)} onChange=${onValue}>${label}<//>`;
  const common = { class: "input", spellcheck: false, autocapitalize: "off", autocomplete: "off" };
  const secret = field.type === "secret" || field.type === "area";
  return html`<${Field} label=${label} wrong=${wrong} help=${secret && stays ? t("place.stays") : ""}>${(/** @type {any} */ a) =>
    field.type === "choice" ? html`<select class="input" value=${value ?? ""} onChange=${typed} ...${a}>${(field.choices ?? []).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>`
    : field.type === "area" ? html`<textarea ...${common} rows="3" value=${value ?? ""} onInput=${typed} ...${a}></textarea>`
    : field.type === "list" ? html`<${Typing} ...${common} placeholder=${field.place} shown=${(value ?? []).join(", ")} tell=${(/** @type {string} */ text) => onValue(parts(text))} ...${a} />`
    : field.type === "map" ? html`<${Typing} ...${common} placeholder=${field.place} shown=${Object.entries(value ?? {}).map(([key, one]) => `${key}=${one}`).join(", ")} tell=${(/** @type {string} */ text) => onValue(pairsOf(text))} ...${a} />`
    : html`<input ...${common} type=${field.type === "secret" ? "password" : "text"} autocomplete=${field.type === "secret" ? "new-password" : "off"} placeholder=${field.place} value=${value ?? ""} onInput=${typed} ...${a} />`}<//>`;
}

/** The YAML beside a form, and where it belongs. @param {{text: string, name: string}} props */
export const Written = ({ text, name }) => html`<${Yaml} text=${text || "\n"} title=${t("place.yaml")} name=${name} /><p class="faint">${t("place.git")}</p>`;
