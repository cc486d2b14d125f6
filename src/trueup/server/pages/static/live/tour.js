// The first steps of `trueup up`: what this machine is, how far one is, and watching the sample's App while a step waits.
import { signal } from "@preact/signals";
import { kept } from "../lib/prefs.js";
import { doneSteps, proof } from "../lib/tour.js";
import { Problem, call } from "./api.js";
import { follow } from "./stream.js";

/** @typedef {{up: boolean, repository: string, kubeconfig: string, trueup: string, kubectl: boolean}} Local */
/** @typedef {import("../lib/tour.js").Row} Row */
/** @typedef {import("./app.js").Node} Node */
/** @typedef {import("./apps.js").App} App */

export const SAMPLE = { kind: "Kustomization", namespace: "flux-system", name: "web-dev" };
export const WEB = "Deployment.apps/web-dev/web";
const PATH = `/apps/${SAMPLE.kind}/${SAMPLE.namespace}/${SAMPLE.name}`;
const SOON = 250; // after news the records are read, at most so often
const AGAIN = 2000; // and without news: a record is written a moment after what it tells
const MOST = 100;

/** What the server says of this machine; null until it was asked. */
export const local = signal(/** @type {Local | null} */ (null));

/** @typedef {"new" | "open" | "folded" | "away"} Shown `new`: never seen; `away`: skipped or finished */
/** What this browser keeps: how it is shown, of which sample, and after which record and revision it began. Whether a step is done is never kept. */
export const tour = kept("tour", /** @type {{shown: Shown, of: string, after: number, revision: string}} */ ({ shown: "new", of: "", after: -1, revision: "" }));

/** @param {Shown} shown */
export const show = (shown) => (tour.value = { ...tour.peek(), shown });
/** From the beginning: only what happens from now on counts. */
export const restart = () => (tour.value = { shown: "open", of: "", after: -1, revision: "" });

export async function askLocal() {
  try {
    local.value = await call("/local");
  } catch (error) {
    // An older server does not know the question: it is none of `trueup up`, as far as this page can tell.
    if (!(error instanceof Problem)) throw error;
  }
}

/** Watches the App until it is closed. */
export class Watch {
  app = signal(/** @type {App | null} */ (null));
  web = signal(/** @type {Node | null} */ (null));
  rows = signal(/** @type {Row[] | null} */ (null));
  /** Why nothing can be shown: the sample's App is not there, or there are no records. */
  problem = signal(/** @type {"" | "missing" | "unrecorded" | "unreachable"} */ (""));
  #abort = new AbortController();
  /** @type {Map<number, Row>} */ #read = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer = undefined;
  #stop = () => {};

  constructor() {
    void this.#load();
    this.#stop = follow(`${PATH}/tree/events`, { failed: () => {}, on: (event) => this.#news(event) });
  }

  close() {
    this.#stop();
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  /** @param {import("../lib/events.js").ServerEvent} event */
  #news(event) {
    /** @type {{nodes?: Node[]}} */
    const news = JSON.parse(event.data);
    const web = news.nodes?.find((node) => node.id === WEB);
    if (web) this.web.value = web;
    this.#after(SOON);
  }

  /** @param {number} pause */
  #after(pause) {
    clearTimeout(this.#timer);
    if (!this.#abort.signal.aborted) this.#timer = setTimeout(() => void this.#load(), pause);
  }

  async #load() {
    const abort = this.#abort.signal;
    try {
      const { row } = await call(PATH, { signal: abort });
      const { items, recorded } = await call(`${PATH}/history`, { query: { limit: MOST }, signal: abort });
      this.app.value = row;
      this.problem.value = recorded ? "" : "unrecorded";
      if (recorded) await this.#take(row, items);
    } catch (error) {
      if (abort.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.problem.value = error.details.status === 404 ? "missing" : "unreachable";
    } finally {
      const found = this.rows.peek() && proof(this.rows.peek() ?? [], tour.peek().after);
      if (!found || !Object.values(doneSteps(found)).every(Boolean)) this.#after(AGAIN);
    }
  }

  /** @param {App} app @param {Row[]} items newest first */
  async #take(app, items) {
    const of = `${app.created}`;
    const newest = items[0]?.id ?? 0;
    // Another sample than the one that was begun with (the folder was emptied), or a first time: it begins here.
    if (tour.peek().of !== of || tour.peek().after > newest || tour.peek().after < 0) tour.value = { ...tour.peek(), of, after: newest, revision: app.fullRevision };
    const wanted = items.filter((row) => row.id > tour.peek().after);
    const rows = await Promise.all(wanted.map((row) => this.#whole(row)));
    this.rows.value = rows;
  }

  /** A row with what changed in it; asked for once. @param {Row} row @returns {Promise<Row>} */
  async #whole(row) {
    const known = this.#read.get(row.id);
    if (known) return known;
    const { changes } = await call(`${PATH}/history/${row.id}`, { signal: this.#abort.signal });
    const whole = { ...row, changes };
    this.#read.set(row.id, whole);
    return whole;
  }

  /** Changes the cluster behind Git's back, as somebody with kubectl would. @param {number} replicas */
  async meddle(replicas) {
    await call(`${PATH}/object/actions`, { method: "POST", query: { group: "apps", kind: "Deployment", namespace: "web-dev", name: "web" }, body: { action: "scale", parameters: { replicas: String(replicas) } } });
    this.#after(SOON);
  }
}
