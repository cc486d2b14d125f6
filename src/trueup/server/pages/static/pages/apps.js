// The list of Apps: table, tiles or map; a search with filters beside it, all of it in the address.
import { html, cls } from "../lib/html.js";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { t, number, word } from "../i18n/i18n.js";
import { go, href, query, setQuery } from "../lib/route.js";
import { shortened } from "../lib/revisions.js";
import { memo } from "../lib/memo.js";
import { favourites, views } from "../lib/prefs.js";
import { parseQuery, toggleTerm, wordAt } from "../lib/query.js";
import { visible } from "../lib/virtual.js";
import { AppList, EveryApp, FACETS, FIELDS, idOf, pageOf, searchOf, timeOf } from "../live/apps.js";
import { BulkBar } from "../acts/bulk.js";
import { chooseAll, chosen, clear, toggle } from "../acts/selection.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Chip, Empty, Revision, Skeleton, Waiting, Wrong } from "../ui/basics.js";
import { Icon, kindIcon } from "../ui/icon.js";
import { Menu } from "../ui/layers.js";
import { DenseMap } from "../ui/map.js";
import { Shape, Shares, STATUS_WORDS, Status, toneOf } from "../ui/status.js";
import { Table } from "../ui/table.js";
import { walkTiles } from "../ui/walking.js";

/** @typedef {import("../live/apps.js").App} App */

export function Page() {
  useTitle([{ label: t("nav.apps") }]);
  const text = query.value.get("q") ?? "";
  const view = query.value.get("view") ?? "table";
  const sort = query.value.get("sort") ?? "status";
  const [facetsOpen, setFacetsOpen] = useState(false);
  const search = searchOf(text, favourites.value);
  const [list, setList] = useState(/** @type {AppList | null} */ (null));
  useEffect(() => {
    const opened = new AppList(search, sort);
    setList(opened);
    clear();
    return () => opened.close();
  }, [search, sort]);
  const setText = (/** @type {string} */ next) => setQuery({ q: next });
  const total = list?.total.value ?? null;
  const facets = list?.facets.value ?? {};
  const byStatus = new Map((facets["status"] ?? []).map((one) => [one.value, one.count]));
  return html`<div class="page-head">
      <h1>${t("nav.apps")}</h1>
      <span class="muted num">${total === null ? html`<${Skeleton} width="72px" />` : t("apps.count", { n: total })}</span>
      <span class="grow"></span>
      <${Button} icon="plus" href=${href("/apps/new")}>${t("new.title")}<//>
      <span class="btn-group" role="group" aria-label=${t("apps.view")}>
        ${(/** @type {const} */ ([["table", "list"], ["tiles", "layout-grid"], ["map", "grid-3x3"]])).map(([id, icon]) => html`<${Button} key=${id} icon=${icon} label=${t(`apps.view.${id}`)} pressed=${view === id} onClick=${() => setQuery({ view: id === "table" ? null : id })} />`)}
      </span>
    </div>
    <${Shares} label=${t("apps.shares")} counts=${STATUS_WORDS.map((status) => [status, byStatus.get(status) ?? 0])} />
    <div class="toolbar">
      <${Search} text=${text} onText=${setText} facets=${facets} />
      <${Button} icon="funnel" class="btn only-narrow" label=${t("apps.filters")} pressed=${facetsOpen} onClick=${() => setFacetsOpen(!facetsOpen)} />
      <${Views} text=${text} view=${view} sort=${sort} />
    </div>
    <div class=${cls("filters", facetsOpen && "shown")}>
      <${FacetList} facets=${facets} text=${text} onText=${setText} onClose=${() => setFacetsOpen(false)} />
      ${!list ? html`<${Waiting} rows=${10} height=${24} />` : list.problem.value && total === null ? html`<${Wrong} problem=${list.problem.value} again=${() => list.again()} />` : total === 0 ? html`<${Nothing} text=${text} onClear=${() => setText("")} />` : view === "map" ? html`<${Map_} search=${search} />` : view === "tiles" ? html`<${Tiles} list=${list} />` : html`<${Rows} list=${list} sort=${sort} />`}
    </div>
    <${BulkBar} total=${total} onAll=${() => void chooseAll(search).catch(() => {})} />`;
}

