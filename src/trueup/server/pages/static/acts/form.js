// A form that writes YAML: beside it the text that Git would hold, the line of the field that one is in, and what is wrong, as one types.
import { html, cls } from "../lib/html.js";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { FORMS, SOURCE_AT, SOURCE_KINDS, joined, lineOf, manifestsOf, missingOf, startOf, valueAt, withValue } from "../lib/drafts.js";
import { tokens } from "../lib/yamltext.js";
import { Problem, call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Button, Check, Field, Notice } from "../ui/basics.js";
import { useNewest } from "../ui/newest.js";
import { copy, download } from "../ui/text.js";
import { YamlField, readYaml } from "./yamledit.js";

/** @typedef {import("../lib/drafts.js").AppKind} AppKind */
/** @typedef {import("../lib/drafts.js").Draft} Draft */
/** @typedef {import("../lib/drafts.js").FieldOf} FieldOf */
/** @typedef {{field: string, message: string, hint: string, blocks: boolean}} Finding */
/** @typedef {{ref: string, exists: boolean, findings: Finding[]}} Checked */
/** @typedef {{waiting: boolean, items: Checked[], problem: Problem | null}} Verdict */

const PAUSE = 400; // milliseconds after the last key

/** Several resources as one text, as they stand in Git. @param {readonly Record<string, any>[]} manifests */
export async function textOf(manifests) {
  const { dump } = await import("js-yaml");
  return manifests.map((one) => dump(one, { lineWidth: -1, noRefs: true })).join("---\n");
}

