// What lies above a page: dialog, side panel, menu, toasts. Each keeps the focus inside, ends with Escape, and gives the focus back.
import { html, cls } from "../lib/html.js";
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState, useId } from "preact/hooks";
import { layers } from "../lib/keys.js";
import { t } from "../i18n/i18n.js";
import { Button } from "./basics.js";
import { Icon } from "./icon.js";

const FOCUSABLE = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), [tabindex="0"]';

/** Focus goes in, stays in (where `modal`), and comes back. @param {() => void} close @param {{modal?: boolean, first?: string}} [how] */
export function useLayer(close, { modal = true, first = "" } = {}) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const end = useRef(close);
  end.current = close;
  useLayoutEffect(() => {
    const before = document.activeElement;
    const box = ref.current;
    if (modal) layers.value += 1;
    const target = (first && box?.querySelector(first)) || box?.querySelector("[autofocus]") || (modal ? box?.querySelector(FOCUSABLE) : null) || box;
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
    return () => {
      if (modal) layers.value -= 1;
      if (before instanceof HTMLElement && (box?.contains(document.activeElement) || document.activeElement === document.body)) before.focus({ preventScroll: true });
    };
  }, []);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      event.preventDefault();
      end.current();
    }
    if (event.key !== "Tab" || !modal || !ref.current) return;
    const inside = [...ref.current.querySelectorAll(FOCUSABLE)].filter((one) => one instanceof HTMLElement && one.offsetParent !== null);
    const edge = event.shiftKey ? inside[0] : inside[inside.length - 1];
    if (document.activeElement === edge || !ref.current.contains(document.activeElement)) {
      event.preventDefault();
      /** @type {HTMLElement | undefined} */ (event.shiftKey ? inside[inside.length - 1] : inside[0])?.focus();
    }
  };
  const hear = useRef(onKeyDown);
  hear.current = onKeyDown;
  useEffect(() => {
    if (!modal) return undefined;
    // What had the focus may be gone, as a button is that was pressed: then keys come to nobody, and are still ours.
    const lost = (/** @type {KeyboardEvent} */ event) => {
      if (document.activeElement !== document.body || [...document.querySelectorAll('[aria-modal="true"]')].pop() !== ref.current) return;
      ref.current?.focus({ preventScroll: true });
      hear.current(event);
    };
    document.addEventListener("keydown", lost, true);
    return () => document.removeEventListener("keydown", lost, true);
  }, []);
  return { ref, onKeyDown };
}

/** @param {{title: string, onClose: () => void, children: any, footer?: any, wide?: boolean, first?: string}} props `first`: what has the focus when it opens */
export function Dialog({ title, onClose, children, footer, wide, first = ".body input, .body select, .body textarea, footer .primary" }) {
  const id = useId();
  const layer = useLayer(onClose, { first });
  return html`<div class="veil" onClick=${onClose}></div>
    <div class=${cls("dialog", wide && "wide")} role="dialog" aria-modal="true" aria-labelledby=${id} tabindex="-1" ref=${layer.ref} onKeyDown=${layer.onKeyDown}>
      <header><h2 id=${id}>${title}</h2><${Button} kind="quiet" small icon="x" label=${t("do.close")} onClick=${onClose} /></header>
      <div class="body stack">${children}</div>
      ${footer && html`<footer>${footer}</footer>`}
    </div>`;
}

/** Beside the page, which stays usable. @param {{title: any, label: string, onClose: () => void, tabs?: any, children: any, flush?: boolean, actions?: any}} props */
export function Panel({ title, label, onClose, tabs, children, flush, actions }) {
  const layer = useLayer(onClose, { modal: false });
  return html`<aside class="panel" aria-label=${label} tabindex="-1" ref=${layer.ref} onKeyDown=${layer.onKeyDown}>
    <header><div class="grow">${title}</div>${actions}<${Button} kind="quiet" small icon="panel-right-close" label=${t("do.close")} shortcut="Esc" onClick=${onClose} /></header>
    ${tabs}
    <div class=${cls("body", flush && "flush")}>${children}</div>
  </aside>`;
}

/** @typedef {{label: string, icon?: string, run?: () => void, href?: string, checked?: boolean, danger?: boolean, disabled?: boolean} | "-" | {title: string}} Item */

