// Apps as the API gives them: one window of the list at a time, counts beside it, changes as they come.
import { signal } from "@preact/signals";
import { pagesOf } from "../lib/virtual.js";
import { parseQuery, writeQuery } from "../lib/query.js";
import { Problem, call } from "./api.js";
import { follow } from "./stream.js";

/**
 * @typedef {{url: string, path: string, target: string, chart: string, ref: string, more: number}} SourceText
 * @typedef {{phase: string, message: string, startedAt: string | null, finishedAt: string | null, by: string}} OperationText
 * @typedef {{kind: string, namespace: string, name: string, dialect: string, project: string, status: string, sync: string, health: string, message: string,
 *   since: string | null, revision: string, fullRevision: string, attempted: string, source: SourceText, cluster: string, destination: string,
 *   labels: Record<string, string>, created: string | null, suspended: boolean, automated: boolean, pinned: boolean, objects: number, images: string[],
 *   operation: OperationText | null, version: string, uid: string, environment: string, team: string}} App
 * @typedef {Record<string, Array<{value: string, count: number}>>} Facets
 * @typedef {{changed?: App[], removed?: string[]}} News
 * @typedef {{items: App[], total: number, next: string, facets: Record<string, Record<string, number>>, eventId: string}} Answer
 */

/** What may be asked for by name in the search. */
export const FIELDS = ["status", "health", "sync", "kind", "namespace", "project", "cluster", "environment", "team", "name", "repo", "path", "revision", "image", "label", "message", "destination", "dialect", "is"];
export const FACETS = ["status", "health", "sync", "kind", "cluster", "environment", "team", "project", "namespace"];
export const PAGE = 100;
const PAGES_KEPT = 30;

/** @param {{kind: string, namespace: string, name: string}} app */
export const idOf = (app) => `${app.kind}/${app.namespace}/${app.name}`;
/** @param {{kind: string, namespace: string, name: string}} app */
export const pageOf = (app) => `/apps/${[app.kind, app.namespace, app.name].map(encodeURIComponent).join("/")}`;
/** @param {string | null | undefined} text */
export const timeOf = (text) => (text ? Date.parse(text) : null);

/** The search as the API takes it: several values of a field become one term that means any of them. Favourites are named, since only this browser knows them. @param {string} text @param {readonly string[]} favourites */
export function searchOf(text, favourites) {
  /** @type {Map<string, string[]>} */ const any = new Map();
  /** @type {Array<{field: string, value: string, negated?: boolean}>} */ const terms = [];
  for (const { field, value, negated } of parseQuery(text, FIELDS).terms) {
    const isStar = field === "is" && value === "favourite";
    if (isStar || (field && !negated && field !== "is" && field !== "label")) {
      const values = isStar ? (favourites.length ? [...favourites] : ["-"]) : [value];
      const name = isStar ? (negated ? "-key" : "key") : field;
      any.set(name, [...(any.get(name) ?? []), ...values]);
    } else terms.push({ field, value, negated });
  }
  for (const [name, values] of any) terms.push({ field: name.replace(/^-/, ""), value: values.join(","), negated: name.startsWith("-") });
  return writeQuery(terms);
}

/** One search of the list: windows of it are asked for as they come into view, and kept current while it is open. */
export class AppList {
  total = signal(/** @type {number | null} */ (null));
  facets = signal(/** @type {Facets} */ ({}));
  problem = signal(/** @type {Problem | null} */ (null));
  /** Rises with each change, so that views draw anew. */
  version = signal(0);
  /** @type {Map<number, App[]>} */ #pages = new Map();
  /** @type {Set<number>} */ #asked = new Set();
  #abort = new AbortController();
  #window = { from: 0, to: PAGE };
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #again = undefined;
  #stop = () => {};

