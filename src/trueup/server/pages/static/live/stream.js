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

const HIDDEN = 20_000; // so long a page that nobody sees keeps its connections: a browser has six to a server, for all its pages together
const SILENT = 45_000; // three heartbeats of the server: the connection is dead although nobody said so

/** @type {Set<{lost: boolean, wake: () => void, rest: () => void}>} */
const streams = new Set();
/** Whether the page was hidden long enough for its streams to rest; each goes on after its last event when the page is seen again. */
let resting = false;

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
 * @param {{query?: import("./api.js").Query, on: (event: import("../lib/events.js").ServerEvent) => void, failed?: (problem: Problem) => void, ended?: () => void, once?: boolean, since?: string}} how `since`: the id of an event, or of a list that was read: only what came after it is told; `failed`: the server refused, and trying again will not help; `once`: a stream that ends when all is said
 * @returns {() => void} stops it
 */
export function follow(path, { query = {}, on, failed, ended, once = false, since = "" }) {
  const state = { lost: false, wake: () => {}, rest: () => {} };
  const stop = new AbortController();
  let last = since;
  let wait = 0;
  streams.add(state);

  stop.signal.addEventListener("abort", () => state.wake());
  const isResting = () => resting && !once;
  /** Until a time has passed, or somebody wakes it. @param {number} pause milliseconds @param {() => void} [woken] */
  const until = (pause, woken) =>
    new Promise((resolve) => {
      const timer = pause < Infinity ? setTimeout(resolve, pause) : undefined;
      state.wake = () => {
        clearTimeout(timer);
        woken?.();
        resolve(undefined);
      };
    });

  const run = async () => {
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      while (isResting() && !stop.signal.aborted) {
        await until(Infinity);
        attempt = 0;
      }
      const one = new AbortController();
      const abort = () => one.abort();
      if (!once) state.rest = abort;
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
      if (isResting()) continue;
      state.lost = true;
      const pause = Math.max(attempt === 0 ? 0 : wait, backoff(attempt, Math.random()));
      nextTry.value = Date.now() + pause;
      tell();
      await until(pause, () => (attempt = 0));
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

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;
function seenOrNot() {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      resting = true;
      streams.forEach((one) => one.rest());
    }, HIDDEN);
  } else if (resting) {
    resting = false;
    retryNow();
  }
}

if (typeof addEventListener !== "undefined") {
  addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", seenOrNot);
}