/** What the server says of a draft, a moment after it was changed last. @param {Draft} draft @param {boolean} existing @param {boolean} complete @returns {Verdict} */
export function useVerdict(draft, existing, complete) {
  const [state, setState] = useState(/** @type {Verdict & {of: string}} */ ({ of: "", waiting: true, items: [], problem: null }));
  const said = useMemo(() => JSON.stringify(manifestsOf(draft)), [draft]);
  useEffect(() => {
    if (!complete) return setState({ of: said, waiting: false, items: [], problem: null });
    const abort = new AbortController();
    setState((was) => ({ ...was, waiting: true }));
    const timer = setTimeout(async () => {
      try {
        const { items } = await call("/validation", { method: "POST", body: { manifests: JSON.parse(said), existing }, signal: abort.signal });
        if (!abort.signal.aborted) setState({ of: said, waiting: false, items, problem: null });
      } catch (error) {
        if (!abort.signal.aborted) setState({ of: said, waiting: false, items: [], problem: error instanceof Problem ? error : new Problem({ title: String(error), status: -1 }) });
      }
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [said, existing, complete]);
  return state.of === said ? state : { ...state, waiting: true }; // an answer about what stood there before says nothing
}

/** @param {Verdict} verdict */
export const passes = (verdict) => !verdict.waiting && verdict.problem === null && verdict.items.length > 0 && verdict.items.every((one) => one.findings.every((finding) => !finding.blocks));

/**
 * @param {{kind: AppKind, draft: Draft, onDraft: (draft: Draft) => void, verdict: Verdict, existing?: boolean, onReadable: (readable: boolean) => void, beside?: any}} props
 * `onReadable`: whether the YAML that somebody writes can be read
 */
export function AppForm({ kind, draft, onDraft, verdict, existing = false, onReadable, beside }) {
  const [focus, setFocus] = useState(/** @type {FieldOf | null} */ (null));
  const [more, setMore] = useState(false);
  const findings = verdict.items.flatMap((one) => one.findings.map((finding) => ({ ...finding, ref: one.ref })));
  const wrongAt = (/** @type {FieldOf} */ field) => findings.find((finding) => finding.blocks && finding.field === field.path && finding.ref.startsWith(`${(field.of === "source" ? draft.source : draft.app)?.["kind"]}/`))?.message ?? "";
  const fields = FORMS[kind].filter((field) => !(existing && field.path.startsWith("metadata.name")) && !(field.of === "source" && !draft.source));
  const newest = useNewest(draft);
  const set = (/** @type {FieldOf} */ field, /** @type {unknown} */ value) => {
    const was = newest.current;
    const changed = field.of === "source" ? { ...was, source: withValue(was.source ?? {}, field.path, value) } : { ...was, app: withValue(was.app, field.path, value) };
    onDraft((newest.current = joined(kind, changed)));
  };
  const shown = fields.filter((field) => !field.more || more);
  return html`<div class="act-form" onFocusIn=${(/** @type {any} */ event) => setFocus(fields.find((field) => `${field.of ?? ""}${field.path}` === event.target.closest("[data-path]")?.dataset.path) ?? focus)}>
    <div class="stack">
      ${!existing && SOURCE_KINDS[kind].length > 0 && html`<${SourceOf} kind=${kind} draft=${draft} onDraft=${onDraft} />`}
      <div class="act-two">${shown.map((field) => html`<div key=${`${field.of ?? ""}${field.path}`} data-path=${`${field.of ?? ""}${field.path}`} class=${cls(field.wide && "wide")}><${Input} field=${field} value=${valueAt(field.of === "source" ? draft.source : draft.app, field.path)} wrong=${wrongAt(field)} onValue=${(/** @type {unknown} */ value) => set(field, value)} /></div>`)}</div>
      ${fields.some((field) => field.more) && html`<${Button} kind="quiet" small icon=${more ? "chevron-up" : "chevron-down"} onClick=${() => setMore(!more)}>${more ? t("form.less") : t("form.more")}<//>`}
    </div>
    <div class="stack">
      <${Written} draft=${draft} focus=${focus} onDraft=${onDraft} onReadable=${onReadable} />
      <${Said} kind=${kind} draft=${draft} verdict=${verdict} findings=${findings} fields=${shown} />
      ${beside}
    </div>
  </div>`;
}

/** @param {{field: FieldOf, value: any, wrong: string, onValue: (value: unknown) => void}} props */
function Input({ field, value, wrong, onValue }) {
  const [label, help] = [t(/** @type {any} */ (field.label)), t(/** @type {any} */ (`${field.label}.help`))];
  if (field.type === "bool" || field.type === "object" || field.type === "listed") {
    const on = field.type === "bool" ? value === true : field.type === "object" ? value !== undefined : Array.isArray(value) && value.includes(field.item);
    const next = (/** @type {boolean} */ is) => (field.type === "bool" ? is || (field.must ? false : undefined) : field.type === "object" ? (is ? {} : undefined) : listed(value, /** @type {string} */ (field.item), is));
    return html`<${Check} checked=${on} onChange=${(/** @type {boolean} */ is) => onValue(next(is))} help=${help}>${label}<//>`;
  }
  if (field.type === "yaml") return html`<${YamlValue} label=${label} help=${help} value=${value} wrong=${wrong} onValue=${onValue} />`;
  return html`<${Field} label=${field.must ? `${label} *` : label} help=${help} wrong=${wrong}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input" required=${field.must} placeholder=${field.place} autocomplete="off" autocapitalize="off" spellcheck=${false} value=${value ?? ""} onInput=${(/** @type {any} */ event) => onValue(event.currentTarget.value.trim())} />`}<//>`;
}

/** @param {unknown} value @param {string} item @param {boolean} on */
function listed(value, item, on) {
  const others = (Array.isArray(value) ? value : []).filter((one) => one !== item);
  const all = on ? [...others, item] : others;
  return all.length ? all : undefined;
}

/** A part that is YAML itself: values of a chart. @param {{label: string, help: string, value: any, wrong: string, onValue: (value: unknown) => void}} props */
function YamlValue({ label, help, value, wrong, onValue }) {
  const [text, setText] = useState("");
  const [unread, setUnread] = useState("");
  const own = useRef(false);
  useEffect(() => {
    if (!own.current && value !== undefined) void textOf([value]).then(setText);
  }, [value]);
  const typed = async (/** @type {string} */ next) => {
    own.current = true;
    setText(next);
    const { documents, problem } = await readYaml(next);
    setUnread(problem);
    if (!problem) onValue(documents[0]);
  };
  return html`<${Field} label=${label} help=${help} wrong=${unread || wrong}>${(/** @type {any} */ attributes) => html`<textarea ...${attributes} class="input code" rows="6" wrap="off" spellcheck=${false} value=${text} onInput=${(/** @type {any} */ event) => void typed(event.currentTarget.value)}></textarea>`}<//>`;
}

/** Which source: one that is there, or one that comes along. @param {{kind: AppKind, draft: Draft, onDraft: (draft: Draft) => void}} props */
function SourceOf({ kind, draft, onDraft }) {
  const { data } = useLoaded(kind, (abort) => /** @type {Promise<{items: Array<{kind: string, namespace: string, name: string, url: string}>}>} */ (call("/sources", { query: { limit: 500 }, signal: abort })));
  const known = (data?.items ?? []).filter((one) => SOURCE_KINDS[kind].includes(one.kind));
  const ref = valueAt(draft.app, SOURCE_AT[kind]) ?? {};
  const value = draft.source ? "" : `${ref.kind}/${ref.namespace || draft.app["metadata"].namespace}/${ref.name}`;
  const choose = (/** @type {string} */ key) => {
    if (!key) return onDraft(joined(kind, { app: draft.app, source: startOf(kind).source }));
    const [chosen = "", namespace = "", name = ""] = key.split("/");
    return onDraft({ source: null, app: withValue(draft.app, SOURCE_AT[kind], { kind: chosen, name, ...(namespace === draft.app["metadata"].namespace ? {} : { namespace }) }) });
  };
  return html`<${Field} label=${t("form.source")} help=${t("form.source.help")}>${(/** @type {any} */ attributes) => html`<select ...${attributes} class="input" value=${value} onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value)}><option value="">${t("form.source.new")}</option>${known.map((one) => html`<option key=${`${one.kind}/${one.namespace}/${one.name}`} value=${`${one.kind}/${one.namespace}/${one.name}`}>${`${one.kind}/${one.namespace}/${one.name} · ${one.url}`}</option>`)}</select>`}<//>`;
}

