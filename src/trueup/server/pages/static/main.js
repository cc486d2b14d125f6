// The beginning: language, theme, keys, addresses; then the page that the address names, inside the shell.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { html } from "./lib/html.js";
import { clock, lang, t } from "./i18n/i18n.js";
import * as keys from "./lib/keys.js";
import * as prefs from "./lib/prefs.js";
import * as route from "./lib/route.js";
import { me, whoAmI } from "./live/session.js";
import { Problem, call, signedOut } from "./live/api.js";
import { Shell, useTitle } from "./shell.js";
import { Empty, Waiting, Wrong } from "./ui/basics.js";
import { kindIcon } from "./ui/icon.js";
import { remote } from "./ui/palette.js";
import { writeQuery } from "./lib/query.js";
import { idOf, pageOf } from "./live/apps.js";
import { SignIn } from "./pages/sign-in.js";

/** @typedef {{pattern: string, load: () => Promise<{Page: (props: {params: Record<string, string>}) => any}>, full?: boolean, open?: boolean}} Entry `open`: needs nobody signed in */
/** @type {Entry[]} */
const PAGES = [
  { pattern: "/", load: () => import("./pages/overview.js") },
  { pattern: "/apps", load: () => import("./pages/apps.js"), full: true },
  { pattern: "/apps/new", load: () => import("./pages/new-app.js") },
  { pattern: "/apps/:kind/:namespace/:name", load: () => import("./pages/app.js"), full: true },
  { pattern: "/timeline", load: () => import("./pages/timeline.js") },
  { pattern: "/diff", load: () => import("./pages/diff.js") },
  { pattern: "/sources", load: () => import("./pages/sources.js"), full: true },
  { pattern: "/places", load: () => import("./pages/manage.js") },
  { pattern: "/accounts", load: () => import("./pages/accounts.js"), full: true },
  { pattern: "/settings", load: () => import("./pages/settings.js") },
  { pattern: "/about", load: () => import("./pages/about.js") },
  { pattern: "/audit", load: () => import("./pages/audit.js"), full: true },
  { pattern: "/design", load: () => import("./pages/design.js"), open: true },
];

function Main() {
  const path = route.path.value;
  lang.value; // everything is drawn again in the other language
  const entry = PAGES.find((page) => route.match(page.pattern, path));
  const params = (entry && route.match(entry.pattern, path)) ?? {};
  const [known, setKnown] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const ask = () => {
    setProblem(null);
    whoAmI().then(() => setKnown(true), setProblem);
  };
  useEffect(() => {
    if (!entry?.open) ask();
  }, []);
  const isDone = known && !signedOut.value && path === "/login";
  useEffect(() => {
    if (isDone) route.go("/", { replace: true });
  }, [isDone]);
  if (entry?.open) return html`<${Shell}><${Lazy} entry=${entry} params=${params} /><//>`;
  if (problem) return html`<${Wrong} problem=${problem} again=${ask} />`;
  if (!known) return html`<div class="sign-in"><${Waiting} rows=${3} /></div>`;
  if (signedOut.value) return html`<${SignIn} ended=${me.value !== null} />`;
  return html`<${Shell} full=${entry?.full}>${entry ? html`<${Lazy} key=${entry.pattern} entry=${entry} params=${params} />` : html`<${Unknown} />`}<//>`;
}

function Unknown() {
  useTitle([{ label: t("wrong.no-page") }]);
  return html`<${Empty} icon="search-x" title=${t("wrong.no-page")}>${t("wrong.no-page.hint")}<//>`;
}

/** @param {{entry: Entry, params: Record<string, string>}} props */
function Lazy({ entry, params }) {
  const [state, setState] = useState(/** @type {{entry?: Entry, Page?: any, failed?: boolean}} */ ({}));
  useEffect(() => {
    let gone = false;
    entry.load().then(
      (module) => gone || setState({ entry, Page: module.Page }),
      (error) => {
        console.error(error);
        if (!gone) setState({ entry, failed: true });
      },
    );
    return () => {
      gone = true;
    };
  }, [entry]);
  if (state.failed) return html`<${Wrong} problem=${new Problem({ title: t("wrong.module"), status: -1, hint: t("wrong.module.hint") })} again=${() => location.reload()} />`;
  if (!state.Page || state.entry !== entry) return html`<${Waiting} />`;
  return html`<${state.Page} params=${params} />`;
}

/** The palette finds Apps on the server; before anything is typed it shows those that one looked at last. @param {string} text @param {AbortSignal} abort */
remote.find = async (text, abort) => {
  /** @param {{kind: string, namespace: string, name: string}} app */
  const command = (app) => ({ id: `app.${idOf(app)}`, group: t("nav.apps"), label: app.name, note: `${app.kind} · ${app.namespace}`, icon: kindIcon(app.kind), run: () => route.go(pageOf(app)) });
  if (!text.trim()) return prefs.recent.value.map((id) => { const [kind = "", namespace = "", name = ""] = id.split("/"); return command({ kind, namespace, name }); });
  return (await call("/apps", { query: { search: writeQuery(text.trim().split(/\s+/).map((value) => ({ field: "", value }))), sort: "name", limit: 8 }, signal: abort })).items.map(command);
};

// The page's module comes while the server is asked who is signed in.
void PAGES.find((page) => route.match(page.pattern, route.path.peek()))?.load().catch(() => {}); // a failure is told where it is shown
prefs.follow();
keys.listen();
route.listen();
setInterval(() => (clock.value = Date.now()), 1000);
render(html`<${Main} />`, /** @type {HTMLElement} */ (document.getElementById("root")));
