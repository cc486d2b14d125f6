// Thousands of things at a glance: one small mark each, in groups. What is unwell is larger and of another form, never only of another colour.
import { html } from "../lib/html.js";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { colour, shown } from "../lib/prefs.js";
import { t, number, word } from "../i18n/i18n.js";
import { EVERY_WORD, STATUS_WORDS, Status, toneOf } from "./status.js";
import { cellSize, placeCells } from "../lib/cells.js";

/** @typedef {{id: string, name: string, status: string, group: string, note?: string}} Cell */

/** @param {{cells: readonly Cell[], label: string, onOpen: (cell: Cell) => void}} props */
export function DenseMap({ cells, label, onOpen }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [width, setWidth] = useState(900);
  const [at, setAt] = useState(/** @type {{index: number, x: number, y: number} | null} */ (null));
  const theme = shown.value;
  const size = cellSize(cells.length, width);
  const plan = useMemo(() => {
    const placed = placeCells(cells, width, size, (one) => rank(one.status));
    /** @type {Map<import("./status.js").Tone, Place[]>} */ const tones = new Map();
    for (const place of placed.cells) {
      const tone = toneOf(place.cell.status);
      const places = tones.get(tone);
      if (places) places.push(place);
      else tones.set(tone, [place]);
    }
    return { ...placed, tones };
  }, [cells, width, size]);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.max(200, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = devicePixelRatio || 1;
    element.width = Math.round(width * ratio);
    element.height = Math.round(plan.height * ratio);
    const draw = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    const family = getComputedStyle(document.body).fontFamily;
    for (const group of plan.groups) {
      draw.font = `600 12px ${family}`;
      draw.fillStyle = colour("text");
      draw.fillText(fitted(draw, group.name || t("map.none"), width - 90), 0, group.y + 13);
      draw.font = `400 11px ${family}`;
      draw.fillStyle = colour("text-3");
      draw.textAlign = "end";
      draw.fillText(number(group.count), width, group.y + 13);
      draw.textAlign = "start";
    }
    const surface = colour("surface");
    for (const [tone, places] of plan.tones) drawCells(draw, tone, places, size, colour(`${tone}-solid`), surface);
  }, [plan, theme]);
  const found = (/** @type {number} */ x, /** @type {number} */ y) => plan.cells.findIndex((one) => x >= one.x && x < one.x + size && y >= one.y && y < one.y + size);
  const there = at ? plan.cells[at.index] : undefined;
  const here = there?.cell;
  const counts = useMemo(() => {
    /** @type {Map<string, number>} */ const found = new Map();
    for (const cell of cells) found.set(cell.status, (found.get(cell.status) ?? 0) + 1);
    return STATUS_WORDS.concat(EVERY_WORD.filter((one) => !STATUS_WORDS.includes(one))).flatMap((status) => (found.has(status) ? [/** @type {const} */ ([status, found.get(status) ?? 0])] : []));
  }, [cells]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const columns = Math.max(1, Math.floor(width / (size + plan.gap)));
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Enter" && here) return onOpen(here);
    if (by === undefined) return undefined;
    event.preventDefault();
    const index = Math.max(0, Math.min(plan.cells.length - 1, (at?.index ?? -1) + by));
    const cell = plan.cells[index];
    const frame = canvas.current?.getBoundingClientRect();
    if (cell && frame) setAt({ index, x: frame.x + cell.x + size, y: frame.y + cell.y + size });
    return undefined;
  };
  return html`<div class="map" ref=${box}>
    <div class="legend">${counts.map(([status, n]) => html`<span class="row" key=${status}><${Status} status=${status} /><span class="num faint">${number(n)}</span></span>`)}</div>
    <div role="application" tabindex="0" aria-label=${`${label}. ${t("map.keys")}`} onKeyDown=${onKeyDown} onBlur=${() => setAt(null)}>
      <canvas ref=${canvas} style=${{ height: `${plan.height}px` }} aria-hidden="true"
        onPointerMove=${(/** @type {PointerEvent} */ event) => {
          const index = found(event.offsetX, event.offsetY);
          setAt(index < 0 ? null : { index, x: event.clientX, y: event.clientY });
        }}
        onPointerLeave=${() => setAt(null)}
        onClick=${(/** @type {MouseEvent} */ event) => {
          const one = plan.cells[found(event.offsetX, event.offsetY)];
          if (one) onOpen(one.cell);
        }}></canvas>
      ${there && html`<div class="ring" style=${{ left: `${there.x - 2}px`, top: `${there.y - 2}px`, width: `${size + 4}px`, height: `${size + 4}px` }}></div>`}
      <div class="hidden-text" aria-live="polite">${here && `${here.name}, ${word("status", here.status)}`}</div>
    </div>
    ${here && at && html`<div class="tip" style=${{ left: `${Math.max(8, Math.min(at.x + 12, innerWidth - 332))}px`, top: `${Math.min(at.y + 14, innerHeight - 96)}px` }}><strong>${here.name}</strong><div><${Status} status=${here.status} /></div>${here.note && html`<p class="muted">${here.note}</p>`}</div>`}
  </div>`;
}

