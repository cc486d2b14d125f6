// One App as the API gives it: itself, its tree as it changes, and what a person asks of one of its objects.
import { batch, signal } from "@preact/signals";
import { Problem, call } from "./api.js";
import { follow } from "./stream.js";

/**
 * @typedef {{id: string, parent: string | null, group: string, version: string, kind: string, namespace: string, name: string, managed: boolean, uid?: string, sync: string, health: string, message: string, note: string,
 *   created: string | null, deleting?: boolean, images?: string[], ready?: number | null, wanted?: number | null, phase?: string, reason?: string, restarts?: number, host?: string, hosts?: string[], addresses?: string[], targets?: string[]}} Node
 * @typedef {import("./apps.js").App} App
 * @typedef {{at: string, warning: boolean, reason: string, message: string, count: number, component: string}} EventRow
 */

/** @param {{kind: string, namespace: string, name: string}} app */
export const rootOf = (app) => `/apps/${[app.kind, app.namespace, app.name].map(encodeURIComponent).join("/")}`;

const ASKS = /** @type {const} */ ({ refresh: ["POST", "/refresh"], resume: ["DELETE", "/suspension"], terminate: ["DELETE", "/operation"], unpin: ["DELETE", "/pin"] });

/** The objects that an App's own status names, where nobody tells its tree. @param {Record<string, any> | null} resource @returns {Node[]} */
export function declaredNodes(resource) {
  const status = resource?.["status"] ?? {};
  /** @param {string} group @param {string} version @param {string} kind @param {string} namespace @param {string} name @param {Partial<Node>} more @returns {Node} */
  const node = (group, version, kind, namespace, name, more = {}) => ({ id: `${kind}${group ? `.${group}` : ""}/${namespace}/${name}`, parent: null, group, version, kind, namespace, name, managed: true, health: "", sync: "", message: "", note: "", created: null, ...more });
  if (Array.isArray(status.resources)) return status.resources.map((/** @type {any} */ row) => node(row.group ?? "", row.version ?? "", row.kind, row.namespace ?? "", row.name, { health: row.health?.status ?? "", message: row.health?.message ?? "", sync: row.status ?? "" }));
  return (status.inventory?.entries ?? []).map((/** @type {{id: string, v: string}} */ entry) => {
    // Flux writes namespace_name_group_kind, and "__" for ":" in names of RBAC objects.
    const [namespace = "", ...rest] = entry.id.split("_");
    const kind = rest.pop() ?? "";
    const group = rest.pop() ?? "";
    return node(group, entry.v, kind, namespace, rest.join("_").replaceAll("__", ":"));
  });
}

/** An App that is being looked at; current until it is closed. */
export class OneApp {
  app = signal(/** @type {App | null} */ (null));
  /** The native resource, as the cluster has it. */
  resource = signal(/** @type {Record<string, any> | null} */ (null));
  nodes = signal(/** @type {Node[] | null} */ (null));
  problem = signal(/** @type {Problem | null} */ (null));
  /** Why the tree may be old; empty: it is current. */
  stale = signal("");
  #abort = new AbortController();
  /** Whether the server tells the tree; where it does not, the status's list of objects stands in its place. */
  #told = true;
  /** @type {Map<string, Node>} */ #known = new Map();
  /** @type {Array<() => void>} */ #stops = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #drawn = undefined;

