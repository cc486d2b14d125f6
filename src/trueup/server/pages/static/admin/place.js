// Registering, changing and forgetting a repository or a cluster, with the Secret that it writes beside the form.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { PLACE_FIELDS, bodyOf, emptyForm, formOf } from "../lib/placeforms.js";
import { Problem, call, send } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Button, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { MayNotChange, useCan } from "./can.js";
import { FieldForm, Written, useRested } from "./fields.js";

/** @typedef {import("../lib/placeforms.js").Sort} Sort @typedef {{yaml: string, deletable: boolean, form: import("../lib/placeforms.js").Form, version: string, object: string}} Kept `object`: as policies name it */

/** `PROJECT/URL`, or the URL. @param {{project: string, url?: string, server?: string}} row */
const objectOf = ({ project, url, server }) => [project, url ?? server ?? ""].filter(Boolean).join("/");

/** @param {string} yaml */
async function read(yaml) {
  const { load } = await import("js-yaml");
  return /** @type {Record<string, any>} */ (load(yaml));
}

/** @param {{sort: Sort, secret: string, url?: string, onDone: (changed: boolean) => void}} props `secret`: its name; "new" makes one */
export function PlaceDialog({ sort, secret, url = "", onDone }) {
  const isNew = secret === "new";
  const path = isNew ? `/${sort}` : `/${sort}/${encodeURIComponent(secret)}`;
  const { data, problem, again } = useLoaded(path, async (abort) => {
    if (isNew) return /** @type {Kept} */ ({ yaml: "", deletable: false, form: { ...emptyForm(sort), ...(url ? { url } : {}) }, version: "", object: "*" });
    const answer = await send(path, { signal: abort });
    const kept = await answer.json();
    return /** @type {Kept} */ ({ ...kept, form: formOf(sort, await read(kept.yaml)), version: answer.headers.get("ETag") ?? "", object: objectOf(kept.row) });
  });
  const title = isNew ? t(`place.new.${sort}`) : secret;
  if (!data) return html`<${Dialog} wide title=${title} onClose=${() => onDone(false)}>${problem ? html`<${Wrong} problem=${problem} again=${again} />` : html`<${Waiting} rows=${6} />`}<//>`;
  return html`<${Editing} sort=${sort} path=${path} isNew=${isNew} title=${title} kept=${data} onDone=${onDone} />`;
}

/** @param {{sort: Sort, path: string, isNew: boolean, title: string, kept: Kept, onDone: (changed: boolean) => void}} props */
function Editing({ sort, path, isNew, title, kept, onDone }) {
  const [form, setForm] = useState(kept.form);
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [failed, setFailed] = useState(/** @type {Problem | null} */ (null));
  // Of a new one nobody knows yet which it will be: its dry run says whether one may.
  const can = useCan(sort, isNew ? "get" : "update", isNew ? "*" : kept.object) !== false || isNew;
  const method = isNew ? "POST" : "PUT";
  const headers = kept.version ? { "If-Match": kept.version } : {};
  const body = bodyOf(sort, form);
  const rested = useRested(JSON.stringify(body));
  const touched = rested !== JSON.stringify(bodyOf(sort, isNew ? emptyForm(sort) : kept.form));
  // The server says what it would write, and what is wrong with it, before anything is written.
  const tried = useLoaded(touched && can ? rested : null, async (abort) => {
    try {
      return { yaml: /** @type {string} */ ((await call(path, { method, query: { dryRun: true }, body: JSON.parse(rested), signal: abort })).yaml), problem: null };
    } catch (error) {
      if (abort.aborted || !(error instanceof Problem)) throw error;
      return { yaml: "", problem: error };
    }
  });
  useEffect(() => setFailed(null), [rested]);
  const problem = failed ?? (touched ? (tried.data?.problem ?? null) : null);
  // What one may not even see is "not there", also where one would make it: here that means the right to make it.
  const mayNotMake = isNew && (problem?.details.status === 404 || problem?.details.status === 403);
  const wanted = objectOf({ project: form["project"] ?? "", url: form["url"], server: form["server"] });
  const act = async (/** @type {() => Promise<any>} */ doing, /** @type {string} */ done) => {
    setBusy(true);
    try {
      await doing();
      say("good", done);
      onDone(true);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setFailed(error);
    } finally {
      setBusy(false);
    }
  };
  const save = () => act(() => call(path, { method, body, headers }), t("place.saved"));
  const forget = () => act(() => call(path, { method: "DELETE", headers }), t("place.forgotten", { name: title }));
  return html`<${Dialog} wide title=${title} onClose=${() => onDone(false)} footer=${html`
      ${!isNew && kept.deletable && (sure ? html`<${Button} kind="danger" icon="trash" disabled=${busy} onClick=${forget}>${t("place.forget.sure")}<//>` : html`<${Button} icon="trash" onClick=${() => setSure(true)}>${t("place.forget")}<//>`)}<span class="grow"></span>
      <${Button} onClick=${() => onDone(false)}>${t("do.cancel")}<//><${Button} kind="primary" disabled=${busy || !can || !touched || tried.waiting || Boolean(tried.data?.problem)} onClick=${save}>${t("do.save")}<//>`}>
    ${!can && html`<${MayNotChange} resource=${sort} action="update" object=${kept.object} />`}
    ${mayNotMake && html`<${MayNotChange} resource=${sort} action="create" object=${wanted} make />`}
    ${sure && html`<${Notice} tone="warn">${t("place.forget.what")}<//>`}
    <${FieldForm} fields=${PLACE_FIELDS[sort]} form=${form} onForm=${setForm} problem=${mayNotMake ? null : problem} stays=${!isNew} beside=${html`<${Written} text=${touched ? tried.data?.yaml || kept.yaml : kept.yaml} name=${`${sort}.yaml`} />`} />
  <//>`;
}
