// The settings that Trueup and Argo CD share: each key with what it means; a change is tried by the server before it is made, and shown as the YAML that it writes.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t, word } from "../i18n/i18n.js";
import { query, setQuery } from "../lib/route.js";
import { Problem, call, send } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { MayNotChange, useCan } from "../admin/can.js";
import { Written, useRested } from "../admin/fields.js";
import { useTitle } from "../shell.js";
import { Button, Check, Chip, Empty, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { Dialog, say } from "../ui/layers.js";

/** @typedef {{key: string, value: string, known: boolean, hides: boolean, meaning: string}} Setting @typedef {{place: string, message: string, hint: string}} Remark @typedef {{name: string, settings: Setting[], known: Array<{key: string, meaning: string}>, yaml: string, declared: string, remarks: Remark[]}} SettingsMap */

/** No key of a ConfigMap has a colon. */
const NEW = "new:";

export function Page() {
  useTitle([{ label: t("nav.settings") }]);
  const { data, problem, again } = useLoaded("settings", async (abort) => /** @type {SettingsMap[]} */ ((await call("/settings", { signal: abort })).items));
  const can = useCan("settings", "update", "argocd-cm");
  const [name, key] = [query.value.get("map"), query.value.get("key")];
  const close = (/** @type {boolean} */ changed) => {
    setQuery({ map: null, key: null });
    if (changed) again();
  };
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${8} height=${22} />`;
  const opened = data.find((one) => one.name === name);
  return html`<div class="page-head"><h1>${t("nav.settings")}</h1></div><p class="muted">${t("settings.what")}</p>
    ${can === false && html`<${MayNotChange} resource="settings" action="update" object="argocd-cm" />`}
    ${data.map((one) => html`<${Map_} key=${one.name} map=${one} can=${can === true} />`)}
    ${opened && key !== null && html`<${Opened} key=${`${name} ${key}`} name=${opened.name} start=${key === NEW ? "" : key} can=${can !== false} onDone=${close} />`}`;
}

/** In the reader's language; in the API's words where the pages know the key not yet. @param {SettingsMap} map @param {string} meaning */
function meaningOf(map, meaning) {
  const key = map.known.find((one) => one.meaning === meaning)?.key;
  const said = key ? word("setting", key) : "";
  return said === key ? meaning : said || meaning;
}

/** @param {{map: SettingsMap, can: boolean}} props */
function Map_({ map, can }) {
  return html`<section class="card" aria-label=${map.name}><header><h2 class="row fit"><${Icon} name="sliders-horizontal" size=${16} />${map.name}</h2><span class="muted grow">${t(map.name === "argocd-cm" ? "settings.general" : "settings.policies")}</span>${!map.declared && can && html`<${Button} small icon="plus" onClick=${() => setQuery({ map: map.name, key: NEW })}>${t("settings.add")}<//>`}</header>
    ${map.declared && html`<div class="body"><${Notice} tone="none" icon="git-branch" title=${t("settings.declared", { app: map.declared })}>${t("settings.declared.what")}<//></div>`}
    ${map.settings.length ? map.settings.map((one) => html`<button type="button" key=${one.key} class="list-line" style=${{ width: "100%" }} onClick=${() => setQuery({ map: map.name, key: one.key })}>
      <span class="grow setting"><span class="row wrap"><strong class="mono clip">${one.key}</strong>${one.hides && html`<${Chip} icon="lock">${t("settings.hides")}<//>`}${!one.known && html`<${Chip}>${t("settings.not-ours")}<//>`}</span>${one.meaning && html`<span class="muted">${meaningOf(map, one.meaning)}</span>`}<code class="two-lines">${one.value || "–"}</code></span>
    </button>`) : html`<${Empty} icon="sliders-horizontal" title=${t("settings.none")}>${t("settings.none.what")}<//>`}
  </section>`;
}

/** Read anew, together with the version that a change names: the list may be older than that. @param {{name: string, start: string, can: boolean, onDone: (changed: boolean) => void}} props */
function Opened({ name, start, can, onDone }) {
  const path = `/settings/${encodeURIComponent(name)}`;
  const { data, problem, again } = useLoaded(path, async (abort) => {
    const answer = await send(path, { signal: abort });
    return { map: /** @type {SettingsMap} */ (await answer.json()), version: answer.headers.get("ETag") ?? "" };
  });
  if (!data) return html`<${Dialog} wide title=${start || t("settings.add")} onClose=${() => onDone(false)}>${problem ? html`<${Wrong} problem=${problem} again=${again} />` : html`<${Waiting} rows=${6} />`}<//>`;
  return html`<${Editing} map=${data.map} version=${data.version} path=${path} start=${start} can=${can} onDone=${onDone} />`;
}

/** @param {{map: SettingsMap, version: string, path: string, start: string, can: boolean, onDone: (changed: boolean) => void}} props */
function Editing({ map, version, path, start, can, onDone }) {
  const before = map.settings.find((one) => one.key === start);
  const [key, setKey] = useState(start);
  const [value, setValue] = useState(before?.value ?? "");
  const [lockOut, setLockOut] = useState(false);
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [failed, setFailed] = useState(/** @type {Problem | null} */ (null));
  const able = can && !map.declared;
  const rested = useRested(JSON.stringify([key.trim(), value, lockOut]));
  const touched = Boolean(key.trim()) && (value !== (before?.value ?? "") || !before);
  const change = (/** @type {string | null} */ to, /** @type {boolean} */ dryRun) => call(path, { method: "PATCH", query: { dryRun, lockOut }, body: { data: { [key.trim()]: to } }, headers: version ? { "If-Match": version } : {} });
  const tried = useLoaded(touched && able ? rested : null, async (abort) => {
    try {
      return { map: /** @type {SettingsMap} */ (await change(value, true)), problem: null };
    } catch (error) {
      if (abort.aborted || !(error instanceof Problem)) throw error;
      return { map: null, problem: error };
    }
  });
  useEffect(() => setFailed(null), [rested]);
  const write = async (/** @type {string | null} */ to) => {
    setBusy(true);
    try {
      await change(to, false);
      say("good", t("place.saved"));
      onDone(true);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setFailed(error);
    } finally {
      setBusy(false);
    }
  };
  const problem = failed ?? tried.data?.problem ?? null;
  const lines = value.split("\n").length;
  const meaning = meaningOf(map, before?.meaning || map.known.find((one) => one.key === key.trim())?.meaning || "");
  return html`<${Dialog} wide title=${start || t("settings.add")} onClose=${() => onDone(false)} footer=${html`
      ${before && able && html`<${Button} icon="trash" kind=${sure ? "danger" : ""} disabled=${busy} onClick=${() => (sure ? write(null) : setSure(true))}>${t(sure ? "settings.remove.sure" : "settings.remove")}<//>`}<span class="grow"></span>
      <${Button} onClick=${() => onDone(false)}>${t("do.cancel")}<//><${Button} kind="primary" disabled=${!able || busy || !touched || tried.waiting || Boolean(tried.data?.problem)} onClick=${() => write(value)}>${t("do.save")}<//>`}>
    ${!can && html`<${MayNotChange} resource="settings" action="update" object=${map.name} />`}
    ${map.declared && html`<${Notice} tone="none" icon="git-branch" title=${t("settings.declared", { app: map.declared })}>${t("settings.declared.what")}<//>`}
    ${problem && html`<${Notice} tone="bad" title=${problem.details.title}>${problem.details.detail}${problem.details.hint && html`<div class="muted">${problem.details.hint}</div>`}<//>`}
    ${(problem?.details.hint ?? "").includes("lockOut") || lockOut ? html`<${Check} checked=${lockOut} onChange=${setLockOut}>${t("settings.lock-out")}<//>` : null}
    ${(tried.data?.map?.remarks ?? []).map((one) => html`<${Notice} key=${one.place + one.message} tone="warn" title=${one.place}>${one.message} ${one.hint}<//>`)}
    <div class="admin-form"><div class="stack">
      ${!before && html`<${Field} label=${t("settings.key")} help=${meaning}>${(/** @type {any} */ a) => html`<input class="input mono" list="known-settings" autocapitalize="off" spellcheck="false" value=${key} onInput=${(/** @type {any} */ event) => setKey(event.currentTarget.value)} ...${a} /><datalist id="known-settings">${map.known.filter((one) => !one.key.includes("*")).map((one) => html`<option key=${one.key} value=${one.key}>${meaningOf(map, one.meaning)}</option>`)}</datalist>`}<//>`}
      <${Field} label=${t("settings.value")} help=${before ? meaning : ""}>${(/** @type {any} */ a) => html`<textarea class="input code" rows=${Math.min(24, Math.max(3, lines + 1))} spellcheck="false" autocapitalize="off" readonly=${!able} value=${value} onInput=${(/** @type {any} */ event) => setValue(event.currentTarget.value)} ...${a}></textarea>`}<//>
      ${before?.hides && html`<p class="faint">${t("settings.hidden")}</p>`}
    </div><div class="stack"><${Written} text=${tried.data?.map?.yaml ?? map.yaml} name=${`${map.name}.yaml`} /></div></div>
  <//>`;
}
