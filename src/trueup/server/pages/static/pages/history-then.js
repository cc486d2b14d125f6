// An App as it stood at a moment: its objects and their manifests as they were recorded, plainly what was not, and the way back there.
import { html } from "../lib/html.js";
import { useMemo } from "preact/hooks";
import { moment, number, t, tx } from "../i18n/i18n.js";
import { compareUrl, commitOf } from "../lib/forges.js";
import { href, query, setQuery, withQuery } from "../lib/route.js";
import { call } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { recorded, refId, refText, then } from "../live/past.js";
import { useLoaded } from "../live/resource.js";
import { Ago, Button, Chip, Empty, Facts, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Panel } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { Tabs } from "../ui/tabs.js";
import { Diff, Yaml, copy } from "../ui/text.js";
import { Tree } from "../ui/tree.js";
import { Made } from "./happening.js";
import { FieldChange, Origin } from "./history-moment.js";

/** @typedef {import("../live/past.js").Then} Then @typedef {import("../live/past.js").ObjectThen} ObjectThen @typedef {import("../live/past.js").Commits} Commits @typedef {import("../live/apps.js").App} App */

/** @param {{path: string, app: App, at: string | null, commits: Commits | null}} props `at` null: now */
export function ThenView({ path, app, at, commits }) {
  const { data, problem, again } = useLoaded(`${path} ${at}`, (abort) => then(path, at, abort));
  const picked = query.value.get("object");
  const root = `app:${app.name}`;
  const nodes = useMemo(() => [{ id: root, parent: null, kind: app.kind, name: app.name, status: "", sync: "", note: app.namespace }, ...(data?.objects ?? []).map((one) => ({ id: refId(one.ref), parent: root, kind: one.ref.kind, name: one.ref.name, status: one.health, sync: one.drifted.length ? "OutOfSync" : "", note: one.record ? "" : t("then.unrecorded.short") }))], [data, app]);
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${8} />`;
  const one = data.objects.find((other) => refId(other.ref) === picked);
  const tooEarly = at && (!data.begins || Date.parse(at) < Date.parse(data.begins));
  return html`<section class="card then" aria-label=${t("past.then")}><div class="body stack">
      <div class="row wrap"><label class="row"><span class="nowrap">${t("then.at")}</span><input class="input" type="datetime-local" step="1" value=${local(at)} max=${local(null)} onChange=${(/** @type {any} */ event) => event.currentTarget.value && setQuery({ at: new Date(event.currentTarget.value).toISOString(), moment: null, object: null })} /></label>${at && html`<${Button} small onClick=${() => setQuery({ at: null, moment: null, object: null })}>${t("then.now")}<//>`}<${Button} small icon="git-compare" href=${href(withQuery({ show: "compare", object: null }))}>${t("past.open-compare")}<//></div>
      <p>${at ? tx("then.says", { moment: moment(Date.parse(at)), n: data.objects.length }) : t("then.says-now", { n: data.objects.length })} ${data.sync ? tx("then.synced", { when: html`<${Ago} at=${Date.parse(data.sync.at)} />` }) : t("then.no-sync")}</p>
      ${data.sync?.revision && html`<div><${Made} revision=${data.sync.revision} commits=${commits} /></div>`}
      <${Missing} then=${data} tooEarly=${Boolean(tooEarly)} />
      ${data.sync?.revision && app.fullRevision && data.sync.revision !== app.fullRevision && html`<${WayBack} then=${data} app=${app} commits=${commits} />`}
    </div></section>
    ${data.objects.length ? html`<div class="then-tree"><${Tree} nodes=${nodes} label=${t("then.tree", { name: app.name })} current=${picked} group=${false} name=${`${app.name}-then`} onOpen=${(/** @type {any} */ node) => setQuery({ object: node.id === root ? null : node.id, moment: null, tab: null })} /></div>` : html`<${Empty} icon="box" title=${t("then.nothing")}>${tooEarly ? t("then.too-early") : t("then.nothing.hint")}<//>`}
    ${one && html`<${Side} key=${picked} path=${path} one=${one} commits=${commits} />`}`;
}

/** As the field wants it: local time without a zone. @param {string | null} at */
function local(at) {
  const date = at ? new Date(at) : new Date();
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** What is not recorded, in words. @param {{then: Then, tooEarly: boolean}} props */
function Missing({ then, tooEarly }) {
  const before = then.objects.filter((one) => one.unrecorded === "before-records").length;
  const unkept = then.objects.filter((one) => one.unrecorded === "not-kept").length;
  return html`<${Notice} tone=${before || unkept || tooEarly ? "warn" : "none"} title=${t("then.unrecorded")}>
    <ul class="plain-list">
      ${tooEarly && html`<li>${then.begins ? t("then.begins", { moment: moment(Date.parse(then.begins)) }) : t("then.no-records")}</li>`}
      ${before > 0 && html`<li>${t("then.before", { n: before })}</li>`}
      ${unkept > 0 && html`<li>${t("then.not-kept", { n: unkept })}</li>`}
      <li>${t("then.never")}</li>
    </ul>
  <//>`;
}

