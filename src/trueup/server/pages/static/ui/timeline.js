// What happened, on one line of time that zooms: lanes of syncs, drift, people and events; beneath it stands the same as a list.
import { html } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { clustered, moved, ticks, timeOf, xOf, zoomed } from "../lib/timescale.js";
import { colour, shown } from "../lib/prefs.js";
import { t, day, dayHour, hour, second, moment, word } from "../i18n/i18n.js";
import { toneOf } from "./status.js";
import { Button } from "./basics.js";
import { download } from "./text.js";
import { timelineSvg } from "../lib/svg.js";

/** @typedef {{id: string, at: number, until?: number | null, lane: string, status: string, title: string, detail?: string, who?: string}} Entry */

const LANE = 34;
const HEAD = 24;

/** @param {{entries: readonly Entry[], lanes: string[], span: {from: number, to: number, now?: number}, chosen?: string | null, pointer?: number | null, name?: string, onChoose: (entry: Entry) => void, onMoment?: ((at: number) => void) | undefined, label: string}} props `pointer`: a moment to mark; `name`: of the file that it is exported to */
export function Timeline({ entries, lanes, span: all, chosen, pointer = null, name = "timeline", onChoose, onMoment, label }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [width, setWidth] = useState(900);
  const [span, setSpan] = useState(all);
  const [tip, setTip] = useState(/** @type {{x: number, y: number, entries: Entry[]} | null} */ (null));
  const drag = useRef(/** @type {{x: number, span: {from: number, to: number}, moved: boolean} | null} */ (null));
  const theme = shown.value;
  const left = width < 520 ? 76 : 112;
  const room = width - left;
  useEffect(() => setSpan(all), [all.from]);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.max(260, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const marks = useMemo(() => clustered(entries, span, room), [entries, span, room]);
  const height = HEAD + lanes.length * LANE + 6;
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = devicePixelRatio || 1;
    [element.width, element.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const draw = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    const family = getComputedStyle(document.body).fontFamily;
    draw.font = `400 11px ${family}`;
    draw.textBaseline = "middle";
    const scale = ticks(span, room);
    for (const at of scale.at) {
      const x = left + xOf(span, room, at);
      draw.fillStyle = colour("border");
      draw.fillRect(Math.round(x), HEAD, 1, height - HEAD);
      draw.fillStyle = colour("text-3");
      const text = scale.step >= 86_400_000 ? day(at) : scale.step < 60_000 ? second(at) : new Date(at).getHours() + new Date(at).getMinutes() === 0 ? dayHour(at) : hour(at);
      draw.textAlign = x + draw.measureText(text).width / 2 > width ? "end" : "center";
      draw.fillText(text, Math.min(x, width - 2), HEAD / 2);
    }
    draw.textAlign = "start";
    lanes.forEach((lane, i) => {
      const y = HEAD + i * LANE + LANE / 2;
      draw.fillStyle = colour("text-2");
      draw.fillText(word("lane", lane), 0, y);
      draw.fillStyle = colour("border");
      draw.fillRect(left, Math.round(y), room, 1);
    });
    for (const mark of marks) {
      const y = HEAD + lanes.indexOf(mark.lane) * LANE + LANE / 2;
      const worst = mark.events.find((one) => toneOf(one.status) === "bad") ?? mark.events.find((one) => toneOf(one.status) === "warn") ?? /** @type {Entry} */ (mark.events[mark.events.length - 1]);
      const tone = toneOf(worst.status);
      const end = mark.events.length === 1 && worst.until ? left + xOf(span, room, worst.until) : 0;
      const x = left + mark.x;
      draw.fillStyle = draw.strokeStyle = colour(`${tone}-solid`);
      draw.beginPath();
      if (end - x > 10) draw.roundRect(x, y - 5, end - x, 10, 5);
      else if (tone === "bad") draw.rect(x - 6, y - 6, 12, 12);
      else if (tone === "warn") {
        draw.moveTo(x, y - 8);
        draw.lineTo(x + 8, y);
        draw.lineTo(x, y + 8);
        draw.lineTo(x - 8, y);
        draw.closePath();
      } else draw.arc(x, y, mark.events.length > 1 ? 9 : 6, 0, 7);
      draw.fill();
      if (mark.events.length > 1) {
        draw.fillStyle = colour("surface");
        draw.textAlign = "center";
        draw.font = `600 10px ${family}`;
        draw.fillText(mark.events.length > 99 ? "99+" : String(mark.events.length), x, y + 0.5);
        draw.textAlign = "start";
        draw.font = `400 11px ${family}`;
      }
      if (mark.events.some((one) => one.id === chosen)) {
        draw.strokeStyle = colour("accent");
        draw.lineWidth = 2;
        draw.beginPath();
        draw.arc(x, y, 12, 0, 7);
        draw.stroke();
      }
    }
    const now = all.now ?? all.to;
    if (now > span.from && now < span.to + 1) {
      draw.fillStyle = colour("accent");
      draw.fillRect(Math.min(width - 2, left + xOf(span, room, now)), HEAD - 4, 2, height);
    }
    if (pointer !== null && pointer >= span.from && pointer <= span.to) {
      draw.fillStyle = colour("accent");
      draw.fillRect(Math.round(left + xOf(span, room, pointer)) - 1, HEAD - 4, 2, height);
    }
  }, [marks, span, width, theme, chosen, pointer, lanes]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const onWheel = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) < Math.abs(event.deltaY)) return;
      event.preventDefault();
      const x = event.clientX - element.getBoundingClientRect().x - left;
      setSpan((was) => (event.ctrlKey || event.metaKey ? zoomed(was, Math.exp(-event.deltaY / 200), timeOf(was, room, x), all) : moved(was, (event.deltaX / room) * (was.to - was.from), all)));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [room, left, all.from, all.to]);
  const hit = (/** @type {number} */ x, /** @type {number} */ y) =>
    marks.find((mark) => {
      const end = mark.events.length === 1 && mark.events[0]?.until ? xOf(span, room, mark.events[0].until) : mark.x;
      return Math.abs(HEAD + lanes.indexOf(mark.lane) * LANE + LANE / 2 - y) < LANE / 2 && x - left > mark.x - 10 && x - left < Math.max(mark.x, end) + 10;
    });
  const by = (/** @type {number} */ factor) => setSpan((was) => zoomed(was, factor, (was.from + was.to) / 2, all));
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const sorted = [...entries].sort((a, b) => a.at - b.at);
    const at = sorted.findIndex((one) => one.id === chosen);
    if (event.key === "+" || event.key === "=") by(1.5);
    else if (event.key === "-") by(1 / 1.5);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const next = sorted[event.key === "ArrowRight" ? Math.min(sorted.length - 1, at + 1) : at < 0 ? sorted.length - 1 : Math.max(0, at - 1)];
      if (next) onChoose(next);
    } else return;
    event.preventDefault();
  };
  return html`<div class="timeline" ref=${box}>
    <div role="group" aria-label=${`${label}. ${t("timeline.keys")}`} tabindex="0" onKeyDown=${onKeyDown}>
      <canvas ref=${canvas} style=${{ height: `${height}px` }} aria-hidden="true"
        onPointerDown=${(/** @type {PointerEvent} */ event) => (drag.current = { x: event.offsetX, span, moved: false })}
        onPointerMove=${(/** @type {PointerEvent} */ event) => {
          const held = drag.current;
          if (held) {
            if (Math.abs(event.offsetX - held.x) > 3) {
              if (!held.moved) canvas.current?.setPointerCapture(event.pointerId);
              held.moved = true;
            }
            if (held.moved) setSpan(moved(held.span, ((held.x - event.offsetX) / room) * (held.span.to - held.span.from), all));
            return;
          }
          const mark = hit(event.offsetX, event.offsetY);
          setTip(mark ? { x: event.clientX, y: event.clientY, entries: mark.events } : null);
        }}
        onPointerUp=${(/** @type {PointerEvent} */ event) => {
          const held = drag.current;
          drag.current = null;
          const mark = held?.moved ? undefined : hit(event.offsetX, event.offsetY);
          if (mark && mark.events.length > 1 && mark.events[0]) setSpan((was) => zoomed(was, 3, /** @type {Entry} */ (mark.events[0]).at, all));
          else if (mark?.events[0]) onChoose(mark.events[0]);
          else if (held && !held.moved && event.offsetX > left) onMoment?.(Math.min(Date.now(), timeOf(span, room, event.offsetX - left)));
        }}
        onPointerLeave=${() => setTip(null)}></canvas>
    </div>
    <div class="row" style=${{ justifyContent: "flex-end" }}>
      <${Button} kind="quiet" small icon="zoom-out" label=${t("tree.out")} onClick=${() => by(1 / 1.5)} />
      <${Button} kind="quiet" small icon="zoom-in" label=${t("tree.in")} onClick=${() => by(1.5)} />
      <${Button} kind="quiet" small icon="maximize-2" label=${t("tree.fit")} onClick=${() => setSpan(all)} />
      <${Button} kind="quiet" small icon="download" label=${t("svg.save")} onClick=${() => download(`${name}.svg`, timelineSvg({ entries, lanes: lanes.map((lane) => ({ id: lane, label: word("lane", lane) })), span, label, tone: toneOf, colour, tick: (at, step) => (step >= 86_400_000 ? day(at) : step < 60_000 ? second(at) : dayHour(at)) }), "image/svg+xml")} />
    </div>
    ${tip && html`<div class="tip" style=${{ left: `${Math.min(tip.x + 12, innerWidth - 332)}px`, top: `${tip.y + 14}px` }}>${tip.entries.slice(0, 4).map((one) => html`<div key=${one.id}><strong>${one.title}</strong> <span class="faint num">${moment(one.at)}</span>${one.detail && html`<p class="muted">${one.detail}</p>`}</div>`)}${tip.entries.length > 4 && html`<p class="faint">${t("timeline.more", { n: tip.entries.length - 4 })}</p>`}</div>`}
  </div>`;
}
