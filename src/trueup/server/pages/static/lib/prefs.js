// What this browser keeps for the person: theme, favourites, views. Signals that write themselves to local storage.
import { signal, effect } from "@preact/signals";

/** @template T @param {string} name @param {T} start @returns {import("@preact/signals").Signal<T>} */
export function kept(name, start) {
  const key = `trueup.${name}`;
  let value = start;
  try {
    const text = localStorage.getItem(key);
    if (text !== null) value = typeof start === "string" ? /** @type {any} */ (text) : JSON.parse(text);
  } catch {
    // unreadable or forbidden: begin anew
  }
  const held = signal(value);
  let began = false;
  effect(() => {
    const text = typeof held.value === "string" ? held.value : JSON.stringify(held.value);
    if (began)
      try {
        localStorage.setItem(key, text);
      } catch {
        // forbidden or full: it lasts as long as the page
      }
    began = true;
  });
  return held;
}

export const theme = kept("theme", "auto");
export const rail = kept("rail", "open");
export const favourites = kept("favourites", /** @type {string[]} */ ([]));
export const views = kept("views", /** @type {Array<{name: string, search: string}>} */ ([]));
export const recent = kept("recent", /** @type {string[]} */ ([]));

/** What is shown now, whatever was chosen: drawings take their colours again when it changes. */
export const shown = signal("light");

/** A token's value, for drawings. @param {string} token */
export const colour = (token) => getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();

export function follow() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const set = () => {
    shown.value = paper.matches ? "light" : theme.value === "auto" ? (dark.matches ? "dark" : "light") : theme.value;
    document.documentElement.dataset.theme = shown.value;
  };
  effect(set);
  dark.addEventListener("change", set);
  paper.addEventListener("change", set);
  effect(() => {
    if (rail.value === "folded") document.documentElement.dataset.rail = "folded";
    else delete document.documentElement.dataset.rail;
  });
}
