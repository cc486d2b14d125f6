// YAML to write in: a plain field that says in which line it cannot be read.
import { html } from "../lib/html.js";
import { useId } from "preact/hooks";
import { Notice } from "../ui/basics.js";
import { t } from "../i18n/i18n.js";

/** What the text says, or why it cannot be read. @param {string} text @returns {Promise<{documents: Record<string, any>[], problem: string}>} */
export async function readYaml(text) {
  const { loadAll } = await import("js-yaml");
  try {
    const documents = /** @type {any[]} */ (loadAll(text)).filter((one) => one !== null && one !== undefined);
    if (documents.some((one) => typeof one !== "object" || Array.isArray(one))) return { documents: [], problem: t("yaml.no-object") };
    return { documents, problem: "" };
  } catch (error) {
    const { reason, message, mark } = /** @type {any} */ (error);
    return { documents: [], problem: mark ? t("yaml.at", { line: mark.line + 1, reason: reason ?? message }) : String(message) };
  }
}

/** Tab leads on, as in every field. @param {{text: string, onText: (text: string) => void, label: string, problem?: string, rows?: number}} props */
export function YamlField({ text, onText, label, problem = "", rows = 22 }) {
  const id = useId();
  return html`<div class="stack act-yaml"><textarea id=${id} class="input code" aria-label=${label} aria-invalid=${problem ? "true" : undefined} aria-describedby=${problem ? `${id}-why` : undefined} spellcheck=${false} autocapitalize="off" autocomplete="off" rows=${rows} wrap="off" value=${text} onInput=${(/** @type {any} */ event) => onText(event.currentTarget.value)}></textarea>${problem && html`<div id=${`${id}-why`}><${Notice} tone="bad">${problem}<//></div>`}</div>`;
}
