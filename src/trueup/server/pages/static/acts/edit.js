// Editing an App: the same form as for a new one, with the YAML, and how it differs from what there is before it is sent.
import { html } from "../lib/html.js";
import { useEffect, useMemo, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { manifestsOf, missingOf } from "../lib/drafts.js";
import { mergePatch, patched, same } from "../lib/mergepatch.js";
import { call } from "../live/api.js";
import { Button, Notice, Waiting } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { Diff } from "../ui/text.js";
import { Declared, Failed, useDoing } from "./doing.js";
import { AppForm, passes, textOf, useVerdict } from "./form.js";

/** @typedef {import("../live/app.js").OneApp} OneApp */

/** Of an App's resource what people decide. @param {Record<string, any>} resource */
export function decidedOf({ apiVersion, kind, metadata = {}, spec = {} }) {
  const kept = Object.fromEntries(["name", "namespace", "labels", "annotations", ...(kind === "Application" ? ["finalizers"] : [])].filter((key) => metadata[key] !== undefined).map((key) => [key, metadata[key]]));
  return { apiVersion, kind, metadata: kept, spec };
}

/** @param {{one: OneApp, app: import("../live/app.js").App, onClose: () => void}} props */
export function EditApp({ one, app, onClose }) {
  const resource = one.resource.value;
  const [from, setFrom] = useState(/** @type {Record<string, any> | null} */ (null));
  useEffect(() => {
    if (resource && !from) setFrom(decidedOf(resource));
  }, [resource]);
  if (!from) return html`<${Dialog} wide title=${t("edit.title", { name: app.name })} onClose=${onClose}><${Waiting} rows=${8} /><//>`;
  return html`<${Editing} one=${one} app=${app} from=${from} onFrom=${setFrom} onClose=${onClose} />`;
}

/** @param {{one: OneApp, app: import("../live/app.js").App, from: Record<string, any>, onFrom: (from: Record<string, any>) => void, onClose: () => void}} props */
function Editing({ one, app, from, onFrom, onClose }) {
  const kind = /** @type {import("../lib/drafts.js").AppKind} */ (app.kind);
  const [draft, setDraft] = useState(/** @type {import("../lib/drafts.js").Draft} */ ({ app: from, source: null }));
  const [readable, setReadable] = useState(true);
  const [texts, setTexts] = useState({ before: "", after: "" });
  const doing = useDoing();
  const wanted = useMemo(() => manifestsOf(draft)[0] ?? {}, [draft]);
  const changed = !same(wanted, from);
  const verdict = useVerdict(draft, true, changed && missingOf(kind, draft).length === 0);
  useEffect(() => {
    let gone = false;
    void Promise.all([textOf([from]), textOf([wanted])]).then(([before, after]) => gone || setTexts({ before, after }));
    return () => {
      gone = true;
    };
  }, [from, wanted]);
  const now = one.resource.value ? decidedOf(one.resource.value) : from;
  const isOld = !same(now.spec, from["spec"]);
  const save = async () => {
    // Labels and annotations that others wrote meanwhile (a pin, a suspension's reason) stay as they are now.
    const body = patched(now, mergePatch(from, wanted));
    if (await doing.run(async () => void (await call(one.path, { method: "PUT", body })))) {
      say("good", t("edit.saved", { name: app.name }));
      one.again();
      onClose();
    }
  };
  return html`<${Dialog} wide title=${t("edit.title", { name: app.name })} onClose=${onClose} footer=${html`<span class="grow faint">${t("edit.git")}</span><${Button} onClick=${onClose}>${t("do.cancel")}<//><${Button} kind="primary" icon="check" disabled=${!changed || !readable || !passes(verdict) || isOld || doing.busy} onClick=${save}>${t("do.save")}<//>`}>
    <${Declared} resource=${one.resource.value} />
    <${Failed} problem=${doing.problem} />
    ${isOld && html`<${Notice} tone="warn" title=${t("edit.old")} action=${html`<${Button} small onClick=${() => [onFrom(now), setDraft({ app: now, source: null })]}>${t("edit.old.take")}<//>`}>${t("edit.old.hint")}<//>`}
    <${AppForm} kind=${kind} draft=${draft} onDraft=${setDraft} verdict=${changed ? verdict : { waiting: false, items: [], problem: null }} existing onReadable=${setReadable} />
    ${changed && readable && html`<${Diff} before=${texts.before} after=${texts.after} title=${t("edit.diff")} label=${t("edit.diff")} names=${[t("edit.before"), t("edit.after")]} />`}
  <//>`;
}