/** @param {{text: string, onClear: () => void}} props */
const Nothing = ({ text, onClear }) =>
  text ? html`<${Empty} icon="search-x" title=${t("apps.nothing")} action=${html`<${Button} onClick=${onClear}>${t("apps.clear")}<//>`}>${t("apps.nothing.hint")}<//>` : html`<${Empty} icon="layers" title=${t("design.empty")} action=${html`<${Button} kind="primary" icon="plus" href=${href("/apps/new")}>${t("new.title")}<//>`}>${t("design.empty.what")}<//>`;

/** @param {{app: App}} props */
function Star({ app }) {
  const id = idOf(app);
  const on = favourites.value.includes(id);
  return html`<button type="button" class="star" tabindex="-1" aria-pressed=${String(on)} aria-label=${t("apps.star", { name: app.name })} onClick=${(/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    favourites.value = on ? favourites.value.filter((one) => one !== id) : [...favourites.value, id];
  }}><${Icon} name="star" size=${15} /></button>`;
}

/** @param {{list: AppList, sort: string}} props */
function Rows({ list, sort }) {
  list.version.value;
  const down = sort.startsWith("-");
  const indexOf = (/** @type {App} */ app) => list.find(idOf(app));
  const columns = [
    { id: "pick", label: "", width: "16px", narrow: true, cell: (/** @type {App} */ app) => html`<label class="check act-pick"><input type="checkbox" tabindex="-1" aria-label=${t("bulk.pick", { name: app.name })} checked=${chosen.value.has(idOf(app))} onClick=${(/** @type {MouseEvent} */ event) => toggle(app, indexOf(app), event.shiftKey, (i) => list.at(i))} /></label>` },
    { id: "star", label: "", width: "20px", cell: (/** @type {App} */ app) => html`<${Star} app=${app} />` },
    { id: "name", label: t("apps.name"), width: "minmax(140px, 2fr)", sort: true, narrow: true, cell: (/** @type {App} */ app) => html`<a class="app-name" tabindex="-1" href=${href(pageOf(app))}><span class="kind-icon"><${Icon} name=${kindIcon(app.kind)} /></span><span class="grow"><span class="clip" style=${{ display: "block" }}>${app.name}</span><small class="clip">${app.namespace} · ${app.cluster}</small></span></a>` },
    { id: "status", label: t("apps.status"), width: "136px", sort: true, narrow: true, cell: (/** @type {App} */ app) => html`<${Status} status=${app.status} />` },
    { id: "message", label: t("apps.message"), width: "minmax(100px, 2.4fr)", cell: (/** @type {App} */ app) => html`<span class="muted two-lines tight" title=${app.message}>${shortened(app.message)}</span>` },
    { id: "revision", label: t("apps.revision"), width: "132px", wide: true, cell: (/** @type {App} */ app) => html`<${Revision} revision=${app.fullRevision || app.revision} />` },
    { id: "since", label: t("apps.since"), width: "92px", sort: true, cell: (/** @type {App} */ app) => html`<span class="muted"><${Ago} at=${timeOf(app.since)} short /></span>` },
  ];
  return html`<${Table} label=${t("nav.apps")} columns=${columns} total=${list.total.value ?? 30} at=${(/** @type {number} */ i) => list.at(i)} id=${idOf} row=${48} of=${list} picked=${{ has: (/** @type {App} */ app) => chosen.value.has(idOf(app)), toggle: (/** @type {App} */ app, /** @type {number} */ index, /** @type {boolean} */ range) => toggle(app, index, range, (i) => list.at(i)), all: () => void chooseAll(list.search).catch(() => {}) }} sort=${{ by: sort.replace(/^-/, ""), down }} onSort=${(/** @type {string} */ by) => setQuery({ sort: by === sort ? `-${by}` : by })} onOpen=${(/** @type {App} */ app) => go(pageOf(app))} onWindow=${(/** @type {number} */ from, /** @type {number} */ to) => list.show(from, to)} />`;
}

const TILE = { width: 300, height: 160, gap: 12 };

