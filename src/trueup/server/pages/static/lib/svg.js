// A tree and a timeline as SVG files: what is drawn on the page, with the words beside the colours. Pure: texts in, one text out.
import { NODE, edge } from "./layout.js";
import { ticks, xOf } from "./timescale.js";

/** @typedef {(token: string) => string} Colour @typedef {(status: string) => string} Tone @typedef {(status: string) => string} Word */

/** @param {unknown} text */
export const escaped = (text) => String(text ?? "").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");

/** @param {number} width @param {number} height @param {string} title @param {Colour} colour @param {string[]} parts */
const document_ = (width, height, title, colour, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" role="img" font-family="system-ui, sans-serif" font-size="12"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="${escaped(colour("surface"))}"/>${parts.join("")}</svg>\n`;

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
/** As much as there is room for. @param {string} text @param {number} most */
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** @param {{plan: ReturnType<typeof import("./layout.js").layout>, label: string, tone: Tone, word: Word, colour: Colour, groupName: (n: number, kind: string) => string}} how */
export function treeSvg({ plan, label, tone, word, colour, groupName }) {
  const margin = 24;
  const byId = new Map(plan.placed.map((place) => [place.id, place]));
  const edges = plan.placed.flatMap((place) => {
    const parent = place.parent === null ? undefined : byId.get(place.parent);
    return parent ? [`<path d="${edge(parent, place)}"/>`] : [];
  });
  const boxes = plan.placed.map((place) => {
    const first = place.node ?? place.group?.[0];
    if (!first) return "";
    const sync = typeof first["sync"] === "string" ? first["sync"] : "";
    const said = [first.status, sync === "Synced" ? "" : sync].filter(Boolean);
    const worst = said.find((one) => ["bad", "warn"].includes(tone(one))) ?? said[0] ?? "";
    const name = place.group ? groupName(place.group.length, first.kind) : first.name;
    const note = [first.kind, ...said.map(word)].filter(Boolean).join(" · ");
    return `<g transform="translate(${round(place.x)} ${round(place.y)})"><title>${escaped([first.kind, name, ...said.map(word)].filter(Boolean).join(", "))}</title><rect width="${NODE.width}" height="${NODE.height}" rx="8" fill="${escaped(colour("surface"))}" stroke="${escaped(colour("border-strong"))}"/>${worst ? `<rect width="5" height="${NODE.height}" rx="2.5" fill="${escaped(colour(`${tone(worst)}-solid`))}"/>` : ""}<text x="14" y="20" font-weight="600" fill="${escaped(colour("text"))}">${escaped(short(name, 30))}</text><text x="14" y="37" font-size="11" fill="${escaped(colour("text-2"))}">${escaped(short(note, 36))}</text></g>`;
  });
  return document_(plan.width + 2 * margin, plan.height + 2 * margin, label, colour, [`<g transform="translate(${margin} ${margin})"><g fill="none" stroke="${escaped(colour("border-strong"))}">${edges.join("")}</g>${boxes.join("")}</g>`]);
}

/** @param {{entries: ReadonlyArray<import("../ui/timeline.js").Entry>, lanes: Array<{id: string, label: string}>, span: {from: number, to: number}, label: string, tone: Tone, colour: Colour, tick: (at: number, step: number) => string, width?: number}} how */
export function timelineSvg({ entries, lanes, span, label, tone, colour, tick, width = 1200 }) {
  const [left, head, lane] = [120, 30, 40];
  const room = width - left - 20;
  const height = head + lanes.length * lane + 10;
  const scale = ticks(span, room, 130);
  const parts = scale.at.map((at) => {
    const x = round(left + xOf(span, room, at));
    return `<line x1="${x}" x2="${x}" y1="${head}" y2="${height}" stroke="${escaped(colour("border"))}"/><text x="${x}" y="18" text-anchor="middle" font-size="11" fill="${escaped(colour("text-3"))}">${escaped(tick(at, scale.step))}</text>`;
  });
  lanes.forEach(({ label: name }, i) => {
    const y = head + i * lane + lane / 2;
    parts.push(`<line x1="${left}" x2="${width - 20}" y1="${y}" y2="${y}" stroke="${escaped(colour("border"))}"/><text x="12" y="${y + 4}" fill="${escaped(colour("text-2"))}">${escaped(name)}</text>`);
  });
  for (const entry of entries) {
    const row = lanes.findIndex((one) => one.id === entry.lane);
    if (row < 0 || (entry.until ?? entry.at) < span.from || entry.at > span.to) continue;
    const [x, y] = [left + xOf(span, room, Math.max(span.from, entry.at)), head + row * lane + lane / 2];
    const end = entry.until ? left + xOf(span, room, Math.min(span.to, entry.until)) : x;
    const said = [entry.title, new Date(entry.at).toISOString(), entry.who, entry.detail].filter(Boolean).join(" · ");
    const fill = escaped(colour(`${tone(entry.status)}-solid`));
    // What went wrong is a diamond, so that it is told without its colour too.
    const mark = ["bad", "warn"].includes(tone(entry.status)) ? `<path d="M${round(x)} ${y - 8}l8 8-8 8-8-8z" fill="${fill}"/>` : `<rect x="${round(x - 6)}" y="${y - 6}" width="${round(Math.max(12, end - x + 12))}" height="12" rx="6" fill="${fill}"/>`;
    parts.push(`<g><title>${escaped(said)}</title>${mark}</g>`);
  }
  return document_(width, height, label, colour, parts);
}
