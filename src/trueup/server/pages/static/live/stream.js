// Following the server: one server-sent event stream by fetch, resumed by the id of the last event after a break.
// Not EventSource: that one hides the status (a session that ended) and waits as it likes.
import { signal } from "@preact/signals";
import { EventParser, backoff } from "../lib/events.js";
import { Problem, address, problemOf } from "./api.js";

/** @typedef {"idle" | "live" | "lost"} Link */

/** How this page's streams stand: lost as soon as one is. */
export const link = signal(/** @type {Link} */ ("idle"));
/** When it was lost, in milliseconds; 0 while it is not. */
export const lostSince = signal(0);
/** When the next try is due, in milliseconds. */
export const nextTry = signal(0);

const SILENT = 45_000; // three heartbeats of the server: the connection is dead although nobody said so

/** @type {Set<{lost: boolean, wake: () => void}>} */
const streams = new Set();

function tell() {
  const lost = [...streams].some((one) => one.lost);
  const was = link.peek();
  link.value = streams.size === 0 ? "idle" : lost ? "lost" : "live";
  if (lost && was !== "lost") lostSince.value = Date.now();
  if (!lost) [lostSince.value, nextTry.value] = [0, 0];
}

/** Tries all lost streams now. */
export const retryNow = () => streams.forEach((one) => one.wake());

/**
 * @param {string} path
 * @param {{query?: import("./api.js").Query, on: (event: import("../lib/events.js").ServerEvent) => void, failed?: (problem: Problem) => void, ended?: () => void, once?: boolean}} how `failed`: the server refused, and trying again will not help; `once`: a stream that ends when all is said
 * @returns {() => void} stops it
 */
export function follow(path, { query = {}, on, failed, ended, once = false }) {
  const state = { lost: false, wake: () => {} };
  const stop = new AbortController();
  let last = "";
  let wait = 0;
  streams.add(state);

  const run = async () => {
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      const one = new AbortController();
      const abort = () => one.abort();
      stop.signal.addEventListener("abort", abort);
      let silent = setTimeout(abort, SILENT);
      try {
        const answer = await fetch(address(path, query), { headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) }, credentials: "same-origin", cache: "no-store", signal: one.signal });
        if (!answer.ok || !answer.body) {
          const problem = await problemOf(answer, path);
          if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
            failed?.(problem);
            break;
          }
          throw problem;
        }
        if (state.lost) state.lost = false;
        tell();
        const parser = new EventParser();
        parser.id = last;
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          attempt = 0;
          clearTimeout(silent);
          silent = setTimeout(abort, SILENT);
          for (const event of parser.feed(value)) on(event);
          last = parser.id;
          wait = parser.retry || wait;
        }
        if (once) {
          ended?.();
          break;
        }
      } catch {
        if (stop.signal.aborted) break; // the loop's condition; what was lost is told below
      } finally {
        clearTimeout(silent);
        stop.signal.removeEventListener("abort", abort);
      }
      if (stop.signal.aborted) break;
      state.lost = true;
      const pause = Math.max(attempt === 0 ? 0 : wait, backoff(attempt, Math.random()));
      nextTry.value = Date.now() + pause;
      tell();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pause);
        state.wake = () => {
          clearTimeout(timer);
          attempt = 0;
          resolve(undefined);
        };
        stop.signal.addEventListener("abort", state.wake);
      });
    }
    streams.delete(state);
    tell();
  };
  void run();
  return () => {
    stop.abort();
    streams.delete(state);
    tell();
  };
}

if (typeof addEventListener !== "undefined") addEventListener("online", retryNow);
