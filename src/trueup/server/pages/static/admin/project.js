// An AppProject: what it allows as a form, and the whole of it as YAML that one may edit as well; each follows the other.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { Problem, call, send } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { useLoaded } from "../live/resource.js";
import { Button, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { useNewest } from "../ui/newest.js";
import { Typing } from "../ui/typing.js";
import { LinksOf } from "../pages/links.js";
import { MayNotChange, useCan } from "./can.js";

/** @typedef {Record<string, any>} Manifest */

/** @param {{name: string, onDone: (changed: boolean) => void}} props "new" makes one */
export function ProjectDialog({ name, onDone }) {
  const isNew = name === "new";
  const { data, problem, again } = useLoaded(name, async (abort) => {
    /** @type {Manifest} */ let resource = { apiVersion: "argoproj.io/v1alpha1", kind: "AppProject", metadata: { name: "" }, spec: { description: "", sourceRepos: [], destinations: [] } };
    let version = "";
    if (!isNew) {
      const answer = await send(`/projects/${encodeURIComponent(name)}`, { signal: abort });
      version = answer.headers.get("ETag") ?? "";
      const { metadata, spec } = (await answer.json()).resource;
      resource = { ...resource, metadata: { name: metadata.name }, spec };
    }
    return { resource, version, text: await toYaml(resource) };
  });
  const title = isNew ? t("project.new") : name;
  if (!data) return html`<${Dialog} wide title=${title} onClose=${() => onDone(false)}>${problem ? html`<${Wrong} problem=${problem} again=${again} />` : html`<${Waiting} rows=${6} />`}<//>`;
  return html`<${Editing} name=${name} isNew=${isNew} title=${title} start=${data} onDone=${onDone} />`;
}

/** @param {{name: string, isNew: boolean, title: string, start: {resource: Manifest, version: string, text: string}, onDone: (changed: boolean) => void}} props */
function Editing({ name, isNew, title, start, onDone }) {
  const [resource, setResource] = useState(start.resource);
  const [text, setText] = useState(start.text);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const can = useCan("projects", isNew ? "create" : "update", isNew ? "*" : name);
  const spec = resource["spec"] ?? {};
  const newest = useNewest(resource);
  const form = async (/** @type {(was: Manifest) => Manifest} */ change) => {
    const changed = (newest.current = change(newest.current));
    setResource(changed);
    setWrong("");
    const written = await toYaml(changed);
    if (newest.current === changed) setText(written);
  };
  const set = (/** @type {string} */ field, /** @type {unknown} */ value) => void form((was) => ({ ...was, spec: { ...was["spec"], [field]: value } }));
  const typed = async (/** @type {string} */ next) => {
    setText(next);
    const { load } = await import("js-yaml");
    try {
      const read = /** @type {any} */ (load(next));
      if (typeof read !== "object" || read === null || typeof read.spec !== "object" || read.spec === null) throw new Error(t("project.no-spec"));
      newest.current = read;
      setResource(read);
      setWrong("");
    } catch (error) {
      setWrong(error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
    }
  };
  const act = async (/** @type {() => Promise<any>} */ doing, /** @type {string} */ done) => {
    setBusy(true);
    setProblem(null);
    try {
      await doing();
      say("good", done);
      onDone(true);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const path = `/projects/${encodeURIComponent(name)}`;
  /** @type {Record<string, string>} */ const headers = start.version ? { "If-Match": start.version } : {};
  const save = () => act(() => (isNew ? call("/projects", { method: "POST", body: resource }) : call(path, { method: "PUT", body: resource, headers })), t("place.saved"));
  const remove = () => act(() => call(path, { method: "DELETE", headers }), t("place.forgotten", { name }));
  return html`<${Dialog} wide title=${title} onClose=${() => onDone(false)} footer=${html`
      ${!isNew && name !== "default" && (sure ? html`<${Button} kind="danger" icon="trash" disabled=${busy} onClick=${remove}>${t("project.delete.sure")}<//>` : html`<${Button} icon="trash" onClick=${() => setSure(true)}>${t("do.delete")}<//>`)}<span class="grow"></span>
      <${Button} onClick=${() => onDone(false)}>${t("do.cancel")}<//><${Button} kind="primary" disabled=${busy || can === false || Boolean(wrong) || text === start.text} onClick=${save}>${t("do.save")}<//>`}>
    ${can === false && html`<${MayNotChange} resource="projects" action=${isNew ? "create" : "update"} object=${isNew ? "*" : name} />`}
    ${problem && html`<${Notice} tone="bad" title=${problem.details.title}>${[problem.details.field, problem.details.detail].filter(Boolean).join(": ")} ${problem.details.hint}<//>`}
    ${!isNew && html`<${LinksOf} path=${path} state=${start.version} />`}
    <div class="admin-form"><div class="stack">
      ${isNew && html`<${Field} label=${t("apps.name")}>${(/** @type {any} */ a) => html`<input class="input" autocapitalize="off" spellcheck="false" value=${resource["metadata"]?.name ?? ""} onInput=${(/** @type {any} */ event) => {
        const called = event.currentTarget.value;
        void form((was) => ({ ...was, metadata: { ...was["metadata"], name: called } }));
      }} ...${a} />`}<//>`}
      <${Field} label=${t("project.description")}>${(/** @type {any} */ a) => html`<input class="input" value=${spec.description ?? ""} onInput=${(/** @type {any} */ event) => set("description", event.currentTarget.value)} ...${a} />`}<//>
      <${Lines} label=${t("project.repos")} help=${t("project.repos.help")} values=${spec.sourceRepos ?? []} onValues=${(/** @type {string[]} */ values) => set("sourceRepos", values)} />
      <${Lines} label=${t("project.destinations")} help=${t("project.destinations.help")} values=${(spec.destinations ?? []).map(destinationText)} onValues=${(/** @type {string[]} */ values) => set("destinations", values.map((value) => destinationOf(value, spec.destinations ?? [])))} />
      <p class="muted">${t("project.rest", { roles: (spec.roles ?? []).length, windows: (spec.syncWindows ?? []).length })}</p>
    </div><div class="stack">
      <${Field} label=${t("place.yaml")} wrong=${wrong} help=${t("place.git")}>${(/** @type {any} */ a) => html`<textarea class="input code" rows="22" spellcheck="false" autocapitalize="off" value=${text} onInput=${(/** @type {any} */ event) => void typed(event.currentTarget.value)} ...${a}></textarea>`}<//>
    </div></div>
  <//>`;
}

/** @param {{label: string, help: string, values: string[], onValues: (values: string[]) => void}} props */
const Lines = ({ label, help, values, onValues }) => html`<${Field} label=${label} help=${help}>${(/** @type {any} */ a) => html`<${Typing} rows=${Math.min(8, values.length + 1)} spellcheck="false" autocapitalize="off" shown=${values.join("\n")} tell=${(/** @type {string} */ text) => onValues(text.split("\n").map((line) => line.trim()).filter(Boolean))} ...${a} />`}<//>`;

/** @param {{name?: string, server?: string, namespace?: string}} one */
export const destinationText = (one) => `${one.name || one.server || "*"}#${one.namespace || "*"}`;

/** What a line says of where Apps may go; one that is there already stays as it is, with all that it says. @param {string} text @param {Array<{name?: string, server?: string, namespace?: string}>} before */
export function destinationOf(text, before) {
  const same = before.find((one) => destinationText(one) === text);
  if (same) return same;
  const at = text.lastIndexOf("#");
  const [where, namespace] = at < 0 ? [text, "*"] : [text.slice(0, at), text.slice(at + 1)];
  return /^https?:\/\//.test(where) || where === "*" ? { server: where, namespace } : { name: where, namespace };
}
