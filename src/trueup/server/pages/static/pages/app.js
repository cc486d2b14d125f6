// One App: what is going on, in words; its tree, live; beside it whatever object one looks at.
import { html } from "../lib/html.js";
import { useEffect, useMemo, useState } from "preact/hooks";
import { t, tx, word } from "../i18n/i18n.js";
import { href, query, setQuery } from "../lib/route.js";
import { networkOf } from "../lib/network.js";
import { recent } from "../lib/prefs.js";
import { shortened } from "../lib/revisions.js";
import { idOf, timeOf } from "../live/apps.js";
import { OneApp, rootOf, toYaml } from "../live/app.js";
import { commitOf, commitUrl, homeOf } from "../lib/forges.js";
import { Made, useMade } from "./happening.js";
import { AppActions } from "../acts/header.js";
import { ObjectActions } from "../acts/object.js";
import { HistoryView } from "./history.js";
import { Badge } from "./badge.js";
import { Pods } from "./pods.js";
import { LinkChips, LinksOf, useLinks } from "./links.js";
import { PrintSheet } from "./app-print.js";
import { usePrinting } from "../ui/printing.js";
import { Problem } from "../live/api.js";
import { follow } from "../live/stream.js";
import { useLoaded } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Chip, Empty, Facts, Notice, Revision, Waiting, Wrong } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Panel } from "../ui/layers.js";
import { Shape, Status, toneOf } from "../ui/status.js";
import { Table } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { Diff, Log, Yaml } from "../ui/text.js";
import { Tree } from "../ui/tree.js";

/** @typedef {import("../live/app.js").Node} Node */
/** @typedef {import("../live/app.js").App} App */

/** @param {{params: Record<string, string>}} props */
export function Page({ params }) {
  const who = { kind: params["kind"] ?? "", namespace: params["namespace"] ?? "", name: params["name"] ?? "" };
  const id = idOf(who);
  useTitle([{ label: t("nav.apps"), href: href("/apps") }, { label: who.namespace, href: href(`/apps?q=namespace:${who.namespace}`) }, { label: who.name }]);
  const [one, setOne] = useState(/** @type {OneApp | null} */ (null));
  useEffect(() => {
    const opened = new OneApp(who);
    setOne(opened);
    recent.value = [id, ...recent.peek().filter((other) => other !== id)].slice(0, 8);
    return () => opened.close();
  }, [id]);
  const app = one?.app.value;
  if (one?.problem.value && !app) return html`<${Wrong} problem=${one.problem.value} again=${() => one.again()} />`;
  if (!one || !app) return html`<${Waiting} rows=${4} height=${24} />`;
  return html`<${Shown} key=${id} one=${one} app=${app} />`;
}