/** @param {string} status */
const rank = (status) => {
  const at = STATUS_WORDS.indexOf(status);
  return at < 0 ? STATUS_WORDS.length : at;
};

/** @param {CanvasRenderingContext2D} draw @param {string} text @param {number} most */
function fitted(draw, text, most) {
  if (draw.measureText(text).width <= most) return text;
  let cut = text;
  while (cut && draw.measureText(`${cut}…`).width > most) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/** @typedef {{x: number, y: number}} Place */
/** Where the forms of a tone stand, as one path: thousands of cells are one drawing. @type {Record<import("./status.js").Tone, (path: Path2D, at: Place, size: number) => void>} */
const FORMS = {
  bad: (path, { x, y }, size) => path.rect(x, y, size, size),
  warn: (path, { x, y }, size) => {
    path.moveTo(x + size / 2, y);
    path.lineTo(x + size, y + size / 2);
    path.lineTo(x + size / 2, y + size);
    path.lineTo(x, y + size / 2);
    path.closePath();
  },
  busy: (path, { x, y }, size) => {
    path.moveTo(x + size * 0.86, y + size / 2);
    path.arc(x + size / 2, y + size / 2, size * 0.36, 0, 7);
  },
  good: rounded,
  idle: rounded,
  none: rounded,
};

/** @param {Path2D} path @param {Place} at @param {number} size */
function rounded(path, { x, y }, size) {
  path.roundRect(x + 1, y + 1, size - 2, size - 2, size / 4);
}

/** All cells of one tone. @param {CanvasRenderingContext2D} draw @param {import("./status.js").Tone} tone @param {readonly Place[]} places @param {number} size @param {string} fill @param {string} surface */
function drawCells(draw, tone, places, size, fill, surface) {
  const path = new Path2D();
  for (const place of places) FORMS[tone](path, place, size);
  draw.fillStyle = draw.strokeStyle = fill;
  draw.globalAlpha = tone === "good" ? 0.85 : tone === "none" ? 0.8 : 1;
  if (tone === "busy" || tone === "none") {
    draw.lineWidth = Math.max(1.5, size / 7);
    draw.stroke(path);
  } else draw.fill(path);
  draw.globalAlpha = 1;
  if (size < 8 || (tone !== "bad" && tone !== "idle")) return;
  const marks = new Path2D();
  for (const { x, y } of places) {
    if (tone === "idle") {
      marks.rect(x + size * 0.34, y + size * 0.3, size * 0.11, size * 0.4);
      marks.rect(x + size * 0.55, y + size * 0.3, size * 0.11, size * 0.4);
      continue;
    }
    const m = size * 0.3;
    marks.moveTo(x + m, y + m);
    marks.lineTo(x + size - m, y + size - m);
    marks.moveTo(x + size - m, y + m);
    marks.lineTo(x + m, y + size - m);
  }
  draw.fillStyle = draw.strokeStyle = surface;
  draw.lineWidth = Math.max(1.2, size / 9);
  if (tone === "idle") draw.fill(marks);
  else draw.stroke(marks);
}