/** The YAML of now, to read or to write in. @param {{draft: Draft, focus: FieldOf | null, onDraft: (draft: Draft) => void, onReadable: (readable: boolean) => void}} props */
function Written({ draft, focus, onDraft, onReadable }) {
  const [texts, setTexts] = useState(/** @type {string[]} */ ([]));
  const [own, setOwn] = useState(/** @type {string | null} */ (null));
  const [unread, setUnread] = useState("");
  useEffect(() => {
    let gone = false;
    void Promise.all(manifestsOf(draft).map((one) => textOf([one]))).then((all) => gone || setTexts(all));
    return () => {
      gone = true;
    };
  }, [draft]);
  const whole = texts.join("---\n");
  const typed = async (/** @type {string} */ text) => {
    setOwn(text);
    const { documents, problem } = await readYaml(text);
    const app = documents.find((one) => one["kind"] === draft.app["kind"]);
    const source = documents.find((one) => one !== app) ?? null;
    const wrong = problem || (!app ? t("yaml.no-app", { kind: draft.app["kind"] }) : documents.length > 2 ? t("yaml.too-many") : "");
    setUnread(wrong);
    onReadable(!wrong);
    if (!wrong && app) onDraft({ app: { metadata: {}, spec: {}, ...app }, source });
  };
  const at = focus ? texts.findIndex((_, i) => (focus.of === "source") === (texts.length > 1 && i === 0)) : -1;
  const marked = focus && at >= 0 ? lineOf(texts[at] ?? "", focus.path) : -1;
  return html`<section class="sheet" aria-label=${t("form.yaml")}>
    <header><h3 class="grow">${t("form.yaml")}</h3>
      <${Button} small kind="quiet" icon=${own === null ? "pencil" : "list"} pressed=${own !== null} onClick=${() => [setOwn(own === null ? whole : null), setUnread(""), onReadable(true)]}>${own === null ? t("form.write") : t("form.read")}<//>
      <${Button} small kind="quiet" icon="copy" label=${t("text.copy")} onClick=${() => copy(own ?? whole)} />
      <${Button} small kind="quiet" icon="download" label=${t("text.download")} onClick=${() => download(`${draft.app["metadata"]?.name || "app"}.yaml`, own ?? whole, "application/yaml")} />
    </header>
    ${own !== null ? html`<${YamlField} text=${own} label=${t("form.yaml")} problem=${unread} rows=${24} onText=${(/** @type {string} */ text) => void typed(text)} />` : html`<div class="lines code act-written" tabindex="0" role="region" aria-label=${t("form.yaml")}>${texts.map((text, document) => html`${document > 0 && html`<div class="line faint">---</div>`}${text.trimEnd().split("\n").map((line, i) => html`<div key=${`${document}.${i}`} class=${cls("line", document === at && i === marked && "marked")}><span class="t">${tokens(line).map(([kind, part]) => (kind ? html`<span class=${kind}>${part}</span>` : part))}</span></div>`)}`)}</div>`}
    ${focus && own === null && html`<footer class="act-teach"><code>${focus.path}</code> ${t(/** @type {any} */ (`${focus.label}.help`))}</footer>`}
  </section>`;
}

/** @param {{kind: AppKind, draft: Draft, verdict: Verdict, findings: Array<Finding & {ref: string}>, fields: FieldOf[]}} props */
function Said({ kind, draft, verdict, findings, fields }) {
  const missing = missingOf(kind, draft);
  const others = findings.filter((finding) => !(finding.blocks && fields.some((field) => field.path === finding.field)));
  return html`<div class="stack" aria-live="polite">
    ${missing.length > 0 ? html`<${Notice} tone="none" title=${t("form.missing")}>${missing.map((field) => t(/** @type {any} */ (field.label))).join(", ")}<//>` : verdict.problem ? html`<${Notice} tone="warn" title=${verdict.problem.details.status === 0 ? t("wrong.unreachable") : verdict.problem.message}>${verdict.problem.details.hint ?? t("form.unchecked")}<//>` : verdict.waiting ? html`<p class="faint">${t("form.checking")}</p>` : passes(verdict) && html`<${Notice} tone="good" title=${t("form.passes")}>${t("form.passes.hint")}<//>`}
    ${others.map((finding) => html`<${Notice} key=${`${finding.ref}${finding.field}${finding.message}`} tone=${finding.blocks ? "bad" : "warn"} title=${[finding.field, finding.message].filter(Boolean).join(": ")}>${finding.hint}<//>`)}
  </div>`;
}
