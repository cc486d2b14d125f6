// Which Trueup this is, whether it sees everything that it should, and where its interface is described.
import { html } from "../lib/html.js";
import { number, t } from "../i18n/i18n.js";
import { href } from "../lib/route.js";
import { API, call } from "../live/api.js";
import { me } from "../live/session.js";
import { useLoaded } from "../live/resource.js";
import { useTitle } from "../shell.js";
import { Button, Chip, Facts, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Mark } from "../shell.js";

/** @typedef {{version: string, problems: string[], apps: number, sources: number, streams: number}} Standing */

export function Page() {
  useTitle([{ label: t("nav.about") }]);
  const { data, problem, again } = useLoaded("standing", (abort) => /** @type {Promise<Standing>} */ (call("/standing", { signal: abort })));
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${6} />`;
  const person = me.value;
  return html`<div class="page-head"><${Mark} size=${32} /><h1>${t("about.title", { version: data.version })}</h1></div>
    ${data.problems.length ? data.problems.map((one) => html`<${Notice} key=${one} tone="warn" title=${t("about.problem")}>${one}<//>`) : html`<${Notice} tone="good" title=${t("about.well")}>${t("about.well.what")}<//>`}
    <section class="card"><header><h2>${t("about.server")}</h2></header><div class="body"><${Facts} rows=${[[t("about.version"), html`<code>${data.version}</code>`], [t("nav.apps"), number(data.apps)], [t("nav.sources"), number(data.sources)], [t("about.streams"), number(data.streams)]]} /></div></section>
    ${person && html`<section class="card"><header><h2>${t("about.you")}</h2></header><div class="body"><${Facts} rows=${[[t("session.name"), person.name], person.groups.length > 0 && [t("about.groups"), html`<span class="chips">${person.groups.map((group) => html`<${Chip} key=${group} icon="users">${group}<//>`)}</span>`], [t("about.via"), person.via]]} /></div></section>`}
    <section class="card"><header><h2>${t("about.more")}</h2></header><div class="body row wrap"><${Button} icon="file-code" href=${href(`${API}/openapi.json`)} target="_blank">${t("about.api")}<//><${Button} icon="palette" href=${href("/design")}>${t("nav.design")}<//></div>
      <div class="body"><p>${t("about.licence")}</p></div></section>`;
}
