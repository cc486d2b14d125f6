// Leaving an App alone: why, and until when.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { Button, Field, Notice } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { Declared, Failed, useDoing } from "./doing.js";

/** As a field for local times has it. @param {Date} at */
const local = (at) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** @param {number} hours */
const inHours = (hours) => local(new Date(Date.now() + hours * 3_600_000));
function tomorrow() {
  const at = new Date();
  at.setDate(at.getDate() + 1);
  at.setHours(8, 0, 0, 0);
  return local(at);
}

/** A time to come, or none. @param {{label: string, help: string, value: string, onValue: (text: string) => void}} props */
export function Until({ label, help, value, onValue }) {
  const wrong = value && new Date(value).getTime() <= Date.now() ? t("until.past") : "";
  return html`<div class="stack"><${Field} label=${label} help=${help} wrong=${wrong}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" type="datetime-local" min=${inHours(0)} value=${value} onInput=${(/** @type {any} */ event) => onValue(event.currentTarget.value)} />`}<//>
    <span class="row wrap"><${Button} small onClick=${() => onValue(inHours(1))}>${t("until.hour")}<//><${Button} small onClick=${() => onValue(tomorrow())}>${t("until.tomorrow")}<//><${Button} small onClick=${() => onValue(inHours(24 * 7))}>${t("until.week")}<//>${value && html`<${Button} small kind="quiet" icon="x" onClick=${() => onValue("")}>${t("until.open")}<//>`}</span></div>`;
}

/** @param {{one: import("../live/app.js").OneApp, app: import("../live/app.js").App, onClose: () => void}} props */
export function Suspend({ one, app, onClose }) {
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const doing = useDoing();
  const ask = async () => {
    if (await doing.run(async () => void (await one.change("PUT", "/suspension", { reason, ...(until ? { until: new Date(until).toISOString() } : {}) })))) {
      say("good", t("app.asked.suspend", { name: app.name }));
      onClose();
    }
  };
  return html`<${Dialog} title=${t("suspend.title", { name: app.name })} onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="primary" icon="pause" disabled=${doing.busy} onClick=${ask}>${t("do.suspend")}<//>`}>
    <${Notice} tone="idle">${t("suspend.what")}<//>
    <${Declared} resource=${one.resource.value} />
    <${Failed} problem=${doing.problem} />
    <${Field} label=${t("suspend.reason")} help=${t("suspend.reason.help")}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" maxlength="200" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.currentTarget.value)} />`}<//>
    <${Until} label=${t("suspend.until")} help=${t("suspend.until.help")} value=${until} onValue=${setUntil} />
  <//>`;
}
