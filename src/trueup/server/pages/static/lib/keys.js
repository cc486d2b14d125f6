// Keyboard shortcuts: one table, from which `?` is answered. A key alone never works while one types.
import { signal } from "@preact/signals";

/** @typedef {{keys: string, label: import("../i18n/i18n.js").Key, run: () => void, group: import("../i18n/i18n.js").Key}} Shortcut `keys`: "?", "/", "mod+k", "g a" (one after the other) */

/** @type {import("@preact/signals").Signal<Shortcut[]>} */
export const shortcuts = signal([]);
/** How many layers (dialogs, menus) are open: page shortcuts rest meanwhile. */
export const layers = signal(0);

/** @param {Shortcut[]} added @returns {() => void} takes them out */
export function bind(added) {
  shortcuts.value = [...shortcuts.peek(), ...added];
  return () => (shortcuts.value = shortcuts.peek().filter((one) => !added.includes(one)));
}

export const isMac = typeof navigator !== "undefined" && /mac|iphone|ipad/i.test(navigator.platform);
/** As keyboards have it. @param {string} keys */
export const spelled = (keys) => keys.split(" ").map((key) => key.replace("mod+", isMac ? "⌘" : "Ctrl ").replace("shift+", isMac ? "⇧" : "Shift ").replace(/(^| )([a-z])$/, (_, gap, letter) => gap + letter.toUpperCase()));

let first = "";
let firstAt = 0;

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = event.target;
  const typing = target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
  const mod = isMac ? event.metaKey : event.ctrlKey;
  if (event.altKey || event.isComposing || (!mod && (event.ctrlKey || event.metaKey))) return;
  const key = (mod ? "mod+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (typing && !mod) return;
  if (layers.peek() > 0 && key !== "mod+k") return;
  const now = event.timeStamp;
  const two = first && now - firstAt < 1200 ? `${first} ${key}` : "";
  const found = [...shortcuts.peek()].reverse().find((one) => one.keys === two) ?? [...shortcuts.peek()].reverse().find((one) => one.keys === key);
  first = key.length === 1 && shortcuts.peek().some((one) => one.keys.startsWith(`${key} `)) ? key : "";
  firstAt = now;
  if (!found) return;
  event.preventDefault();
  first = "";
  found.run();
}

export const listen = () => addEventListener("keydown", pressed);