  /** @param {string} search @param {string} sort "-name": the other way round */
  constructor(search, sort) {
    this.search = search;
    this.sort = sort;
    // Followed from where the list was read, so that nothing lies between the two.
    void this.#load(0, true).then((since) => {
      if (!this.#abort.signal.aborted) this.#stop = follow("/apps/events", { query: { search }, since, on: (event) => this.#changed(event), failed: () => {} });
    });
  }

  close() {
    this.#stop();
    this.#abort.abort();
    clearTimeout(this.#again);
  }

  /** @param {number} index @returns {App | undefined} */
  at(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** At which index an App of the loaded windows stands; -1: in none. @param {string} id */
  find(id) {
    for (const [page, rows] of this.#pages) {
      const at = rows.findIndex((row) => idOf(row) === id);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  /** Rows from..to-1 are looked at. @param {number} from @param {number} to */
  show(from, to) {
    this.#window = { from, to };
    for (const page of pagesOf(from, to, PAGE)) if (!this.#pages.has(page) && !this.#asked.has(page)) void this.#load(page, false);
  }

  again() {
    this.problem.value = null;
    this.#refresh();
  }

  /** @param {number} page @param {boolean} facets @returns {Promise<string>} where the answer stands among the events; empty: there was none */
  async #load(page, facets) {
    this.#asked.add(page);
    try {
      /** @type {Answer} */
      const answer = await call("/apps", { query: { search: this.search, sort: this.sort.replace(/^-/, ""), descending: this.sort.startsWith("-"), offset: page * PAGE, limit: PAGE, facets: facets ? FACETS : [] }, signal: this.#abort.signal });
      this.#pages.delete(page);
      this.#pages.set(page, answer.items);
      for (const old of this.#pages.keys()) if (this.#pages.size > PAGES_KEPT) this.#pages.delete(old);
      this.total.value = answer.total;
      if (facets) this.facets.value = Object.fromEntries(Object.entries(answer.facets).map(([name, counts]) => [name, Object.entries(counts).map(([value, count]) => ({ value, count }))]));
      this.problem.value = null;
      this.version.value += 1;
      return answer.eventId;
    } catch (error) {
      if (!this.#abort.signal.aborted) this.problem.value = error instanceof Problem ? error : new Problem({ title: String(error), status: -1 });
      return "";
    } finally {
      this.#asked.delete(page);
    }
  }

  /** @param {import("../lib/events.js").ServerEvent} event */
  #changed(event) {
    if (event.event === "ready") return void this.#refresh(); // the list could not be read before: now it can
    /** @type {{changed?: App[], removed?: string[]}} */
    const news = event.event === "changes" ? JSON.parse(event.data) : {};
    for (const app of news.changed ?? []) {
      const id = idOf(app);
      for (const rows of this.#pages.values()) {
        const at = rows.findIndex((row) => idOf(row) === id);
        if (at >= 0) rows[at] = app;
      }
    }
    this.version.value += 1;
    this.#soon();
    return undefined;
  }

  /** Order and counts follow within a second, however many changes come. */
  #soon() {
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      this.#refresh();
    }, 1000);
  }

  #refresh() {
    const seen = pagesOf(this.#window.from, this.#window.to, PAGE);
    for (const page of this.#pages.keys()) if (!seen.includes(page)) this.#pages.delete(page);
    for (const [i, page] of (seen.length ? seen : [0]).entries()) void this.#load(page, i === 0);
  }
}

const FITS = "next,total,eventId,items.kind,items.namespace,items.name,items.status,items.cluster,items.environment,items.team,items.project,items.message";
const DRAWN = 250; // a map is drawn anew at most so often

/** Every App that fits, of each only what a map shows: read page after page, and kept current while it is open. */
export class EveryApp {
  apps = signal(/** @type {App[] | null} */ (null));
  problem = signal(/** @type {Problem | null} */ (null));
  /** @type {Map<string, App>} */ #known = new Map();
  /** What changed while the list was read: of that no page can tell whether it has it. @type {News[] | null} */ #meanwhile = null;
  #abort = new AbortController();
  /** @type {(() => void) | null} */ #stop = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #drawn = undefined;

  /** @param {string} search */
  constructor(search) {
    this.search = search;
    void this.again();
  }

  close() {
    this.#stop?.();
    this.#abort.abort();
    clearTimeout(this.#drawn);
  }

  async again() {
    this.problem.value = null;
    this.#meanwhile = [];
    /** @type {Map<string, App>} */ const found = new Map();
    try {
      for (let after = "", more = true; more; ) {
        /** @type {Answer} */
        const page = await call("/apps", { query: { search: this.search, sort: "name", limit: 500, after, fields: FITS }, signal: this.#abort.signal });
        this.#stop ??= follow("/apps/events", { query: { search: this.search }, since: page.eventId, on: (event) => this.#changed(event), failed: () => {} });
        for (const app of page.items) found.set(idOf(app), app);
        if (this.#known.size <= found.size) this.apps.value = [...found.values()];
        after = page.next;
        more = after !== "";
      }
      this.#known = found;
      const meanwhile = this.#meanwhile ?? [];
      this.#meanwhile = null;
      meanwhile.forEach((news) => this.#take(news));
      this.apps.value = [...found.values()];
    } catch (error) {
      if (!this.#abort.signal.aborted) this.problem.value = error instanceof Problem ? error : new Problem({ title: String(error), status: -1 });
    }
  }

  /** @param {import("../lib/events.js").ServerEvent} event */
  #changed(event) {
    if (event.event === "reset") return void this.again();
    if (event.event !== "changes") return undefined;
    /** @type {News} */ const news = JSON.parse(event.data);
    if (this.#meanwhile) return void this.#meanwhile.push(news);
    this.#take(news);
    this.#drawn ??= setTimeout(() => {
      this.#drawn = undefined;
      this.apps.value = [...this.#known.values()];
    }, DRAWN);
    return undefined;
  }

  /** @param {News} news */
  #take(news) {
    for (const app of news.changed ?? []) this.#known.set(idOf(app), app);
    for (const key of news.removed ?? []) this.#known.delete(key);
  }
}
