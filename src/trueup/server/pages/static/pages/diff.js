// What a branch, tag, commit or pull request would change: in one App, or in all that it touches. The address says it all, so it can be sent around.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { number, t, tx, word } from "../i18n/i18n.js";
import { commitOf, commitUrl, fileUrl, homeOf, pullUrl, revisionOf } from "../lib/forges.js";
import { isIdle } from "../lib/plan.js";
import { href, query, setQuery } from "../lib/route.js";
import { call } from "../live/api.js";
import { toYaml } from "../live/app.js";
import { refText } from "../live/past.js";
import { pageOf } from "../live/apps.js";
import { useLoaded } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { ReleaseStep } from "../acts/release.js";
import { Ago, Button, Chip, Empty, Field, Notice, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Diff, copy } from "../ui/text.js";
import { FieldChange } from "./history-moment.js";

/**
 * @typedef {import("../live/past.js").Ref} Ref @typedef {import("../live/past.js").Commit} Commit
 * @typedef {{ref: Ref, version: string, action: string, reason: string, message: string, fields: Array<{path: string, before: string, after: string}>, before: Record<string, any> | null, after: Record<string, any> | null, origin: string}} Compared
 * @typedef {{app: Ref, revision: string, fullRevision: string, objects: Compared[], notices: string[], counts: Record<string, number>, commit: Commit | null, release?: import("../lib/plan.js").Release | null}} Plan
 * @typedef {{app: Ref, plan: Plan | null, problem: import("../live/api.js").Details | null}} AppImpact
 * @typedef {{source: Ref, revision: string, fullRevision: string, items: AppImpact[], total: number, next: string, notices: string[], commit: Commit | null}} Impact
 * @typedef {{kind: string, namespace: string, name: string, url: string}} Source
 */

/** @param {string} key */
const below = (key) => key.split("/").map(encodeURIComponent).join("/");
/** Without credentials, ending and case, as two people may write one repository. @param {string} url */
const sameRepo = (url) => homeOf(url)?.web.toLowerCase() ?? url.replace(/^\w+:\/\/([^@/]*@)?/, "").replace(/(\.git)?\/*$/, "").toLowerCase();

export function Page() {
  useTitle([{ label: t("nav.diff") }]);
  const app = query.value.get("app") ?? "";
  const source = query.value.get("source") ?? "";
  const revision = query.value.get("revision") ?? "";
  const repo = query.value.get("repo") ?? "";
  const sources = useLoaded("sources", async (abort) => /** @type {Source[]} */ ((await call("/sources", { query: { limit: 500 }, signal: abort })).items));
  const found = repo && sources.data ? sources.data.filter((one) => one.url && sameRepo(one.url) === sameRepo(repo)) : [];
  useEffect(() => {
    if (repo && !source && !app && found[0]) setQuery({ source: `${found[0].kind}/${found[0].namespace}/${found[0].name}` });
  }, [repo, sources.data]);
  return html`<div class="page-head"><h1>${t("nav.diff")}</h1><span class="grow"></span><${Button} small icon="link" onClick=${() => copy(location.href)}>${t("diff.share")}<//></div>
    <${Ask} key=${`${app} ${source} ${revision}`} sources=${sources.data ?? []} app=${app} source=${source} revision=${revision} />
    ${app ? html`<${OneApp} app=${app} revision=${revision} />` : source ? html`<${AllApps} source=${source} revision=${revision} />` : repo && sources.data && !found.length ? html`<${Empty} icon="search-x" title=${t("diff.no-source")}>${t("diff.no-source.hint", { repo })}<//>` : html`<${Empty} icon="git-compare" title=${t("diff.ask")}>${t("diff.ask.hint")}<//>`}`;
}

