// The one way to show each status: a shape of its own, its word, its colour. No other module draws a status.
import { html, cls } from "../lib/html.js";
import { word } from "../i18n/i18n.js";

/** @typedef {"good" | "busy" | "warn" | "bad" | "idle" | "none"} Tone */

/** @type {Record<string, [Tone, string]>} word -> tone, shape */
const looks = {
  Ready: ["good", "check"], Healthy: ["good", "check"], Synced: ["good", "check"], Current: ["good", "check"], Succeeded: ["good", "check"],
  Progressing: ["busy", "arc"], InProgress: ["busy", "arc"], Running: ["busy", "arc"], Terminating: ["busy", "arc"], Pending: ["busy", "dots"], Waiting: ["busy", "dots"],
  OutOfSync: ["warn", "diamond"], Missing: ["warn", "dashed"], Warning: ["warn", "triangle"],
  Degraded: ["bad", "triangle"], Failed: ["bad", "cross"], Error: ["bad", "cross"], Stalled: ["bad", "octagon"], Deleting: ["bad", "minus"], Deleted: ["bad", "minus"],
  Suspended: ["idle", "pause"], Skipped: ["idle", "pause"],
  Unknown: ["none", "question"], Normal: ["none", "dot"],
};

/** Worst first: the order in which words are listed, counted and coloured. */
export const STATUS_WORDS = ["Failed", "Stalled", "Degraded", "Deleting", "OutOfSync", "Progressing", "Suspended", "Unknown", "Ready"];
export const HEALTH_WORDS = ["Degraded", "Missing", "Progressing", "Suspended", "Unknown", "Healthy"];
export const SYNC_WORDS = ["OutOfSync", "Unknown", "Synced"];
export const EVERY_WORD = Object.keys(looks);

/** @param {string} status @returns {Tone} */
export const toneOf = (status) => looks[status]?.[0] ?? "none";

/** The form alone, for drawings; whoever uses it says the word elsewhere. @param {{status: string, size?: number}} props */
export function Shape({ status, size = 16 }) {
  const [, shape] = looks[status] ?? ["none", "question"];
  return html`<svg width=${size} height=${size} viewBox="0 0 16 16" class=${cls(shape === "arc" && "turning")} aria-hidden="true">${shapes[shape]?.()}</svg>`;
}

const line = { fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round" };
const inner = { ...line, stroke: "var(--surface)" };
/** @type {Record<string, () => any>} */
const shapes = {
  check: () => html`<circle cx="8" cy="8" r="7" fill="currentColor" /><path d="M5 8.2l2.1 2.1L11 6.2" ...${inner} />`,
  cross: () => html`<circle cx="8" cy="8" r="7" fill="currentColor" /><path d="M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4" ...${inner} />`,
  minus: () => html`<circle cx="8" cy="8" r="7" fill="currentColor" /><path d="M5 8h6" ...${inner} />`,
  octagon: () => html`<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" fill="currentColor" /><path d="M8 4.4v4.2M8 11.2v.2" ...${inner} />`,
  triangle: () => html`<path d="M8 1.2c.5 0 .9.2 1.2.7l5.9 10.6c.5 1-.1 2.1-1.2 2.1H2.1C1 14.6.4 13.5.9 12.5L6.8 1.9C7.1 1.4 7.5 1.2 8 1.2z" fill="currentColor" /><path d="M8 5.8v3.4M8 11.9v.1" ...${inner} />`,
  diamond: () => html`<path d="M8 .8 15.2 8 8 15.2.8 8z" fill="currentColor" /><path d="M8 11V5.4M5.7 7.5 8 5.2l2.3 2.3" ...${inner} />`,
  dashed: () => html`<circle cx="8" cy="8" r="6.2" ...${line} stroke-dasharray="2.6 2.270" />`,
  arc: () => html`<circle cx="8" cy="8" r="6" ...${line} stroke-width="2" opacity=".25" /><path d="M8 2a6 6 0 0 1 6 6" ...${line} stroke-width="2" />`,
  dots: () => html`<circle cx="8" cy="8" r="6.2" ...${line} /><path d="M5.2 8h.1M8 8h.1M10.8 8h.1" ...${line} />`,
  pause: () => html`<rect x="1" y="1" width="14" height="14" rx="4" fill="currentColor" /><path d="M6.2 5.4v5.2M9.8 5.4v5.2" ...${inner} />`,
  question: () => html`<circle cx="8" cy="8" r="6.2" ...${line} /><path d="M6.4 6.3a1.7 1.7 0 1 1 2.5 1.6c-.6.3-.9.6-.9 1.1M8 11.2v.1" ...${line} stroke-width="1.5" />`,
  dot: () => html`<circle cx="8" cy="8" r="3.5" fill="currentColor" />`,
};

/** @param {{status: string, pill?: boolean, large?: boolean, title?: string}} props */
export function Status({ status, pill, large, title }) {
  return html`<span class=${cls("status", `tone-${toneOf(status)}`, pill && "pill", large && "large")} title=${title}><${Shape} status=${status} size=${large ? 20 : pill ? 14 : 16} /><span>${word("status", status)}</span></span>`;
}

/** How many of each, as a thin bar; the words and numbers stand beside it. @param {{counts: Array<[string, number]>, label: string}} props */
export function Shares({ counts, label }) {
  return html`<div class="shares" role="img" aria-label=${label}>${counts.filter(([, n]) => n > 0).map(([status, n]) => html`<i key=${status} class=${`tone-${toneOf(status)}`} style=${{ flexGrow: n }}></i>`)}</div>`;
}
