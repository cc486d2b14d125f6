// The frame around every page: navigation, where one is, connection, language and theme, messages, shortcuts.
import { html, cls } from "./lib/html.js";
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { go, href, path } from "./lib/route.js";
import { bind, layers, shortcuts, spelled } from "./lib/keys.js";
import { rail, theme } from "./lib/prefs.js";
import { choose, lang, t, ago, clock } from "./i18n/i18n.js";
import { Icon } from "./ui/icon.js";
import { Button, Crumbs } from "./ui/basics.js";
import { Dialog, Menu, Toasts } from "./ui/layers.js";
import { FirstSteps, FirstStepsAgain } from "./ui/first-steps.js";
import { Palette, commands, open as paletteOpen } from "./ui/palette.js";
import { link, lostSince, nextTry, retryNow } from "./live/stream.js";
import { me, signOut } from "./live/session.js";

/** @typedef {{path: string, label: import("./i18n/i18n.js").Key, icon: string, keys: string, group: "look" | "manage"}} Place */
/** @type {Place[]} */
export const PLACES = [
  { path: "/", label: "nav.overview", icon: "layout-dashboard", keys: "g o", group: "look" },
  { path: "/apps", label: "nav.apps", icon: "layers", keys: "g a", group: "look" },
  { path: "/timeline", label: "nav.timeline", icon: "activity", keys: "g t", group: "look" },
  { path: "/diff", label: "nav.diff", icon: "git-compare", keys: "g d", group: "look" },
  { path: "/sources", label: "nav.sources", icon: "git-branch", keys: "g s", group: "look" },
  { path: "/places", label: "nav.places", icon: "folder-tree", keys: "g p", group: "manage" },
  { path: "/accounts", label: "nav.accounts", icon: "users", keys: "g u", group: "manage" },
  { path: "/settings", label: "nav.settings", icon: "sliders-horizontal", keys: "g e", group: "manage" },
  { path: "/audit", label: "nav.audit", icon: "scroll-text", keys: "g l", group: "manage" },
  { path: "/about", label: "nav.about", icon: "info", keys: "g i", group: "manage" },
];

/** What the page is: its crumbs and the title of the window. @type {import("@preact/signals").Signal<Array<{label: string, href?: string}>>} */
export const crumbs = signal([]);
const helpOpen = signal(false);

/** @param {Array<{label: string, href?: string}>} items */
export function useTitle(items) {
  const text = items.map((item) => item.label).join("\n");
  useEffect(() => {
    crumbs.value = items;
    document.title = [...items.map((item) => item.label).reverse(), "Trueup"].join(" · ");
  }, [text]);
}

/** @param {string} to */
const isHere = (to) => (to === "/" ? path.value === "/" : path.value === to || path.value.startsWith(`${to}/`));

export const Mark = ({ size = 24 }) => html`<svg width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#4549c4" /><rect x="5" y="10" width="22" height="12" rx="6" fill="none" stroke="#fff" stroke-width="2" /><path d="M12 10v12M20 10v12" stroke="#fff" stroke-width="1.5" opacity=".7" /><circle cx="16" cy="16" r="3" fill="#7ee2a8" /></svg>`;

