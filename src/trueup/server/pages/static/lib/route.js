// Addresses: which page a path means, and the query in it. History API; filters live in the query, so a link shares them.
import { signal, computed } from "@preact/signals";
export { match } from "./match.js";

const root = typeof document === "undefined" ? "" : (document.querySelector('meta[name="trueup-base"]')?.getAttribute("content") ?? "");

/** @param {string} path */
export const href = (path) => root + path;
export const base = root;

const here = () => {
  if (typeof location === "undefined") return { path: "/", search: "" };
  const path = location.pathname.startsWith(root) ? location.pathname.slice(root.length) : location.pathname;
  return { path: path.replace(/\/+$/, "") || "/", search: location.search };
};

export const place = signal(here());
export const path = computed(() => place.value.path);
export const query = computed(() => new URLSearchParams(place.value.search));

/** @param {string} to @param {{replace?: boolean}} [how] */
export function go(to, { replace = false } = {}) {
  const before = place.peek().path;
  history[replace ? "replaceState" : "pushState"]({}, "", href(to));
  place.value = here();
  if (place.value.path !== before) {
    scrollTo(0, 0);
    // A new page is announced and read from its beginning, as after a load.
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector("main"))?.focus({ preventScroll: true }));
  }
}

/** The address with these parameters changed; null or "" takes one out. @param {Record<string, string | null>} changes */
export function withQuery(changes) {
  const params = new URLSearchParams(place.value.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const text = params.toString().replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
  return place.value.path + (text ? `?${text}` : "");
}

/** @param {Record<string, string | null>} changes @param {{replace?: boolean}} [how] */
export const setQuery = (changes, how = { replace: true }) => go(withQuery(changes), how);

/** Links of ours change the page without a load. */
export function listen() {
  addEventListener("popstate", () => (place.value = here()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(`${root}/`) || /^\/(api|assets)\//.test(link.pathname.slice(root.length))) return;
    event.preventDefault();
    go(link.pathname.slice(root.length) + link.search);
  });
}