  /** @param {{kind: string, namespace: string, name: string}} who */
  constructor(who) {
    this.path = rootOf(who);
    this.again();
    this.#stops.push(follow(`${this.path}/resource/events`, { on: (event) => (event.event === "app" ? this.#take(JSON.parse(event.data)) : void this.#load()), failed: () => {} }));
    this.#stops.push(follow(`${this.path}/tree/events`, { on: (event) => this.#tree(event), failed: () => {
        this.#told = false;
        if (this.resource.peek()) this.nodes.value = declaredNodes(this.resource.peek());
      } }));
  }

  close() {
    for (const stop of this.#stops) stop();
    this.#abort.abort();
    clearTimeout(this.#drawn);
  }

  again() {
    this.problem.value = null;
    void this.#load();
  }

  async #load() {
    try {
      this.#take(await call(this.path, { signal: this.#abort.signal }));
    } catch (error) {
      if (!this.#abort.signal.aborted) this.problem.value = error instanceof Problem ? error : new Problem({ title: String(error), status: -1 });
    }
  }

  /** The newest wins, whichever way it came and however long it took. @param {{row: App, resource: Record<string, any>}} told */
  #take({ row, resource }) {
    const was = this.app.peek();
    if (was && was.created === row.created && Number(row.version) < Number(was.version)) return;
    batch(() => {
      [this.app.value, this.resource.value] = [row, resource];
      this.problem.value = null;
    });
    if (!this.#told) this.nodes.value = declaredNodes(resource);
  }

  /** A whole tree, or what changed in it; drawn at most ten times a second. @param {import("../lib/events.js").ServerEvent} event */
  #tree(event) {
    /** @type {{nodes?: Node[], removed?: string[], problem?: string}} */
    const news = JSON.parse(event.data);
    if (event.event !== "changes") this.stale.value = news.problem ?? "";
    if (event.event === "stale") return;
    if (event.event === "tree") this.#known.clear();
    for (const node of news.nodes ?? []) this.#known.set(node.id, node);
    for (const id of news.removed ?? []) this.#known.delete(id);
    const draw = () => {
      this.#drawn = undefined;
      this.nodes.value = [...this.#known.values()];
    };
    if (this.nodes.peek() === null) draw();
    else this.#drawn ??= setTimeout(draw, 100);
  }

  /** Asks for something to be done. @param {keyof typeof ASKS} what @param {Record<string, unknown>} [body] @returns {Promise<{message: string}>} */
  async ask(what, body = {}) {
    const [method, path] = ASKS[what];
    const answer = await call(this.path + path, { method, ...(method === "DELETE" ? {} : { body }) });
    void this.#load();
    return answer;
  }

  /** Asks for a sync; the answer names it. @param {Record<string, unknown>} body @returns {Promise<{token: string, version: string}>} */
  async sync(body) {
    const { token = "", version = "0" } = await call(`${this.path}/sync`, { method: "POST", body });
    void this.#load();
    return { token, version };
  }

  /** Changes how the App stands, by a path and body of the API. @param {string} method @param {string} path @param {unknown} [body] @param {import("./api.js").Query} [query] */
  async change(method, path, body, query) {
    const answer = await call(this.path + path, { method, query, ...(body === undefined ? {} : { body }) });
    void this.#load();
    return answer;
  }

  /** @param {Node} node */
  queryOf(node) {
    return { group: node.group, kind: node.kind, namespace: node.namespace, name: node.name };
  }

  /** The object as it is; null when it is not there. @param {Node} node @param {AbortSignal} abort @returns {Promise<Record<string, any> | null>} */
  async live(node, abort) {
    try {
      return (await call(`${this.path}/object`, { query: this.queryOf(node), signal: abort })).manifest;
    } catch (error) {
      if (error instanceof Problem && error.details.status === 404) return null;
      throw error;
    }
  }

  /** What a sync would make of the object (`manifest`; null when Git does not declare it), beside what is there, both cut alike. @param {Node} node @param {AbortSignal} abort @returns {Promise<{manifest: Record<string, any> | null, live?: Record<string, any> | null}>} */
  async desired(node, abort) {
    return await call(`${this.path}/object/desired`, { query: this.queryOf(node), signal: abort });
  }

  /** @param {Node} node @param {AbortSignal} abort @returns {Promise<{items: EventRow[]}>} */
  events(node, abort) {
    return call(`${this.path}/events`, { query: this.queryOf(node), signal: abort });
  }
}

/** An object as YAML, the way people write it: no managed fields, the usual order. @param {Record<string, any> | null} object */
export async function toYaml(object) {
  if (!object) return "";
  const { dump } = await import("js-yaml");
  const { managedFields: _, ...metadata } = object["metadata"] ?? {};
  return dump({ ...object, ...(object["metadata"] ? { metadata } : {}) }, { lineWidth: -1, noRefs: true });
}
