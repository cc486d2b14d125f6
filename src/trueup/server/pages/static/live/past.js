// The past as the API tells it: what happened on one line, how an App stood, two moments compared, who made a revision.
import { Problem, call } from "./api.js";

/**
 * @typedef {{group: string, kind: string, namespace: string, name: string}} Ref
 * @typedef {{id: string, at: string, app: Ref, kind: string, record: number, revision: string, result: string, took: number, by: string, reason: string, message: string, counts: Record<string, number>, manifests: number}} Row `kind`: a record's, "action" of a person, or "event" of Kubernetes
 * @typedef {{items: Row[], next: string, notes: string[], recorded: boolean}} Line
 * @typedef {{commit: string, author: string, email: string, at: string, message: string, signed: boolean, verified: string}} Commit
 * @typedef {{url: string, items: Record<string, Commit>}} Commits
 * @typedef {{ref: Ref, record: number, since: string | null, unrecorded: string, health: string, health_message: string, drifted: string[]}} ObjectThen
 * @typedef {{id: number, at: string, kind: string, revision: string, result: string, took: number, by: string, message: string}} SyncThen
 * @typedef {{at: string | null, begins: string | null, sync: SyncThen | null, objects: ObjectThen[]}} Then
 * @typedef {{ref: Ref, action: string, before: number, after: number}} Pair
 * @typedef {{before: SyncThen | null, after: SyncThen | null, begins: string | null, items: Pair[], equal: number}} Pairs
 * @typedef {{ref: Ref, desired: Record<string, any> | null, applied: Record<string, any> | null, action: string, origin: string, fields: Array<{path: string, before: string, after: string}>}} RecordedObject
 */

/** @param {Ref} ref */
export const refText = (ref) => [ref.kind, ref.namespace, ref.name].filter(Boolean).join("/");
/** Also where two groups share a kind. @param {Ref} ref */
export const refId = (ref) => `${ref.kind}${ref.group ? `.${ref.group}` : ""}/${ref.namespace}/${ref.name}`;

/** One page of the line, newest first. @param {{search?: string, kind?: string[], since?: string, until?: string, after?: string, limit?: number}} query @param {AbortSignal} abort @returns {Promise<Line>} */
export async function line(query, abort) {
  return { recorded: true, ...(await call("/timeline", { query: { limit: 200, ...query }, signal: abort })) };
}

/** The line of one App. Where nothing is recorded it is what its status remembers, and says so. @param {string} path @param {Ref} app @param {{kind?: string[], after?: string}} query @param {AbortSignal} abort @returns {Promise<Line>} */
export async function lineOf(path, app, query, abort) {
  try {
    return await line({ search: `key:${app.kind}/${app.namespace}/${app.name}`, ...query }, abort);
  } catch (error) {
    if (!(error instanceof Problem) || error.details.status !== 503) throw error;
    const { items, note } = await call(`${path}/history`, { query: { limit: 200 }, signal: abort });
    return { items: items.map((/** @type {any} */ row) => ({ ...row, id: `r${row.id}`, app, record: 0 })), next: "", notes: [note], recorded: false };
  }
}

/** Kubernetes' Events of all its objects, which their cluster keeps for about an hour. `notes`: what is not among them, and why. @param {string} path @param {Ref} app @param {AbortSignal} abort @returns {Promise<{rows: Row[], notes: string[]}>} */
export async function eventsOf(path, app, abort) {
  const { items, notes } = await call(`${path}/tree/kubernetes-events`, { signal: abort });
  const own = `${app.kind}/${app.namespace}/${app.name}`;
  /** @param {any} event */
  const about = (event) => (`${event.ref.kind}/${event.ref.namespace}/${event.ref.name}` === own ? "" : `${event.ref.kind}/${event.ref.name}: `);
  const rows = items.filter((/** @type {any} */ event) => event.at).map((/** @type {any} */ event, /** @type {number} */ i) => ({ id: `e${i}-${event.at}`, at: event.at, app, kind: "event", record: 0, revision: "", result: event.warning ? "failed" : "succeeded", took: 0, by: event.component ?? "", reason: event.reason, message: `${about(event)}${event.message}`, counts: {}, manifests: 0 }));
  return { rows, notes: notes ?? [] };
}

/** @param {string} path @param {string[]} revisions @param {AbortSignal} abort @returns {Promise<Commits>} what cannot be told is left out */
export async function commitsOf(path, revisions, abort) {
  const wanted = [...new Set(revisions)].filter(Boolean).slice(0, 50);
  if (!wanted.length) return { url: "", items: {} };
  try {
    return await call(`${path}/commits`, { query: { revision: wanted }, signal: abort });
  } catch (error) {
    if (error instanceof Problem && !abort.aborted) return { url: "", items: {} }; // no controller, no names: the line is there all the same
    throw error;
  }
}

/** @param {string} path @param {string | null} at @param {AbortSignal} abort @returns {Promise<Then>} */
export const then = (path, at, abort) => call(`${path}/then`, { query: { at }, signal: abort });

/** @param {string} path @param {string | null} before @param {string | null} after @param {AbortSignal} abort @returns {Promise<Pairs>} */
export const pairs = (path, before, after, abort) => call(`${path}/then/comparison`, { query: { before, after }, signal: abort });

/** @param {string} path @param {number} record @param {Ref} ref @param {AbortSignal} abort @returns {Promise<RecordedObject>} */
export const recorded = (path, record, ref, abort) => call(`${path}/history/${record}/manifest`, { query: { group: ref.group, kind: ref.kind, namespace: ref.namespace, name: ref.name }, signal: abort });
