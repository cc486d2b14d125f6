// Projects, repositories and clusters: what there is, what uses it, and what is wrong with it. Nothing secret is ever here.
import { html } from "../lib/html.js";
import { t } from "../i18n/i18n.js";
import { ProjectDialog } from "../admin/project.js";
import { PlaceDialog } from "../admin/place.js";
import { useCan, useCanMake } from "../admin/can.js";
import { href, query, setQuery } from "../lib/route.js";
import { call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Button, Chip, Empty, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";

/** @typedef {{name: string, description: string, policies: string[], groups: string[], tokens: number}} Role */
/** @typedef {{name: string, description: string, sourceRepos: string[], destinations: string[], roles: Role[], windows: number, apps: number, problem: string}} Project */
/** @typedef {{row: {secret: string, name: string, type: string, url: string, project: string, credentials: string[], prefix: boolean, insecure: boolean}, apps: number, sources: number}} Repository */
/** @typedef {{row: {secret: string, name: string, server: string, project: string, namespaces: string[], credentials: string[], insecure: boolean}, apps: number}} Cluster */

const MOST_CHIPS = 8;

export function Page() {
  useTitle([{ label: t("nav.places") }]);
  const [project, repository, cluster] = ["project", "repository", "cluster"].map((name) => query.value.get(name));
  const { data, problem, again } = useLoaded("places", async (abort) => {
    const [projects, repositories, clusters] = await Promise.all(["/projects", "/repositories", "/clusters"].map((path) => call(path, { signal: abort })));
    return { projects: /** @type {Project[]} */ (projects.items), repositories: /** @type {Repository[]} */ (repositories.items), clusters: /** @type {Cluster[]} */ (clusters.items) };
  });
  const names = data ? data.projects.map((one) => one.name) : null;
  const may = { projects: useCan("projects", "create"), repositories: useCanMake("repositories", names), clusters: useCanMake("clusters", names) };
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${8} height=${22} />`;
  const close = (/** @type {boolean} */ changed) => {
    setQuery({ project: null, repository: null, cluster: null, url: null });
    if (changed) again();
  };
  return html`<div class="page-head"><h1>${t("nav.places")}</h1></div>
    <${Section} title=${t("places.projects")} icon="folder-tree" add=${may.projects && { label: t("project.new"), to: { project: "new" } }} rows=${data.projects} none=${t("places.none")} draw=${(/** @type {Project} */ one) => html`<${ProjectCard} key=${one.name} project=${one} />`} />
    <${Section} title=${t("places.repositories")} icon="git-branch" add=${may.repositories && { label: t("place.new.repositories"), to: { repository: "new" } }} rows=${data.repositories} none=${t("places.none")} draw=${(/** @type {Repository} */ one) => html`<${RepositoryCard} key=${`${one.row.name} ${one.row.url}`} repository=${one} />`} />
    <${Section} title=${t("places.clusters")} icon="server" add=${may.clusters && { label: t("place.new.clusters"), to: { cluster: "new" } }} rows=${data.clusters} none=${t("places.none")} draw=${(/** @type {Cluster} */ one) => html`<${ClusterCard} key=${one.row.server} cluster=${one} />`} />
    ${project && html`<${ProjectDialog} key=${project} name=${project} onDone=${close} />`}
    ${repository && html`<${PlaceDialog} key=${repository} sort="repositories" secret=${repository} url=${query.value.get("url") ?? ""} onDone=${close} />`}
    ${cluster && html`<${PlaceDialog} key=${cluster} sort="clusters" secret=${cluster} onDone=${close} />`}`;
}

/** @param {{title: string, icon: string, rows: any[], none: string, draw: (row: any) => any, add?: {label: string, to: Record<string, string>} | false | null}} props */
const Section = ({ title, icon, rows, none, draw, add }) => html`<section class="stack" aria-label=${title}>
  <h2 class="row"><${Icon} name=${icon} size=${18} />${title} <span class="muted num">${rows.length}</span><span class="grow"></span>${add && html`<${Button} small icon="plus" onClick=${() => setQuery(add.to)}>${add.label}<//>`}</h2>
  ${rows.length ? html`<div class="tiles">${rows.map(draw)}</div>` : html`<${Empty} icon=${icon} title=${none} />`}
</section>`;

/** @param {{values: string[]}} props */
const Chips = ({ values }) => html`<span class="chips">${values.slice(0, MOST_CHIPS).map((value) => html`<${Chip} key=${value} title=${value}>${value}<//>`)}${values.length > MOST_CHIPS && html`<span class="faint">+${values.length - MOST_CHIPS}</span>`}</span>`;

/** @param {{n: number, search: string}} props */
const AppsLink = ({ n, search }) => html`<a href=${href(`/apps?q=${encodeURIComponent(search)}`)}>${t("apps.count", { n })}</a>`;

/** @param {{label: string, to: Record<string, string>, text?: string}} props */
const Open = ({ label, to, text }) => html`<span class="grow"></span><button type="button" class="btn quiet small" aria-label=${`${text ?? t("place.open")} ${label}`} onClick=${() => setQuery(to)}>${text ?? t("place.open")}</button>`;

/** @param {{project: Project}} props */
const ProjectCard = ({ project }) => html`<article class="tile">
  <strong>${project.name}</strong>
  ${project.problem ? html`<${Notice} tone="bad">${project.problem}<//>` : html`
    ${project.description && html`<p class="message">${project.description}</p>`}
    <div>${t("places.from")} <${Chips} values=${project.sourceRepos} /></div>
    <div>${t("places.to")} <${Chips} values=${project.destinations} /></div>
    ${project.roles.length > 0 && html`<div>${t("places.roles")} <${Chips} values=${project.roles.map((role) => role.name)} /></div>`}`}
  <footer><${AppsLink} n=${project.apps} search=${`project:${project.name}`} /><${Open} label=${project.name} to=${{ project: project.name }} /></footer>
</article>`;

/** "shop/deploy" of an address, which stands below it. @param {string} url */
const shortName = (url) => url.replace(/^\w+:\/\/[^/]+\/|^[^/]*:/, "").replace(/(\.git)?\/*$/, "") || url;

/** @param {{repository: Repository}} props */
const RepositoryCard = ({ repository: { row, apps, sources } }) => html`<article class="tile">
  <strong class="clip" title=${row.url}>${row.name && row.name !== row.url ? row.name : shortName(row.url)}</strong>
  <p class="message mono">${row.url}${row.prefix && "…"}</p>
  <div><${Chips} values=${row.credentials.length ? row.credentials : [t("places.open")]} />${row.insecure && html`<${Chip} icon="shield-off">${t("places.insecure")}<//>`}</div>
  <footer><${AppsLink} n=${apps} search=${`repo:${row.url}`} /><a href=${href(`/sources?q=${encodeURIComponent(row.url)}`)}>${t("sources.count", { n: sources })}</a>${row.secret ? html`<${Open} label=${row.name || row.url} to=${{ repository: row.secret }} />` : html`<${Open} label=${row.url} text=${t("place.register")} to=${{ repository: "new", url: row.url }} />`}</footer>
</article>`;

/** @param {{cluster: Cluster}} props */
const ClusterCard = ({ cluster: { row, apps } }) => html`<article class="tile">
  <strong>${row.name}</strong>
  <p class="message mono">${row.server}</p>
  <div><${Chips} values=${row.credentials} />${row.insecure && html`<${Chip} icon="shield-off">${t("places.insecure")}<//>`}</div>
  <footer><${AppsLink} n=${apps} search=${`cluster:${row.name}`} />${row.secret && html`<${Open} label=${row.name} to=${{ cluster: row.secret }} />`}</footer>
</article>`;