/** @param {{sources: Source[], app: string, source: string, revision: string}} props */
function Ask({ sources, app, source, revision }) {
  const [text, setText] = useState(revision);
  const [where, setWhere] = useState(app ? `app:${app}` : source ? `source:${source}` : "");
  const url = sources.find((one) => `${one.kind}/${one.namespace}/${one.name}` === source)?.url ?? "";
  const ask = (/** @type {Event} */ event) => {
    event.preventDefault();
    const [kind, key] = [where.slice(0, where.indexOf(":")), where.slice(where.indexOf(":") + 1)];
    setQuery({ app: kind === "app" ? key : null, source: kind === "source" ? key : null, repo: null, after: null, revision: revisionOf(text, url) }, { replace: false });
  };
  return html`<form class="card diff-ask" onSubmit=${ask}>
    <${Field} label=${t("diff.revision")} help=${t("diff.revision.help")}>${(/** @type {any} */ a) => html`<input class="input" autocapitalize="off" spellcheck="false" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} ...${a} />`}<//>
    <${Field} label=${t("diff.where")} help=${t("diff.where.help")}>${(/** @type {any} */ a) => html`<select class="input" value=${where} onChange=${(/** @type {any} */ event) => setWhere(event.currentTarget.value)} ...${a}>
      <option value="">${t("diff.choose")}</option>
      ${app && html`<option value=${`app:${app}`}>${t("diff.only", { name: app })}</option>`}
      ${sources.map((one) => `${one.kind}/${one.namespace}/${one.name}`).map((key) => html`<option key=${key} value=${`source:${key}`}>${t("diff.all-of", { name: key })}</option>`)}
      ${source && !sources.some((one) => `${one.kind}/${one.namespace}/${one.name}` === source) && html`<option value=${`source:${source}`}>${t("diff.all-of", { name: source })}</option>`}
    </select>`}<//>
    <${Button} kind="primary" type="submit" icon="git-compare" disabled=${!where}>${t("diff.do")}<//>
  </form>`;
}