/** @param {{children: any, full?: boolean}} props */
export function Shell({ children, full }) {
  useEffect(
    () =>
      bind([
        { keys: "mod+k", label: "keys.palette", group: "keys.everywhere", run: () => (paletteOpen.value = !paletteOpen.peek()) },
        { keys: "?", label: "keys.help", group: "keys.everywhere", run: () => (helpOpen.value = true) },
        { keys: "/", label: "keys.search", group: "keys.everywhere", run: focusSearch },
        { keys: "[", label: "keys.rail", group: "keys.everywhere", run: foldRail },
        ...PLACES.map((place) => ({ keys: place.keys, label: place.label, group: /** @type {const} */ ("keys.go"), run: () => go(place.path) })),
      ]),
    [],
  );
  useEffect(() => {
    commands.value = [
      ...commands.peek().filter((one) => !one.id.startsWith("shell.")),
      ...PLACES.map((place) => ({ id: `shell.${place.path}`, group: t("keys.go"), label: t(place.label), icon: place.icon, run: () => go(place.path) })),
      { id: "shell.design", group: t("shell.help"), label: t("nav.design"), icon: "palette", run: () => go("/design") },
      ...(/** @type {const} */ (["light", "dark", "auto"])).map((name) => ({ id: `shell.${name}`, group: t("shell.appearance"), label: t(`theme.${name}`), icon: themeIcon(name), run: () => (theme.value = name) })),
      { id: "shell.en", group: t("shell.appearance"), label: "English", icon: "languages", run: () => choose("en") },
      { id: "shell.th", group: t("shell.appearance"), label: "ไทย", icon: "languages", run: () => choose("th") },
      { id: "shell.help", group: t("shell.help"), label: t("keys.help"), icon: "keyboard", run: () => (helpOpen.value = true) },
    ];
  }, [lang.value]);
  return html`<a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => {
      event.preventDefault();
      document.querySelector("main")?.focus();
    }}>${t("shell.skip")}</a>
    <div class="shell">
      <nav class="rail" aria-label=${t("shell.nav")}>
        <a class="brand" href=${href("/")} aria-label=${t("shell.home")}><${Mark} /><span class="label">Trueup</span></a>
        ${PLACES.filter((place) => place.group === "look").map((place) => html`<${RailLink} key=${place.path} place=${place} />`)}
        ${PLACES.some((place) => place.group === "manage") && html`<div class="group">${t("nav.manage")}</div>`}
        ${PLACES.filter((place) => place.group === "manage").map((place) => html`<${RailLink} key=${place.path} place=${place} />`)}
        <div class="space"></div>
        <button type="button" class="rail-link fold-rail" onClick=${foldRail} aria-expanded=${String(rail.value !== "folded")} title=${t("keys.rail")}><${Icon} name="panel-left" size=${17} /><span class="label">${t("shell.fold")}</span></button>
        <${Person} />
      </nav>
      <div class="content">
        <header class="topbar">
          <${Crumbs} label=${t("shell.where")} items=${crumbs.value} />
          <button type="button" class="jump" aria-keyshortcuts="Control+K Meta+K" onClick=${() => (paletteOpen.value = true)}><${Icon} name="search" size=${15} /><span class="grow clip">${t("palette.jump")}</span><kbd>${spelled("mod+k")[0]}</kbd></button>
          <${Live} />
          <${ThemeMenu} />
          <${LanguageMenu} />
        </header>
        <${Lost} />
        <main id="main" tabindex="-1" class=${cls(full && "full")}>${children}</main>
      </div>
      <nav class="phone-bar" aria-label=${t("shell.nav")}>
        ${PLACES.slice(0, 3).map((place) => html`<a key=${place.path} href=${href(place.path)} aria-current=${isHere(place.path) ? "page" : undefined}><${Icon} name=${place.icon} size=${20} /><span class="clip">${t(place.label)}</span></a>`)}
        <${Menu} label=${t("shell.more")} place="up" items=${moreItems()} button=${(/** @type {any} */ attributes) => html`<button type="button" ...${attributes}><${Icon} name="menu" size=${20} /><span class="clip">${t("shell.more")}</span></button>`} />
      </nav>
    </div>
    <${FirstSteps} /><${Palette} />${helpOpen.value && html`<${Help} />`}<${Toasts} />`;
}

/** @param {{place: Place}} props */
const RailLink = ({ place }) => html`<a class="rail-link" href=${href(place.path)} aria-current=${isHere(place.path) ? "page" : undefined} title=${t(place.label)}><${Icon} name=${place.icon} size=${17} /><span class="label">${t(place.label)}</span></a>`;

