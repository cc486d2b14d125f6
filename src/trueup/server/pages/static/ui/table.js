// A table of any length: only the visible rows are in the document, and a page of data is asked for when it comes into view.
import { html, cls } from "../lib/html.js";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { memo } from "../lib/memo.js";
import { visible } from "../lib/virtual.js";
import { Icon } from "./icon.js";
import { Skeleton } from "./basics.js";
import { walkRow } from "./walking.js";

/** @template T @typedef {{id: string, label: string, width: string, sort?: boolean, cell: (row: T) => any, narrow?: boolean, wide?: boolean}} Column `narrow`: shown also where there is room for few, as on a phone; `wide`: only where there is room for all */

/**
 * @template T
 * @param {{
 *   label: string, columns: Array<Column<T>>, total: number, at: (index: number) => T | undefined, id: (row: T) => string,
 *   sort?: {by: string, down: boolean}, onSort?: (by: string) => void, onOpen?: (row: T) => void, href?: (row: T) => string, current?: string | null,
 *   row?: number, of?: unknown, onWindow?: (from: number, to: number) => void, height?: string,
 *   picked?: {has: (row: T) => boolean, toggle: (row: T, index: number, range: boolean) => void, all: () => void},
 * }} props `onWindow` is told which rows are needed; `of`: what it is a list of, another begins at its top; `picked`: rows can be chosen, with X or the space bar, a range with Shift
 */
export function Table({ label, columns, total, at, id, sort, onSort, onOpen, href, current, row = 40, of, onWindow, height = "100%", picked }) {
  const scroll = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 800 });
  const [cursor, setCursor] = useState(-1);
  const head = useId();
  const window = visible({ ...view, row, total, extra: 5 });
  useLayoutEffect(() => {
    const box = scroll.current;
    if (!box) return undefined;
    const measure = () => setView({ top: box.scrollTop, height: box.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const before = useRef(of);
  useLayoutEffect(() => {
    if (before.current === of) return;
    before.current = of;
    if (scroll.current) scroll.current.scrollTop = 0;
    setCursor(-1);
  }, [of]);
  useLayoutEffect(() => onWindow?.(window.from, window.to), [window.from, window.to, total]);
  const widths = (/** @type {Array<Column<T>>} */ some) => some.map((column) => column.width).join(" ");
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (walkRow(event, cursor)) return undefined;
    const page = Math.max(1, Math.floor(view.height / row) - 1);
    const to = { ArrowDown: cursor + 1, j: cursor + 1, ArrowUp: cursor - 1, k: cursor - 1, PageDown: cursor + page, PageUp: cursor - page, Home: 0, End: total - 1 }[event.key];
    const chosen = at(cursor);
    if (event.key === "Enter" && event.target === event.currentTarget && chosen) return onOpen?.(chosen);
    const picks = picked && event.target === event.currentTarget;
    if (picks && chosen && (event.key === "x" || event.key === "X" || event.key === " ")) {
      event.preventDefault();
      event.stopPropagation();
      return picked.toggle(chosen, cursor, event.shiftKey);
    }
    if (picks && event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return picked.all();
    }
    if (to === undefined || event.target !== event.currentTarget) return undefined;
    event.preventDefault();
    const next = Math.max(0, Math.min(total - 1, to));
    setCursor(next);
    const box = scroll.current;
    if (box && next * row < box.scrollTop) box.scrollTop = next * row;
    else if (box && (next + 1) * row > box.scrollTop + box.clientHeight) box.scrollTop = (next + 1) * row - box.clientHeight;
    return undefined;
  };
  const opens = useRef({ onOpen, picked });
  opens.current = { onOpen, picked };
  const open = useRef((/** @type {any} */ row, /** @type {number} */ i, /** @type {MouseEvent} */ event) => {
    setCursor(i);
    const { onOpen, picked } = opens.current;
    if (picked && (event.shiftKey || event.ctrlKey || event.metaKey)) picked.toggle(row, i, event.shiftKey);
    else onOpen?.(row);
  });
  const rows = [];
  for (let i = window.from; i < window.to; i += 1) {
    const data = at(i);
    const key = data ? id(data) : i;
    rows.push(html`<${SameRow} key=${key} data=${data} i=${i} columns=${columns} isCurrent=${i === cursor || key === current} picked=${picked} onOpen=${open.current} />`);
  }
  return html`<div class="table" style=${{ "--columns": widths(columns), "--columns-some": widths(columns.filter((column) => !column.wide)), "--columns-few": widths(columns.filter((column) => column.narrow)), "--row": `${row}px`, height }}>
    <div role="rowgroup" id=${head}><div class="head" role="row" aria-rowindex="1">
      ${columns.map((column) => {
        const sorted = sort?.by === column.id;
        return html`<div key=${column.id} role="columnheader" class=${roomOf(column)} aria-sort=${sorted ? (sort?.down ? "descending" : "ascending") : undefined}>
          ${column.sort && onSort ? html`<button type="button" onClick=${() => onSort(column.id)}>${column.label}${sorted && html`<${Icon} name=${sort?.down ? "arrow-down" : "arrow-up"} size=${13} />`}</button>` : html`<span>${column.label}</span>`}
        </div>`;
      })}
    </div></div>
    <div class="scroll" role="grid" tabindex="0" aria-owns=${head} aria-multiselectable=${picked ? "true" : undefined} aria-label=${label} aria-rowcount=${total + 1} aria-activedescendant=${cursor >= window.from && cursor < window.to ? `row-${cursor}` : undefined} ref=${scroll} onKeyDown=${onKeyDown} onScroll=${(/** @type {any} */ event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}>
      <div role="presentation" style=${{ height: `${window.before}px` }}></div>${rows}<div role="presentation" style=${{ height: `${window.after}px` }}></div>
    </div>
  </div>`;
}

/** @param {Column<any>} column */
const roomOf = (column) => (column.wide ? "room-all" : column.narrow ? undefined : "room-some");

/** @param {{data: any, i: number, columns: Array<Column<any>>, isCurrent: boolean, picked?: {has: (row: any) => boolean}, onOpen: (data: any, i: number, event: MouseEvent) => void}} props */
function Row({ data, i, columns, isCurrent, picked, onOpen }) {
  const isPicked = data && picked ? picked.has(data) : undefined;
  return html`<div role="row" aria-rowindex=${i + 2} aria-selected=${isPicked === undefined ? undefined : String(isPicked)} id=${`row-${i}`} class=${cls("line", isCurrent && "current", isPicked && "picked")} onClick=${(/** @type {MouseEvent} */ event) => {
    if (!data || (event.target instanceof Element && event.target.closest("a,button,input,label"))) return;
    if (String(getSelection() ?? "") && !event.shiftKey) return;
    onOpen(data, i, event);
  }}>${columns.map((column) => html`<div key=${column.id} role="gridcell" class=${roomOf(column)}>${data ? column.cell(data) : html`<${Skeleton} width=${`${40 + ((i * 29 + column.id.length * 13) % 45)}%`} />`}</div>`)}</div>`;
}

/** Moving and scrolling draw only what is new. */
const SameRow = memo(Row, ["data", "i", "columns", "isCurrent"]);