/** @param {{list: AppList}} props */
function Tiles({ list }) {
  list.version.value;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 900, width: 1000 });
  const total = list.total.value ?? 12;
  const columns = Math.max(1, Math.floor((view.width + TILE.gap) / (TILE.width + TILE.gap)));
  const window = visible({ top: view.top, height: view.height, row: TILE.height + TILE.gap, total: Math.ceil(total / columns), extra: 1 });
  const [from, to] = [window.from * columns, Math.min(total, window.to * columns)];
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight, width: element.clientWidth });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => list.show(from, to), [from, to, list]);
  return html`<div class="tiles-scroll" tabindex="0" role="region" aria-label=${t("nav.apps")} ref=${box} onKeyDown=${(/** @type {KeyboardEvent} */ event) => walkTiles(event, columns)} onScroll=${(/** @type {any} */ event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight, width: event.currentTarget.clientWidth })}>
    <div style=${{ height: `${window.before}px` }}></div>
    <ul class="tiles">${Array.from({ length: to - from }, (_, i) => {
      const app = list.at(from + i);
      return html`<${SameTile} key=${app ? idOf(app) : from + i} app=${app} />`;
    })}</ul>
    <div style=${{ height: `${window.after}px` }}></div>
  </div>`;
}

/** @param {{app: App | undefined}} props */
function Tile({ app }) {
  if (!app) return html`<li class="tile"><${Waiting} rows=${3} /></li>`;
  return html`<li style=${{ display: "grid" }}><a class="tile" tabindex="-1" href=${href(pageOf(app))} style=${{ minHeight: `${TILE.height}px` }}>
    <span class="row"><span class="app-name grow"><span class="kind-icon"><${Icon} name=${kindIcon(app.kind)} /></span><span class="grow"><span class="clip" style=${{ display: "block" }}>${app.name}</span><small class="clip">${app.namespace}</small></span></span><${Star} app=${app} /></span>
    <span class="row wrap"><${Status} status=${app.status} pill />${app.sync && app.sync !== "Synced" && app.sync !== app.status && html`<${Status} status=${app.sync} pill />`}</span>
    <span class="message" title=${app.message}>${shortened(app.message)}</span>
    <footer><${Revision} revision=${app.fullRevision || app.revision} /><span class="grow clip">${app.cluster}</span><${Ago} at=${timeOf(app.since)} short /></footer>
  </a></li>`;
}
const SameTile = memo(Tile, ["app"]);

/** @type {App[]} */
const NONE = [];

