// Tabs by the pattern of the ARIA guide: one stop for Tab, arrows move between them.
import { html } from "../lib/html.js";
import { Icon } from "./icon.js";
import { Count } from "./basics.js";

/** @param {{label: string, current: string, onChange: (id: string) => void, tabs: Array<{id: string, label: string, icon?: string, count?: number}>}} props */
export function Tabs({ label, current, onChange, tabs }) {
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const at = tabs.findIndex((tab) => tab.id === current);
    const to = { ArrowRight: (at + 1) % tabs.length, ArrowLeft: (at - 1 + tabs.length) % tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    const target = to === undefined ? undefined : tabs[to];
    if (!target) return;
    event.preventDefault();
    onChange(target.id);
    /** @type {HTMLElement | undefined} */ (/** @type {HTMLElement} */ (event.currentTarget).querySelectorAll('[role="tab"]')[/** @type {number} */ (to)])?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
    ${tabs.map((tab) => html`<button key=${tab.id} type="button" role="tab" aria-selected=${String(tab.id === current)} tabindex=${tab.id === current ? 0 : -1} onClick=${() => onChange(tab.id)}>${tab.icon && html`<${Icon} name=${tab.icon} />`}${tab.label}${tab.count !== undefined && html`<${Count} n=${tab.count} />`}</button>`)}
  </div>`;
}