/** Rolling back, and why it is not the end: Git still declares what it declares. @param {{then: Then, app: App, commits: Commits | null}} props */
function WayBack({ then, app, commits }) {
  const revision = then.sync?.revision ?? "";
  const [to, from] = [commitOf(revision), commitOf(app.fullRevision)];
  const command = to && from ? `git revert --no-edit ${to.slice(0, 12)}..${from.slice(0, 12)}\ngit push` : "";
  const between = compareUrl(commits?.url, to, from);
  return html`<details class="card way-back"><summary>${t("back.title")}</summary><div class="body stack">
    <p>${tx("back.pin", { button: html`<strong>${t("back.do")}</strong>` })}</p>
    <p>${t("back.revert")}</p>
    ${command && html`<div class="row wrap"><pre class="code command">${command}</pre><${Button} small icon="copy" label=${t("text.copy")} onClick=${() => copy(command)} /></div>`}
    <div class="row wrap"><${Button} icon="rotate-ccw" href=${href(withQuery({ view: null, show: null, at: null, moment: null, object: null, do: "rollback", to: revision }))}>${t("back.do")}<//>${between && html`<a href=${between} target="_blank" rel="noreferrer">${t("back.between")}</a>`}</div>
  </div></details>`;
}

/** @param {{path: string, one: ObjectThen, commits: Commits | null}} props */
function Side({ path, one, commits }) {
  const tab = query.value.get("tab") ?? "declared";
  const { data, problem, again } = useLoaded(one.record ? `${one.record} ${refId(one.ref)}` : null, async (abort) => {
    const found = await recorded(path, one.record, one.ref, abort);
    return { ...found, declared: await toYaml(found.desired), asApplied: await toYaml(found.applied) };
  });
  const live = useLoaded(tab === "now" && one.record ? refId(one.ref) : null, async (abort) => toYaml((await call(`${path}/object/desired`, { query: { ...one.ref }, signal: abort })).live));
  const tabs = [{ id: "declared", label: t("then.declared") }, { id: "applied", label: t("then.applied") }, { id: "now", label: t("then.against-now") }];
  const title = html`<h2>${one.ref.name}</h2><p class="muted">${refText(one.ref)}</p>`;
  return html`<${Panel} label=${refText(one.ref)} title=${title} onClose=${() => setQuery({ object: null, tab: null })} tabs=${one.record ? html`<${Tabs} label=${t("past.then")} current=${tab} onChange=${(/** @type {string} */ next) => setQuery({ tab: next === "declared" ? null : next })} tabs=${tabs} />` : null}>
    <${Facts} rows=${[one.since && [t("then.since"), html`<${Ago} at=${Date.parse(one.since)} />`], one.health && [t("facet.health"), html`<${Status} status=${one.health} />`], one.health_message && [t("facet.message"), one.health_message], one.drifted.length > 0 && [t("record.drift"), one.drifted.join(", ")]]} />
    ${!one.record ? html`<${Empty} icon="file-clock" title=${t("then.unrecorded")}>${one.unrecorded === "not-kept" ? t("then.not-kept", { n: 1 }) : t("then.before", { n: 1 })}<//>` : problem && !data ? html`<${Wrong} problem=${problem} again=${again} />` : !data ? html`<${Waiting} rows=${10} />` : tab === "applied" ? html`<${Yaml} text=${data.asApplied} title=${t("then.applied")} name=${`${one.ref.name}.yaml`} />` : tab === "now" ? (live.problem ? html`<${Wrong} problem=${live.problem} again=${live.again} />` : live.data === null ? html`<${Waiting} rows=${10} />` : data.declared === live.data ? html`<${Empty} icon="circle-check" title=${t("side.equal")}>${t("then.same")}<//>` : html`<${Diff} before=${data.declared} after=${live.data} title=${refText(one.ref)} label=${refText(one.ref)} names=${[t("then.then"), t("then.now")]} />`) : html`
      ${data.origin && html`<${Origin} origin=${data.origin} url=${commits?.url ?? ""} commit="" />`}
      ${data.fields.map((field) => html`<${FieldChange} key=${field.path} field=${field} />`)}
      <${Yaml} text=${data.declared || data.asApplied} title=${t("then.declared")} name=${`${one.ref.name}.yaml`} />`}
  <//>`;
}
