// Calls to the server's API. Errors are its problem details; an ended session is told to the whole page once.
import { signal } from "@preact/signals";
import { href } from "../lib/route.js";

export const API = "/api/trueup/v1";
const KEY = "Idempotency-Key";

/** @typedef {Record<string, string | number | boolean | readonly string[] | null | undefined>} Query */
/** @typedef {{type?: string, title: string, status: number, detail?: string, reason?: string, hint?: string, field?: string, ref?: string, instance?: string}} Details */

export class Problem extends Error {
  /** @param {Details} details */
  constructor(details) {
    super(details.detail || details.title);
    this.details = details;
  }
}

/** Set when the server says that nobody is signed in (any more). */
export const signedOut = signal(false);

/**
 * @param {string} path below the API
 * @param {{method?: string, body?: unknown, query?: Query | undefined, signal?: AbortSignal | undefined, headers?: Record<string, string>}} [how]
 * @returns {Promise<any>}
 */
export async function call(path, { method = "GET", body, query, signal: abort, headers = {} } = {}) {
  const answer = await send(path, { method, body, query, signal: abort, headers });
  if (answer.status === 204) return null;
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** @param {string} path @param {Query} [query] */
export function address(path, query = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one));
  }
  const text = params.toString();
  return href((path.startsWith("/api/") ? "" : API) + path + (text ? `?${text}` : ""));
}

const AGAIN = 600_000; // milliseconds: whoever asks for the same after that means it anew
/** Changes whose answer was lost, with the key that each was sent with. @type {Map<string, {key: string, at: number}>} */
const lost = new Map();

/** The key of a change: that of before where the same was asked and no answer came, so that it is done once. @param {string} wish */
function keyOf(wish) {
  for (const [other, { at }] of lost) if (Date.now() - at > AGAIN) lost.delete(other);
  return lost.get(wish)?.key ?? crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

/**
 * @param {string} path
 * @param {{method?: string, body?: unknown, query?: Query | undefined, signal?: AbortSignal | undefined, headers?: Record<string, string>}} how
 */
export async function send(path, { method = "GET", body, query, signal: abort, headers = {} }) {
  /** @type {Record<string, string>} */ const given = { Accept: "application/json", ...headers };
  if (body !== undefined) given["Content-Type"] = "application/json";
  const wish = method === "GET" ? "" : `${method} ${address(path, query)} ${JSON.stringify(body)}`;
  const key = wish && keyOf(wish);
  if (key) given[KEY] = key;
  let answer;
  try {
    answer = await fetch(address(path, query), { method, headers: given, credentials: "same-origin", ...(body === undefined ? {} : { body: JSON.stringify(body) }), ...(abort ? { signal: abort } : {}) });
  } catch (error) {
    if (abort?.aborted) throw error;
    if (key) lost.set(wish, { key, at: Date.now() });
    throw new Problem({ title: "unreachable", status: 0, reason: "Unreachable" });
  }
  lost.delete(wish);
  if (answer.ok) return answer;
  const problem = await problemOf(answer, path);
  // What stands between us and the server has no answer of its; and the call of before may still be under way.
  if (key && (answer.status >= 500 || problem.details.reason === "StillRunning")) lost.set(wish, { key, at: Date.now() });
  throw problem;
}

/** @param {Response} answer @param {string} path */
export async function problemOf(answer, path) {
  if (answer.status === 401 && !path.endsWith("/session")) signedOut.value = true;
  const text = await answer.text().catch(() => "");
  try {
    return new Problem({ status: answer.status, ...JSON.parse(text) });
  } catch {
    return new Problem({ title: answer.statusText || String(answer.status), status: answer.status, detail: text.slice(0, 400) });
  }
}