/** @param {{search: string}} props */
function Map_({ search }) {
  const by = query.value.get("by") ?? "cluster";
  const [every, setEvery] = useState(/** @type {EveryApp | null} */ (null));
  useEffect(() => {
    const opened = new EveryApp(search);
    setEvery(opened);
    return () => opened.close();
  }, [search]);
  const problem = every?.problem.value ?? null;
  const apps = every?.apps.value ?? NONE;
  const offered = useMemo(() => /** @type {const} */ (["cluster", "environment", "team", "project", "namespace", "kind"]).filter((name) => !["environment", "team"].includes(name) || apps.some((app) => app[name])), [apps]);
  const cells = useMemo(() => apps.map((app) => ({ id: idOf(app), kind: app.kind, namespace: app.namespace, name: app.name, status: app.status, group: String(app[/** @type {"cluster"} */ (by)] ?? ""), note: `${app.namespace} · ${app.message ?? ""}` })), [apps, by]);
  if (problem && !apps.length) return html`<${Wrong} problem=${problem} again=${() => every?.again()} />`;
  if (!apps.length) return html`<${Waiting} rows=${12} height=${22} />`;
  return html`<div class="card" style=${{ overflow: "auto" }}><div class="body stack">
    <div class="row"><span class="faint">${t("apps.by")}</span><span class="btn-group">${offered.map((name) => html`<${Button} key=${name} small pressed=${by === name} onClick=${() => setQuery({ by: name === "cluster" ? null : name })}>${word("facet", name)}<//>`)}</span></div>
    <${DenseMap} cells=${cells} label=${t("nav.apps")} onOpen=${(/** @type {any} */ cell) => go(pageOf(cell))} />
  </div></div>`;
}

/** @param {{facets: import("../live/apps.js").Facets, text: string, onText: (text: string) => void, onClose: () => void}} props */
function FacetList({ facets, text, onText, onClose }) {
  const { terms } = parseQuery(text, FIELDS);
  const chosen = (/** @type {string} */ field, /** @type {string} */ value) => terms.some((term) => term.field === field && term.value === value && !term.negated);
  const stars = favourites.value.length;
  return html`<aside class="facets" aria-label=${t("apps.filters")}>
    <div class="facet only-narrow"><${Button} kind="quiet" small icon="x" onClick=${onClose}>${t("do.close")}<//></div>
    <div class="facet"><button type="button" aria-pressed=${String(chosen("is", "favourite"))} onClick=${() => onText(toggleTerm(text, "is", "favourite", FIELDS))}><${Icon} name="star" size=${15} /><span class="grow">${t("apps.favourites")}</span><span class="num">${number(stars)}</span></button></div>
    ${FACETS.map((field) => {
      const values = (facets[field] ?? []).filter((one) => one.value || !["health", "sync"].includes(field));
      if (!values.length || (values.length === 1 && !chosen(field, values[0]?.value ?? ""))) return null;
      const sorted = field === "status" || field === "health" || field === "sync" ? [...values].sort((a, b) => rank(a.value) - rank(b.value)) : values;
      return html`<section class="facet" key=${field}><h3>${word("facet", field)}</h3>
        ${sorted.slice(0, 12).map(({ value, count }) => html`<button key=${value} type="button" aria-pressed=${String(chosen(field, value))} onClick=${() => onText(toggleTerm(text, field, value, FIELDS))}>${["status", "health", "sync"].includes(field) && html`<span class=${`status tone-${toneOf(value)}`}><${Shape} status=${value} size=${14} /></span>`}<span class="grow clip">${["status", "health", "sync"].includes(field) ? word("status", value) : value || t("map.none")}</span><span class="num">${number(count)}</span></button>`)}
        ${sorted.length > 12 && html`<p class="faint" style=${{ padding: "2px 8px" }}>${t("apps.more", { n: sorted.length - 12 })}</p>`}
      </section>`;
    })}
  </aside>`;
}

/** @param {string} status */
const rank = (status) => (STATUS_WORDS.indexOf(status) + 1 || 99);

/** @param {{text: string, onText: (text: string) => void, facets: import("../live/apps.js").Facets}} props */
function Search({ text, onText, facets }) {
  const [typed, setTyped] = useState(text);
  const [open, setOpen] = useState(false);
  const [at, setAtShown] = useState(-1);
  // Keys may come faster than the page is drawn, so they are read against what is, not against what was drawn last.
  const chosen = useRef(-1);
  const setAt = (/** @type {number} */ to) => setAtShown((chosen.current = to));
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => setTyped(text), [text]);
  const { problems } = parseQuery(typed, FIELDS);
  const here = () => {
    const text = input.current?.value ?? typed;
    const { start, word: part } = wordAt(text, input.current?.selectionStart ?? text.length);
    return { text, start, part, options: suggestions(part, facets) };
  };
  const { options } = here();
  const later = (/** @type {string} */ value) => {
    setTyped(value);
    setAt(-1);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onText(value.trim()), 250);
  };
  const pick = (/** @type {string} */ value) => {
    const { text, start, part } = here();
    const next = `${text.slice(0, start)}${value}${value.endsWith(":") ? "" : " "}${text.slice(start + part.length)}`;
    if (input.current) input.current.value = next;
    later(next);
    input.current?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const { text, options } = here();
    const option = options[chosen.current];
    if (event.key === "ArrowDown") setAt(Math.min(options.length - 1, chosen.current + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(-1, chosen.current - 1));
    else if (event.key === "Enter" && option) pick(option.value);
    else if (event.key === "Enter") {
      clearTimeout(timer.current);
      onText(text.trim());
      setOpen(false);
    } else if (event.key === "Escape") {
      if (open) setOpen(false);
      else input.current?.blur();
    } else return;
    event.preventDefault();
  };
  const wrong = problems.find((one) => one.kind !== "no-value");
  return html`<div class="ask" onFocusOut=${(/** @type {FocusEvent} */ event) => !(/** @type {Element} */ (event.currentTarget).contains(/** @type {Node | null} */ (event.relatedTarget))) && setOpen(false)}>
    <div class="search"><${Icon} name="search" />
      <input ref=${input} class="input" type="search" role="combobox" aria-label=${t("apps.search")} aria-expanded=${String(open)} aria-controls="search-help" aria-activedescendant=${at >= 0 ? `option-${at}` : undefined} autocomplete="off" spellcheck=${false} placeholder=${t("apps.search")} value=${typed} onInput=${(/** @type {any} */ event) => later(event.currentTarget.value)} onFocus=${() => setOpen(true)} onClick=${() => setOpen(true)} onKeyDown=${onKeyDown} aria-invalid=${wrong ? "true" : undefined} />
      <span class="after">${typed ? html`<${Button} kind="quiet" small icon="x" label=${t("do.clear")} onClick=${() => later("")} />` : html`<kbd>/</kbd>`}</span>
    </div>
    ${open && html`<div class="menu">
      ${wrong && html`<div class="title tone-bad status">${wrong.kind === "open-quote" ? t("search.quote") : wrong.near ? t("search.near", { field: wrong.text, near: wrong.near }) : t("search.unknown", { field: wrong.text })}</div>`}
      <ul id="search-help" role="listbox" aria-label=${t("search.help")}>${options.map((option, i) => html`<li key=${option.value} id=${`option-${i}`} role="option" aria-selected=${String(i === at)} onPointerDown=${(/** @type {Event} */ event) => {
        event.preventDefault();
        pick(option.value);
      }}><code>${option.value}</code><span class="grow faint clip">${option.note}</span>${option.count !== undefined && html`<span class="faint num">${number(option.count)}</span>`}</li>`)}</ul>
      <p class="title">${t("search.syntax")} <code>web status:Degraded -kind:HelmRelease</code></p>
    </div>`}
  </div>`;
}

/** @param {string} part @param {import("../live/apps.js").Facets} facets @returns {Array<{value: string, note: string, count?: number}>} */
function suggestions(part, facets) {
  const minus = part.startsWith("-") ? "-" : "";
  const body = part.slice(minus.length);
  const colon = body.indexOf(":");
  if (colon > 0) {
    const [field, begun] = [body.slice(0, colon), body.slice(colon + 1).toLowerCase()];
    if (field === "is") return IS.filter((state) => state.startsWith(begun)).map((state) => ({ value: `${minus}is:${state}`, note: word("is", state) }));
    return (facets[field] ?? []).filter((one) => one.value && one.value.toLowerCase().includes(begun)).slice(0, 10).map((one) => ({ value: `${minus}${field}:${one.value}`, note: ["status", "health", "sync"].includes(field) ? word("status", one.value) : "", count: one.count }));
  }
  const states = IS.map((state) => ({ value: `${minus}is:${state}`, note: word("is", state) }));
  const fields = FIELDS.filter((field) => field !== "is").map((field) => ({ value: `${minus}${field}:`, note: word("facet", field) }));
  return [...fields, ...states].filter((one) => one.value.slice(minus.length).startsWith(body.toLowerCase()));
}

const IS = ["favourite", "broken", "busy", "suspended", "manual", "pinned"];

/** Searches that were given a name. @param {{text: string, view: string, sort: string}} props */
function Views({ text, view, sort }) {
  const here = new URLSearchParams(Object.entries({ q: text, view: view === "table" ? "" : view, sort: sort === "status" ? "" : sort }).filter(([, value]) => value)).toString();
  const known = views.value.find((one) => one.search === here);
  /** @type {import("../ui/layers.js").Item[]} */
  const items = [
    ...views.value.map((one) => ({ label: one.name, icon: "bookmark", run: () => go(`/apps${one.search ? `?${one.search}` : ""}`) })),
    ...(views.value.length ? [/** @type {const} */ ("-")] : []),
    known ? { label: t("views.forget", { name: known.name }), icon: "trash", run: () => (views.value = views.value.filter((one) => one !== known)) } : { label: t("views.keep"), icon: "plus", disabled: !here, run: () => (views.value = [...views.value, { name: text || t(/** @type {any} */ (`apps.view.${view}`)), search: here }]) },
  ];
  return html`<${Menu} label=${t("views.title")} items=${items} button=${(/** @type {any} */ attributes) => html`<${Button} icon="bookmark" ...${attributes}><span class="hide-phone">${known?.name ?? t("views.title")}</span><//>`} />`;
}
