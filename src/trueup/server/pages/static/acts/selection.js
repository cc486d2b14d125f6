// Which Apps of the list are chosen: by row, by range, or all that the search finds.
import { signal } from "@preact/signals";
import { call } from "../live/api.js";
import { idOf } from "../live/apps.js";

/** @typedef {import("../live/apps.js").App} App */

/** How many one thing may be done with at once: more is a matter for Git. */
export const MOST = 500;

/** @type {import("@preact/signals").Signal<ReadonlyMap<string, App>>} */
export const chosen = signal(new Map());
let last = -1;
/** Rises whenever the choice is made anew, so that an answer to an earlier search chooses nothing of a later one. */
let turn = 0;

export const clear = () => {
  last = -1;
  turn += 1;
  chosen.value = new Map();
};

/** @param {App} app @param {number} index @param {boolean} range from the one before to this one @param {(index: number) => App | undefined} at */
export function toggle(app, index, range, at) {
  const next = new Map(chosen.peek());
  const on = !next.has(idOf(app));
  const [from, to] = range && last >= 0 ? [Math.min(last, index), Math.max(last, index)] : [index, index];
  for (let i = from; i <= to && next.size < MOST; i += 1) {
    const one = i === index ? app : at(i);
    if (!one) continue;
    if (on || range) next.set(idOf(one), one);
    else next.delete(idOf(one));
  }
  last = index;
  chosen.value = next;
}

/** All that a search finds, up to the most. @param {string} search */
export async function chooseAll(search) {
  const mine = (turn += 1);
  /** @type {Map<string, App>} */ const next = new Map();
  for (let after = ""; next.size < MOST; ) {
    const page = await call("/apps", { query: { search, sort: "name", limit: 500, after } });
    for (const app of page.items) if (next.size < MOST) next.set(idOf(app), app);
    after = page.next;
    if (!after) break;
  }
  if (mine === turn) chosen.value = next;
}