/** @param {{one: OneApp, app: App}} props */
function Shown({ one, app }) {
  const nodes = one.nodes.value;
  const view = query.value.get("view") ?? "tree";
  const picked = query.value.get("node");
  const node = picked ? (nodes?.find((other) => other.id === picked) ?? null) : null;
  const open = (/** @type {string | null} */ id) => setQuery({ node: id, tab: null });
  const root = `app:${idOf(app)}`;
  const shown = useMemo(() => [{ id: root, parent: null, kind: app.kind, name: app.name, status: app.status, sync: "", note: app.namespace }, ...inOrder(nodes ?? []).map((other) => ({ ...other, parent: other.parent ?? root, status: other.health }))], [nodes, app]);
  const pods = useMemo(() => (nodes ?? []).filter((other) => other.kind === "Pod"), [nodes]);
  const network = useMemo(() => networkOf(nodes ?? [], { outside: t("app.outside"), inside: t("app.inside") }), [nodes]);
  const printing = usePrinting();
  if (printing) return html`<${Story} one=${one} app=${app} nodes=${nodes ?? []} onOpen=${open} /><${PrintSheet} app=${app} nodes=${nodes ?? []} about=${html`<${About} app=${app} />`} />`;
  return html`<${Story} one=${one} app=${app} nodes=${nodes ?? []} onOpen=${open} />
    <${Tabs} label=${t("app.views")} current=${view} onChange=${(/** @type {string} */ id) => setQuery({ view: id === "tree" ? null : id, moment: null, tab: null, object: null, node: null, show: null, at: null, to: null })} tabs=${[{ id: "tree", label: t("app.tree"), icon: "workflow" }, { id: "list", label: t("app.list"), icon: "list", ...(nodes ? { count: nodes.length } : {}) }, ...(network ? [{ id: "network", label: t("app.network"), icon: "network" }] : []), ...(pods.length ? [{ id: "pods", label: t("app.pods"), icon: "grid-3x3", count: pods.length }] : []), { id: "history", label: t("app.history"), icon: "rotate-ccw-clock" }, { id: "about", label: t("app.about"), icon: "info" }]} />
    ${one.stale.value && html`<${Notice} tone="warn" title=${t("app.stale")}>${one.stale.value}<//>`}
    <div class="tree-room">
      ${view === "about" ? html`<div class="stack past"><${About} app=${app} /><${Badge} app=${app} /></div>` : view === "history" ? html`<${HistoryView} path=${one.path} app=${app} />` : !nodes ? html`<${Waiting} rows=${8} />` : !nodes.length ? html`<${Empty} icon="box" title=${t("app.nothing")}>${t("app.nothing.hint")}<//>` : view === "network" && network ? html`<${Tree} nodes=${network} label=${t("app.network")} current=${picked} group=${false} onOpen=${(/** @type {any} */ other) => open(other.node)} />` : view === "pods" ? html`<${Pods} pods=${pods} onOpen=${open} />` : view === "list" ? html`<${List} nodes=${nodes} current=${picked} onOpen=${open} />` : html`<${Tree} nodes=${shown} label=${t("app.tree.of", { name: app.name })} current=${picked} onOpen=${(/** @type {any} */ other) => open(other.id === root ? null : other.id)} />`}
    </div>
    ${node && html`<${Side} key=${node.id} one=${one} app=${app} node=${node} all=${nodes ?? []} onClose=${() => open(null)} />`}`;
}

/** Parents before children, as the tree wants them. @param {readonly Node[]} nodes */
function inOrder(nodes) {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const done = new Set();
  /** @type {Node[]} */ const order = [];
  const put = (/** @type {Node} */ node) => {
    if (done.has(node.id)) return;
    done.add(node.id);
    const parent = node.parent === null ? undefined : known.get(node.parent);
    if (parent) put(parent);
    order.push(node);
  };
  nodes.forEach(put);
  return order;
}

/** What is going on, in words. @param {{one: OneApp, app: App, nodes: readonly Node[], onOpen: (id: string) => void}} props */
function Story({ one, app, nodes, onOpen }) {
  const unwell = nodes.filter((node) => node.message && !["Healthy", "", "Suspended"].includes(node.health));
  // A leaf tells the cause; what waits for it above only repeats it.
  const causes = unwell.filter((node) => !unwell.some((other) => other.parent === node.id || nodes.find((middle) => middle.id === other.parent)?.parent === node.id));
  const made = useMade(one.path, app.fullRevision);
  const commit = made?.items[app.fullRevision];
  const revision = html`<${Revision} revision=${app.fullRevision || app.revision} url=${commitUrl(made?.url, commit?.commit ?? commitOf(app.fullRevision)) || undefined} />`;
  const operation = app.operation;
  const when = html`<${Ago} at=${timeOf(operation?.finishedAt ?? app.since)} />`;
  // A commit that is younger than the last sync changed nothing of this App, which only follows the revision.
  const isUntouched = commit !== undefined && Date.parse(commit.at) > (timeOf(operation?.finishedAt ?? app.since) ?? Infinity);
  const by = operation?.by && operation.by !== "automated" ? html`<strong>${operation.by}</strong>` : null;
  const isRunning = operation?.phase === "Running";
  const first = isRunning ? tx("story.running", { when: html`<${Ago} at=${timeOf(operation?.startedAt)} />`, message: operation?.message ?? "" }) : !app.revision ? tx("story.never", {}) : app.sync === "OutOfSync" ? tx("story.behind", { revision }) : isUntouched ? tx("story.untouched", { revision, when }) : by ? tx("story.synced-by", { revision, when, by }) : tx("story.synced", { revision, when });
  return html`<section class="card story" aria-label=${t("story.title")}>
    <span class=${`big tone-${toneOf(app.status)}`}><${Shape} status=${app.status} size=${22} /></span>
    <div class="said">
      <div class="row wrap"><h1>${app.name}</h1><${Status} status=${app.status} pill />${app.sync && app.sync !== app.status && html`<${Status} status=${app.sync} pill />`}${app.pinned && html`<${Chip} icon="lock">${t("app.pinned")}<//>`}</div>
      <p>${first} ${commit && tx("story.commit", { author: html`<strong>${commit.author}</strong>`, message: html`<em>${commit.message.split("\n")[0]}</em>` })}</p>
      ${causes.length ? html`<p>${causes.slice(0, 3).map((node) => html`<button type="button" key=${node.id} onClick=${() => onOpen(node.id)} class="row cause"><span class=${`status tone-${toneOf(node.health)}`}><${Shape} status=${node.health} size=${14} /></span><span><strong>${node.kind} ${node.name}</strong>: ${node.message}</span></button>`)}${causes.length > 3 && html`<span class="faint">${t("story.more", { n: causes.length - 3 })}</span>`}</p>` : app.message && app.status !== "Ready" && html`<p>${shortened(app.message)}</p>`}
      <${LinksOf} path=${one.path} state=${`${app.fullRevision} ${app.project} ${app.destination}`} />
    </div>
    <${AppActions} one=${one} app=${app} nodes=${nodes} onOpen=${onOpen} />
  </section>`;
}

/** Whether it names one of the page of sources: KIND/NAMESPACE/NAME. @param {string} ref */
const isSource = (ref) => ref.split("/").length === 3;

/** @param {{app: App}} props */
function About({ app }) {
  const made = useMade(rootOf(app), app.fullRevision);
  const home = homeOf(made?.url || app.source.url);
  return html`<section class="card" style=${{ alignSelf: "start", flex: "0 1 auto", width: "100%" }}><div class="body"><${Facts} rows=${[
  [t("fact.kind"), html`<${Chip} icon=${kindIcon(app.kind)}>${app.kind}<//>`],
  [t("facet.namespace"), app.namespace],
  app.project && [t("facet.project"), app.project],
  [t("facet.cluster"), app.cluster],
  app.destination && [t("facet.destination"), app.destination],
  [t("facet.repo"), html`${home ? html`<a href=${home.web} target="_blank" rel="noreferrer">${app.source.url || app.source.ref}</a>` : app.source.url || !isSource(app.source.ref) ? app.source.url || app.source.ref : html`<a href=${href(`/sources?source=${app.source.ref}`)}>${app.source.ref}</a>`}${app.source.more > 0 && html` <span class="faint">${t("story.more", { n: app.source.more })}</span>`}`],
  (app.source.path || app.source.chart) && [t("fact.path"), html`<code>${app.source.path || app.source.chart}</code>`],
  app.source.target && [t("fact.target"), html`<code>${app.source.target}</code>`],
  [t("apps.revision"), html`<${Made} revision=${app.fullRevision || app.revision} commits=${made} />`],
  [t("fact.automated"), app.automated ? t("fact.yes") : t("fact.no")],
  app.images.length > 0 && [t("facet.image"), html`<span class="row wrap">${app.images.map((image) => html`<${Chip} key=${image} icon="box" title=${image}>${image}<//>`)}</span>`],
  Object.keys(app.labels).length > 0 && [t("facet.label"), html`<span class="row wrap">${Object.entries(app.labels).map(([name, value]) => html`<${Chip} key=${name} icon="tag" title=${`${name}=${value}`}>${`${name}=${value}`}<//>`)}</span>`],
  [t("fact.created"), html`<${Ago} at=${timeOf(app.created)} />`],
]} /></div></section>`;
}

/** @param {{nodes: Node[], current: string | null, onOpen: (id: string) => void}} props */
function List({ nodes, current, onOpen }) {
  const [sort, setSort] = useState({ by: "kind", down: false });
  const rows = useMemo(() => {
    const value = (/** @type {Node} */ node) => (sort.by === "name" ? node.name : sort.by === "health" ? node.health : `${node.kind} ${node.name}`);
    return [...nodes].sort((a, b) => (value(a) < value(b) ? -1 : 1) * (sort.down ? -1 : 1));
  }, [nodes, sort]);
  const columns = [
    { id: "name", label: t("apps.name"), width: "minmax(160px, 2fr)", sort: true, narrow: true, cell: (/** @type {Node} */ node) => html`<span class="app-name"><span class="kind-icon"><${Icon} name=${kindIcon(node.kind)} /></span><span class="clip">${node.name}</span></span>` },
    { id: "kind", label: t("fact.kind"), width: "minmax(0, 1fr)", sort: true, cell: (/** @type {Node} */ node) => html`<span class="muted clip" style=${{ display: "block" }}>${node.kind}</span>` },
    { id: "health", label: t("facet.health"), width: "140px", sort: true, narrow: true, cell: (/** @type {Node} */ node) => node.health && html`<${Status} status=${node.health} />` },
    { id: "sync", label: t("facet.sync"), width: "140px", cell: (/** @type {Node} */ node) => node.sync && html`<${Status} status=${node.sync} />` },
    { id: "message", label: t("apps.message"), width: "minmax(80px, 2fr)", cell: (/** @type {Node} */ node) => html`<span class="muted clip" style=${{ display: "block" }}>${node.message || node.note}</span>` },
    { id: "age", label: t("fact.age"), width: "96px", wide: true, cell: (/** @type {Node} */ node) => html`<span class="muted"><${Ago} at=${timeOf(node.created)} short /></span>` },
  ];
  return html`<${Table} label=${t("app.list")} columns=${columns} total=${rows.length} at=${(/** @type {number} */ i) => rows[i]} id=${(/** @type {Node} */ node) => node.id} current=${current} sort=${sort} onSort=${(/** @type {string} */ by) => setSort({ by, down: sort.by === by && !sort.down })} onOpen=${(/** @type {Node} */ node) => onOpen(node.id)} />`;
}

const WITH_LOGS = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"];

/** @param {{one: OneApp, app: App, node: Node, all: readonly Node[], onClose: () => void}} props */
function Side({ one, node, all, onClose }) {
  const tab = query.value.get("tab") ?? "summary";
  const isManaged = node.managed;
  const tabs = [
    { id: "summary", label: t("side.summary") },
    { id: "manifest", label: t("side.manifest") },
    ...(isManaged ? [{ id: "diff", label: t("side.diff") }] : []),
    { id: "events", label: t("side.events") },
    ...(WITH_LOGS.includes(node.kind) ? [{ id: "logs", label: t("side.logs") }] : []),
  ];
  const title = html`<div class="app-name"><span class="kind-icon" style=${{ width: "34px", height: "34px" }}><${Icon} name=${kindIcon(node.kind)} size=${19} /></span><span class="grow"><h2 class="clip">${node.name}</h2><small>${node.kind}${node.namespace && ` · ${node.namespace}`}</small></span></div>`;
  return html`<${Panel} label=${`${node.kind} ${node.name}`} title=${title} onClose=${onClose} actions=${html`<${ObjectActions} one=${one} node=${node} all=${all} onGone=${onClose} />`} flush=${tab === "logs"} tabs=${html`<${Tabs} label=${t("side.tabs")} current=${tab} onChange=${(/** @type {string} */ id) => setQuery({ tab: id === "summary" ? null : id })} tabs=${tabs} />`}>
    ${tab === "manifest" || tab === "diff" ? html`<${Manifests} key=${tab} one=${one} node=${node} diff=${tab === "diff"} />` : tab === "events" ? html`<${Events} one=${one} node=${node} />` : tab === "logs" ? html`<${Logs} one=${one} node=${node} />` : html`<${Summary} one=${one} node=${node} all=${all} />`}
  <//>`;
}

/** @param {{one: OneApp, node: Node, all: readonly Node[]}} props */
function Summary({ one, node, all }) {
  const links = useLinks(`${one.path}/object`, node.health === "Missing" ? null : `${node.id} ${node.uid ?? ""}`, one.queryOf(node));
  const parent = all.find((other) => other.id === node.parent);
  const children = all.filter((other) => other.parent === node.id);
  const link = (/** @type {Node} */ other) => html`<button type="button" class="chip" onClick=${() => setQuery({ node: other.id, tab: null })}><${Icon} name=${kindIcon(other.kind)} size=${12} /><span class="clip">${other.kind}/${other.name}</span></button>`;
  return html`${node.message && node.health !== "Healthy" && html`<${Notice} tone=${toneOf(node.health)} title=${word("status", node.health)}>${node.message}<//>`}
    <${Facts} rows=${[
      node.health && [t("facet.health"), html`<${Status} status=${node.health} />`],
      node.sync && [t("facet.sync"), html`<${Status} status=${node.sync} />`],
      links.length > 0 && [t("fact.links"), html`<${LinkChips} links=${links} />`],
      node.note && [t("fact.note"), node.note],
      (node.restarts ?? 0) > 0 && [t("fact.restarts"), String(node.restarts)],
      node.host && [t("fact.host"), node.host],
      (node.hosts ?? []).length > 0 && [t("fact.hosts"), (node.hosts ?? []).join(", ")],
      (node.images ?? []).length > 0 && [t("facet.image"), html`<span class="row wrap">${(node.images ?? []).map((image) => html`<${Chip} key=${image} icon="box" title=${image}>${image}<//>`)}</span>`],
      [t("fact.kind"), html`${node.kind} <span class="faint">${[node.group, node.version].filter(Boolean).join("/")}</span>`],
      node.namespace && [t("facet.namespace"), node.namespace],
      [t("fact.created"), html`<${Ago} at=${timeOf(node.created)} />`],
      parent && [t("fact.owner"), link(parent)],
      children.length > 0 && [t("fact.owns"), html`<span class="row wrap">${children.slice(0, 12).map(link)}${children.length > 12 && t("story.more", { n: children.length - 12 })}</span>`],
    ]} />`;
}

/** @param {{one: OneApp, node: Node, diff: boolean}} props */
function Manifests({ one, node, diff }) {
  const { data, problem, again } = useLoaded(node.id, async (abort) => {
    const [live, told] = await Promise.all([one.live(node, abort), diff ? one.desired(node, abort) : null]);
    return { live: await toYaml(told?.live ?? live), desired: await toYaml(told?.manifest ?? null), isDeclared: Boolean(told?.manifest) };
  });
  if (diff && problem?.details.hint?.includes("openapi.json")) return html`<${Empty} icon="git-compare" title=${t("side.no-desired")}>${t("side.no-desired.hint")}<//>`;
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${10} />`;
  const file = `${node.kind.toLowerCase()}-${node.name}.yaml`;
  if (!diff) return data.live ? html`<${Yaml} text=${data.live} title=${t("side.live")} name=${file} height="100%" />` : html`<${Empty} icon="search-x" title=${t("side.missing")}>${t("side.missing.hint")}<//>`;
  if (!data.isDeclared) return html`<${Empty} icon="git-branch" title=${t("side.undeclared")}>${t("side.undeclared.hint")}<//>`;
  if (data.live === data.desired) return html`<${Empty} icon="circle-check" title=${t("side.equal")}>${t("side.equal.hint")}<//>`;
  return html`<${Diff} before=${data.live} after=${data.desired} title=${t("side.diff.title")} label=${t("side.diff")} names=${[t("diff.live"), t("diff.desired")]} />`;
}

/** @param {{one: OneApp, node: Node}} props */
function Events({ one, node }) {
  const { data, problem, again } = useLoaded(node.id, (abort) => one.events(node, abort));
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${6} />`;
  if (!data.items.length) return html`<${Empty} icon="bell" title=${t("side.no-events")}>${t("side.no-events.hint")}<//>`;
  return html`<ul class="card">${data.items.map((event, i) => html`<li class="list-line" key=${i}><span class="state"><${Status} status=${event.warning ? "Warning" : "Normal"} /></span><span class="grow"><strong>${event.reason}</strong> <span class="muted">${event.message}</span></span><span class="faint num">${event.count > 1 ? `×${event.count} ` : ""}<${Ago} at=${timeOf(event.at)} short /></span></li>`)}</ul>`;
}

const LINES_KEPT = 20_000;

/** @param {{one: OneApp, node: Node}} props */
function Logs({ one, node }) {
  const [lines, setLines] = useState(/** @type {import("../ui/text.js").LogLine[]} */ ([]));
  const [dropped, setDropped] = useState(0);
  const [following, setFollowing] = useState(true);
  const [previous, setPrevious] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    /** @type {import("../ui/text.js").LogLine[]} */ let waiting = [];
    setLines([]);
    setProblem(null);
    // Lines come by the thousand; the page takes them a few times a second.
    const timer = setInterval(() => {
      if (!waiting.length) return;
      const added = waiting;
      waiting = [];
      setLines((was) => {
        const all = was.concat(added);
        if (all.length > LINES_KEPT) setDropped((n) => n + all.length - LINES_KEPT);
        return all.slice(-LINES_KEPT);
      });
    }, 150);
    const stop = follow(`${one.path}/logs`, {
      query: { ...one.queryOf(node), follow: !previous, previous, tail: 1000 },
      once: previous,
      failed: setProblem,
      on: (event) => {
        const news = JSON.parse(event.data);
        for (const line of news.lines ?? []) waiting.push({ at: timeOf(line.at), pod: line.pod, text: line.text });
      },
    });
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [node.id, previous, turn]);
  if (problem && !lines.length) return html`<${Wrong} problem=${problem} again=${() => setTurn(turn + 1)} />`;
  return html`<${Log} lines=${lines} title=${t("side.logs")} following=${following} onFollow=${setFollowing} dropped=${dropped} name=${`${node.name}.log`} extra=${html`<${Button} small pressed=${previous} onClick=${() => setPrevious(!previous)} title=${t("log.previous.what")}>${t("log.previous")}<//>`} />`;
}
