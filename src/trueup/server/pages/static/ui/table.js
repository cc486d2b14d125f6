// A table of any length: only the visible rows are in the document, and a page of data is asked for when it comes into view.
import { html, cls } from "../lib/html.js";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { memo } from "../lib/memo.js";
import { visible } from "../lib/virtual.js";
import { Icon } from "./icon.js";
import { Skeleton } from "./basics.js";
import { walkRow } from "./walking.js";

/** @template T @typedef {{id: string, label: string, width: string, sort?: boolean, cell: (row: T) => any, narrow?: boolean}} Column `narrow`: shown on a phone too */

/**
 * @template T
 * @param {{
 *   label: string, columns: Array<Column<T>>, total: number, at: (index: number) => T | undefined, id: (row: T) => string,
 *   sort?: {by: string, down: boolean}, onSort?: (by: string) => void, onOpen?: (row: T) => void, href?: (row: T) => string, current?: string | null,
 *   row?: number, of?: unknown, onWindow?: (from: number, to: number) => void, height?: string,
 * }} props `onWindow` is told which rows are needed; `of`: what it is a list of, another begins at its top
 */
export function Table({ label, columns, total, at, id, sort, onSort, onOpen, href, current, row = 40, of, onWindow, height = "100%" }) {
  const scroll = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 800 });
  const [cursor, setCursor] = useState(-1);
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
  const template = columns.map((column) => column.width).join(" ");
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (walkRow(event, cursor)) return undefined;
    const page = Math.max(1, Math.floor(view.height / row) - 1);
    const to = { ArrowDown: cursor + 1, j: cursor + 1, ArrowUp: cursor - 1, k: cursor - 1, PageDown: cursor + page, PageUp: cursor - page, Home: 0, End: total - 1 }[event.key];
    const chosen = at(cursor);
    if (event.key === "Enter" && event.target === event.currentTarget && chosen) return onOpen?.(chosen);
    if (to === undefined || event.target !== event.currentTarget) return undefined;
    event.preventDefault();
    const next = Math.max(0, Math.min(total - 1, to));
    setCursor(next);
    const box = scroll.current;
    if (box && next * row < box.scrollTop) box.scrollTop = next * row;
    else if (box && (next + 1) * row > box.scrollTop + box.clientHeight) box.scrollTop = (next + 1) * row - box.clientHeight;
    return undefined;
  };
  const opens = useRef(onOpen);
  opens.current = onOpen;
  const open = useRef((/** @type {any} */ row, /** @type {number} */ i) => {
    setCursor(i);
    opens.current?.(row);
  });
  const rows = [];
  for (let i = window.from; i < window.to; i += 1) {
    const data = at(i);
    const key = data ? id(data) : i;
    rows.push(html`<${SameRow} key=${key} data=${data} i=${i} columns=${columns} isCurrent=${i === cursor || key === current} onOpen=${open.current} />`);
  }
  return html`<div class="table" role="grid" aria-label=${label} aria-rowcount=${total + 1} style=${{ "--columns": template, "--row": `${row}px`, height }}>
    <div role="rowgroup"><div class="head" role="row" aria-rowindex="1">
      ${columns.map((column) => {
        const sorted = sort?.by === column.id;
        return html`<div key=${column.id} role="columnheader" class=${cls(!column.narrow && "wide-only")} aria-sort=${sorted ? (sort?.down ? "descending" : "ascending") : undefined}>
          ${column.sort && onSort ? html`<button type="button" onClick=${() => onSort(column.id)}>${column.label}${sorted && html`<${Icon} name=${sort?.down ? "arrow-down" : "arrow-up"} size=${13} />`}</button>` : html`<span>${column.label}</span>`}
        </div>`;
      })}
    </div></div>
    <div class="scroll" role="rowgroup" tabindex="0" aria-label=${label} aria-activedescendant=${cursor >= window.from && cursor < window.to ? `row-${cursor}` : undefined} ref=${scroll} onKeyDown=${onKeyDown} onScroll=${(/** @type {any} */ event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}>
      <div role="presentation" style=${{ height: `${window.before}px` }}></div>${rows}<div role="presentation" style=${{ height: `${window.after}px` }}></div>
    </div>
  </div>`;
}

/** @param {{data: any, i: number, columns: Array<Column<any>>, isCurrent: boolean, onOpen: (data: any, i: number) => void}} props */
function Row({ data, i, columns, isCurrent, onOpen }) {
  return html`<div role="row" aria-rowindex=${i + 2} id=${`row-${i}`} class=${cls("line", isCurrent && "current")} onClick=${(/** @type {MouseEvent} */ event) => {
    if (!data || (event.target instanceof Element && event.target.closest("a,button,input"))) return;
    if (String(getSelection() ?? "")) return;
    onOpen(data, i);
  }}>${columns.map((column) => html`<div key=${column.id} role="gridcell" class=${cls(!column.narrow && "wide-only")}>${data ? column.cell(data) : html`<${Skeleton} width=${`${40 + ((i * 29 + column.id.length * 13) % 45)}%`} />`}</div>`)}</div>`;
}

/** Moving and scrolling draw only what is new. */
const SameRow = memo(Row, ["data", "i", "columns", "isCurrent"]);