/** @param {{label: string, items: Item[], button: (attributes: Record<string, unknown>) => any, place?: string}} props */
export function Menu({ label, items, button, place = "" }) {
  const [open, setOpen] = useState(false);
  const anchor = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useId();
  useLayoutEffect(() => {
    if (!open) return undefined;
    const outside = (/** @type {Event} */ event) => event.target instanceof Node && !anchor.current?.contains(event.target) && setOpen(false);
    document.addEventListener("pointerdown", outside);
    /** @type {HTMLElement | null | undefined} */ (anchor.current?.querySelector('[role^="menuitem"]'))?.focus();
    layers.value += 1;
    return () => {
      document.removeEventListener("pointerdown", outside);
      layers.value -= 1;
    };
  }, [open]);
  const close = () => {
    setOpen(false);
    /** @type {HTMLElement | null | undefined} */ (anchor.current?.querySelector("[aria-haspopup]"))?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!open) return;
    const all = /** @type {HTMLElement[]} */ ([...(anchor.current?.querySelectorAll('[role^="menuitem"]') ?? [])]);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[to]?.focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") return setOpen(false);
    else if (event.key.length === 1 && /\S/.test(event.key)) all.find((one) => one.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<span class=${cls("menu-anchor", place)} ref=${anchor} onKeyDown=${onKeyDown}>
    ${button({ "aria-haspopup": "menu", "aria-expanded": String(open), "aria-controls": open ? id : undefined, onClick: () => setOpen(!open) })}
    ${open &&
    html`<div class="menu" role="menu" id=${id} aria-label=${label}>
      ${items.map((item, i) => {
        if (item === "-") return html`<hr key=${i} />`;
        if ("title" in item) return html`<div key=${i} class="title" role="presentation">${item.title}</div>`;
        const inner = html`${item.checked !== undefined ? html`<${Icon} name=${item.checked ? "check" : ""} class=${item.checked ? "" : "none"} />` : item.icon && html`<${Icon} name=${item.icon} />`}<span class="grow">${item.label}</span>`;
        const role = item.checked === undefined ? "menuitem" : "menuitemradio";
        const picked = () => {
          close();
          item.run?.();
        };
        return item.href
          ? html`<a key=${i} role=${role} tabindex="-1" href=${item.href} onClick=${() => setOpen(false)}>${inner}</a>`
          : html`<button key=${i} type="button" role=${role} tabindex="-1" class=${item.danger ? "danger" : ""} disabled=${item.disabled} aria-checked=${item.checked === undefined ? undefined : String(item.checked)} onClick=${picked}>${inner}</button>`;
      })}
    </div>`}
  </span>`;
}

/** @typedef {{id: number, tone: import("./status.js").Tone, title: string, detail?: string}} Toast */
/** @type {import("@preact/signals").Signal<Toast[]>} */
const toasts = signal([]);
let count = 0;

/** Says something that needs no answer. Failures stay until they are closed. @param {import("./status.js").Tone} tone @param {string} title @param {string} [detail] */
export function say(tone, title, detail) {
  const toast = { id: (count += 1), tone, title, ...(detail ? { detail } : {}) };
  toasts.value = [...toasts.peek().slice(-3), toast];
  if (tone !== "bad") setTimeout(() => dismiss(toast.id), 6000);
}

/** @param {number} id */
const dismiss = (id) => (toasts.value = toasts.peek().filter((toast) => toast.id !== id));

export const Toasts = () => html`<div class="toasts" role="region" aria-label=${t("shell.messages")} aria-live="polite">
  ${toasts.value.map((toast) => html`<div class=${`toast tone-${toast.tone}`} key=${toast.id} role=${toast.tone === "bad" ? "alert" : "status"}><${Icon} name=${{ good: "circle-check", busy: "info", warn: "triangle-alert", bad: "circle-alert", idle: "pause", none: "info" }[toast.tone]} size=${18} /><div class="grow"><strong>${toast.title}</strong>${toast.detail && html`<p class="muted">${toast.detail}</p>`}</div><${Button} kind="quiet" small icon="x" label=${t("do.close")} onClick=${() => dismiss(toast.id)} /></div>`)}
</div>`;
