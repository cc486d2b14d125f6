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
  const plan = useMemo(() => placeCells(cells, width, size, (one) => rank(one.status)), [cells, width, size]);
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
    const fills = Object.fromEntries(["good", "busy", "warn", "bad", "idle", "none"].map((tone) => [tone, colour(`${tone}-solid`)]));
    const surface = colour("surface");
    plan.cells.forEach(({ cell, x, y }, i) => drawCell(draw, x, y, size, cell.status, /** @type {string} */ (fills[toneOf(cell.status)]), surface, i === at?.index ? colour("accent") : ""));
  }, [plan, theme, at?.index]);
  const found = (/** @type {number} */ x, /** @type {number} */ y) => plan.cells.findIndex((one) => x >= one.x && x < one.x + size && y >= one.y && y < one.y + size);
  const here = at ? plan.cells[at.index]?.cell : undefined;
  const counts = STATUS_WORDS.concat(EVERY_WORD.filter((one) => !STATUS_WORDS.includes(one))).map((status) => /** @type {const} */ ([status, cells.filter((cell) => cell.status === status).length])).filter(([, n]) => n > 0);
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

/** @param {CanvasRenderingContext2D} draw @param {number} x @param {number} y @param {number} size @param {string} status @param {string} fill @param {string} surface @param {string} ring */
function drawCell(draw, x, y, size, status, fill, surface, ring) {
  const tone = toneOf(status);
  draw.fillStyle = draw.strokeStyle = fill;
  draw.beginPath();
  if (tone === "bad") draw.rect(x, y, size, size);
  else if (tone === "warn") {
    draw.moveTo(x + size / 2, y);
    draw.lineTo(x + size, y + size / 2);
    draw.lineTo(x + size / 2, y + size);
    draw.lineTo(x, y + size / 2);
    draw.closePath();
  } else if (tone === "busy") draw.arc(x + size / 2, y + size / 2, size * 0.36, 0, 7);
  else draw.roundRect(x + 1, y + 1, size - 2, size - 2, size / 4);
  if (tone === "busy" || tone === "none") {
    draw.lineWidth = Math.max(1.5, size / 7);
    if (tone === "none") draw.globalAlpha = 0.8;
    draw.stroke();
    draw.globalAlpha = 1;
  } else {
    draw.globalAlpha = tone === "good" ? 0.85 : 1;
    draw.fill();
    draw.globalAlpha = 1;
  }
  if (tone === "bad" && size >= 8) {
    draw.strokeStyle = surface;
    draw.lineWidth = Math.max(1.2, size / 9);
    const m = size * 0.3;
    draw.beginPath();
    draw.moveTo(x + m, y + m);
    draw.lineTo(x + size - m, y + size - m);
    draw.moveTo(x + size - m, y + m);
    draw.lineTo(x + m, y + size - m);
    draw.stroke();
  }
  if (tone === "idle" && size >= 8) {
    draw.fillStyle = surface;
    draw.fillRect(x + size * 0.34, y + size * 0.3, size * 0.11, size * 0.4);
    draw.fillRect(x + size * 0.55, y + size * 0.3, size * 0.11, size * 0.4);
  }
  if (ring) {
    draw.strokeStyle = ring;
    draw.lineWidth = 2;
    draw.strokeRect(x - 2, y - 2, size + 4, size + 4);
  }
}