function focusSearch() {
  const input = document.querySelector('main input[type="search"], main [role="combobox"]');
  if (input instanceof HTMLElement) input.focus();
  else paletteOpen.value = true;
}
const foldRail = () => (rail.value = rail.peek() === "folded" ? "open" : "folded");

/** @param {string} name */
const themeIcon = (name) => ({ light: "sun", dark: "moon" })[name] ?? "monitor";
const ThemeMenu = () => html`<${Menu} label=${t("shell.theme")} items=${(/** @type {const} */ (["light", "dark", "auto"])).map((name) => ({ label: t(`theme.${name}`), checked: theme.value === name, run: () => (theme.value = name) }))} button=${(/** @type {any} */ attributes) => html`<${Button} kind="quiet" icon=${themeIcon(theme.value)} label=${t("shell.theme")} ...${attributes} />`} />`;
export const LanguageMenu = () => html`<${Menu} label=${t("shell.language")} items=${[
  { label: "English", checked: lang.value === "en", run: () => choose("en") },
  { label: "ไทย", checked: lang.value === "th", run: () => choose("th") },
]} button=${(/** @type {any} */ attributes) => html`<${Button} kind="quiet" icon="languages" label=${t("shell.language")} ...${attributes} />`} />`;

function Person() {
  const person = me.value;
  if (!person) return null;
  return html`<${Menu} label=${person.display} place="start up" items=${[{ title: person.groups.length ? person.groups.join(", ") : person.name }, { label: t("nav.design"), icon: "palette", href: href("/design") }, { label: t("session.out"), icon: "log-out", run: signOut }]} button=${(/** @type {any} */ attributes) => html`<button type="button" class="rail-link" ...${attributes} aria-label=${t("session.as", { name: person.display })}><${Icon} name="circle-user" size=${18} /><span class="label clip who">${person.display || person.name}</span></button>`} />`;
}

/** @returns {import("./ui/layers.js").Item[]} */
const moreItems = () => [
  ...PLACES.slice(3).map((place) => ({ label: t(place.label), icon: place.icon, href: href(place.path) })),
  { label: t("nav.design"), icon: "palette", href: href("/design") },
  ...(me.value ? [{ label: t("session.out"), icon: "log-out", run: signOut }] : []),
];

/** Nothing where a page follows nothing: it is as true as when it was opened, and nothing is wrong. */
function Live() {
  const state = link.value;
  if (state === "idle") return html`<span class="live" role="status"></span>`;
  const text = state === "live" ? t("live.live") : t("live.lost");
  return html`<span class=${cls("live", state)} role="status" title=${text}><i></i><span class="label">${text}</span></span>`;
}

function Lost() {
  if (link.value !== "lost") return null;
  clock.value;
  const seconds = Math.max(0, Math.ceil((nextTry.value - Date.now()) / 1000));
  return html`<div class="banner tone-warn" role="alert"><${Icon} name="wifi-off" /><span>${t("lost.since", { when: ago(lostSince.value) })} ${seconds > 0 ? t("lost.next", { s: seconds }) : t("lost.trying")}</span><${Button} small onClick=${retryNow}>${t("lost.now")}<//></div>`;
}

function Help() {
  const close = () => (helpOpen.value = false);
  const groups = [...new Set(shortcuts.value.map((one) => one.group))];
  layers.value;
  return html`<${Dialog} title=${t("keys.help")} onClose=${close}>
    ${groups.map((group) => html`<section key=${group}><h3 class="faint">${t(group)}</h3><table class="plain-table"><tbody>${shortcuts.value.filter((one) => one.group === group).map((one) => html`<tr key=${one.keys}><td>${t(one.label)}</td><td style=${{ textAlign: "end" }}>${spelled(one.keys).map((key) => html`<kbd>${key}</kbd> `)}</td></tr>`)}</tbody></table></section>`)}
    <${FirstStepsAgain} onClick=${close} />
  <//>`;
}