/** @param {{app: string, revision: string}} props */
function OneApp({ app, revision }) {
  const path = `/apps/${below(app)}`;
  const { data, problem, again } = useLoaded(`${app} ${revision}`, async (abort) => {
    const plan = /** @type {Plan} */ (await call(`${path}/plan`, { query: { revision, changed: true }, signal: abort }));
    const made = plan.commit ? await call(`${path}/commits`, { query: { revision: [plan.fullRevision] }, signal: abort }).catch(() => null) : null;
    return { plan, url: made?.url ?? "" };
  });
  if (problem) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<p class="muted" role="status">${t("diff.asking")}</p><${Waiting} rows=${8} />`;
  return html`<${Head} revision=${data.plan.fullRevision} commit=${data.plan.commit} url=${data.url} asked=${revision} notices=${data.plan.notices} /><${PlanView} plan=${data.plan} url=${data.url} />`;
}

/** @param {{source: string, revision: string}} props */
function AllApps({ source, revision }) {
  const [after, setAfter] = useState("");
  const [items, setItems] = useState(/** @type {AppImpact[]} */ ([]));
  const key = `${source} ${revision}`;
  useEffect(() => (setAfter(""), setItems([])), [key]);
  const { data, problem, again, waiting } = useLoaded(`${key} ${after}`, async (abort) => {
    const path = `/sources/${below(source)}`;
    const impact = /** @type {Impact} */ (await call(`${path}/impact`, { query: { revision, limit: 10, after }, signal: abort }));
    const { row } = await call(path, { signal: abort });
    return { impact, url: /** @type {string} */ (row.url) };
  });
  useEffect(() => {
    if (data) setItems((was) => [...new Map([...was, ...data.impact.items].map((one) => [refText(one.app), one])).values()]);
  }, [data]);
  if (problem && !items.length) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data && !items.length) return html`<p class="muted" role="status">${t("diff.asking")}</p><${Waiting} rows=${8} />`;
  const impact = data?.impact;
  return html`${impact && html`<${Head} revision=${impact.fullRevision} commit=${impact.commit} url=${data.url} asked=${revision} notices=${impact.notices} /><p>${t("diff.touches", { n: impact.total })}</p>`}
    ${impact && !impact.total && html`<${Empty} icon="circle-check" title=${t("diff.touches-none")}>${t("diff.touches-none.hint")}<//>`}
    ${items.map((one) => html`<section class="stack" key=${refText(one.app)}><h2 class="row"><${Icon} name=${kindIcon(one.app.kind)} size=${17} /><a href=${href(pageOf(one.app))}>${refText(one.app)}</a>${one.plan && html`<${Counts} counts=${one.plan.counts} />`}<${Button} small icon="link" href=${href(`/diff?app=${one.app.kind}/${one.app.namespace}/${one.app.name}&revision=${encodeURIComponent(revision)}`)}>${t("diff.alone")}<//></h2>
      ${one.problem ? html`<${Notice} tone="bad" title=${one.problem.title}>${one.problem.detail}${one.problem.hint && ` — ${one.problem.hint}`}<//>` : one.plan && html`<${PlanView} plan=${one.plan} url=${data?.url ?? ""} />`}
    </section>`)}
    ${impact?.next && html`<div class="row"><${Button} icon="chevron-down" disabled=${waiting} onClick=${() => setAfter(impact.next)}>${t("diff.more")}<//></div>`}`;
}

/** @param {{revision: string, commit: Commit | null, url: string, asked: string, notices: string[]}} props */
function Head({ revision, commit, url, asked, notices }) {
  const pull = /^refs\/(?:pull|merge-requests|pull-requests)\/(\d+)\//.exec(asked);
  const link = pull ? pullUrl(url, Number(pull[1])) : "";
  return html`<section class="card"><div class="body stack"><div class="row wrap"><${Revision} revision=${revision} url=${commitUrl(url, commit?.commit ?? commitOf(revision)) || undefined} />${link && html`<a class="row" href=${link} target="_blank" rel="noreferrer"><${Icon} name="git-pull-request" size=${15} />${t("diff.request", { n: pull?.[1] ?? "" })}</a>`}<span class="muted">${t("diff.against-live")}</span></div>
    ${commit && html`<p><strong>${commit.message.split("\n")[0]}</strong> <span class="muted">${t("commit.by", { author: commit.author })} · <${Ago} at=${Date.parse(commit.at)} /></span></p>`}
    ${notices.map((notice) => html`<${Notice} key=${notice} tone="none">${notice}<//>`)}</div></section>`;
}

/** @param {{counts: Record<string, number>}} props */
const Counts = ({ counts }) => html`<span class="chips">${Object.entries(counts).filter(([, n]) => n > 0).map(([action, n]) => html`<${Chip} key=${action}>${`${number(n)} ${word("action", action)}`}<//>`)}</span>`;

/** @param {{plan: Plan, url: string}} props */
function PlanView({ plan, url }) {
  const changed = plan.objects.filter((one) => one.action !== "unchanged");
  const release = plan.release && html`<${ReleaseStep} release=${plan.release} />`;
  if (!changed.length) return html`${release}${isIdle(/** @type {any} */ (plan)) && html`<${Empty} icon="circle-check" title=${t("side.equal")}>${t("diff.equal")}<//>`}`;
  return html`<div class="stack">${release}${changed.map((one) => html`<${Object_} key=${refText(one.ref)} one=${one} url=${url} commit=${plan.commit?.commit ?? ""} />`)}</div>`;
}

/** @param {{one: Compared, url: string, commit: string}} props */
function Object_({ one, url, commit }) {
  const { data } = useLoaded(`${refText(one.ref)} ${one.action}`, async () => ({ before: await toYaml(one.before), after: one.action === "pruned" ? "" : await toYaml(one.after) }));
  const place = /^(.+?):(\d+)$/.exec(one.origin);
  const link = place ? fileUrl(url, commit, place[1] ?? "", Number(place[2])) : "";
  const title = html`<${Icon} name=${kindIcon(one.ref.kind)} size=${15} /><span class="clip">${refText(one.ref)}</span><${Chip}>${word("action", one.action)}<//>`;
  return html`<div class="planned">${data && (one.before || one.after) ? html`<${Diff} before=${data.before} after=${data.after} title=${title} label=${refText(one.ref)} names=${[t("diff.live"), t("diff.desired")]} />` : html`<section class="card"><header><h3 class="row">${title}</h3></header><div class="body stack">${one.fields.map((field) => html`<${FieldChange} key=${field.path} field=${field} />`)}</div></section>`}
    ${(one.message || one.reason) && html`<p class="muted">${one.message || one.reason}</p>`}${one.origin && html`<p class="faint">${t("diff.declared-in")} ${link ? html`<a href=${link} target="_blank" rel="noreferrer">${one.origin}</a>` : html`<code>${one.origin}</code>`}</p>`}</div>`;
}
