// The scale of a timeline: where a moment stands, which ticks to write, how to zoom. Pure; times in milliseconds.

/** @typedef {{from: number, to: number}} Span */

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
const STEPS = [SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

/** @param {Span} span @param {number} width @param {number} at */
export const xOf = (span, width, at) => ((at - span.from) / (span.to - span.from)) * width;
/** @param {Span} span @param {number} width @param {number} x */
export const timeOf = (span, width, x) => span.from + (x / width) * (span.to - span.from);

/** Round moments of the local clock, at least `room` pixels apart. @param {Span} span @param {number} width @param {number} [room] @param {number} [offset] minutes that the local clock is behind UTC */
export function ticks(span, width, room = 96, offset = new Date(span.from).getTimezoneOffset()) {
  const least = ((span.to - span.from) / width) * room;
  const step = STEPS.find((one) => one >= least) ?? 365 * DAY;
  const shift = offset * MINUTE;
  /** @type {number[]} */ const found = [];
  for (let at = Math.ceil((span.from - shift) / step) * step + shift; at <= span.to; at += step) found.push(at);
  return { step, at: found };
}

/** From a moment until now, with a little room behind, so that what has just happened is seen whole. @param {number} from @param {number} now */
export const untilNow = (from, now) => ({ from, to: now + (now - from) * 0.012, now });

/** Zoom by `factor` (> 1: nearer) around a moment, within what there is. @param {Span} span @param {number} factor @param {number} around @param {Span} all */
export function zoomed(span, factor, around, all) {
  const width = Math.max(10 * SECOND, Math.min((span.to - span.from) / factor, all.to - all.from));
  const share = (around - span.from) / (span.to - span.from);
  return kept({ from: around - share * width, to: around + (1 - share) * width }, all);
}

/** @param {Span} span @param {number} by @param {Span} all */
export const moved = (span, by, all) => kept({ from: span.from + by, to: span.to + by }, all);

/** @param {Span} span @param {Span} all @returns {Span} */
function kept(span, all) {
  const width = span.to - span.from;
  const from = Math.max(all.from, Math.min(span.from, all.to - width));
  return { from, to: from + width };
}

/** Marks that would overlap become one with a count. @template {{at: number, lane: string}} E @param {readonly E[]} events @param {Span} span @param {number} width @param {number} [room] @returns {Array<{x: number, lane: string, events: E[]}>} */
export function clustered(events, span, width, room = 14) {
  /** @type {Map<string, {x: number, lane: string, events: E[]}>} */ const last = new Map();
  /** @type {Array<{x: number, lane: string, events: E[]}>} */ const marks = [];
  for (const event of [...events].sort((a, b) => a.at - b.at)) {
    const x = xOf(span, width, event.at);
    if (x < -room || x > width + room) continue;
    const before = last.get(event.lane);
    if (before && x - before.x < room) before.events.push(event);
    else {
      const mark = { x, lane: event.lane, events: [event] };
      marks.push(mark);
      last.set(event.lane, mark);
    }
  }
  return marks;
}
