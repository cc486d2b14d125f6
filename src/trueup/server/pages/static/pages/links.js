// Links into other systems, as the settings and annotations declare them: of an App, of an object, of a project. Where there are none, nothing is shown.
import { html } from "../lib/html.js";
import { t } from "../i18n/i18n.js";
import { call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Icon } from "../ui/icon.js";

/** @typedef {{title: string, url: string, description: string, icon: string}} Link */

const MOST = 24;

/** The server lets no other address out; what a page makes a link of, it looks at once more. @param {string} url */
export const leadsOut = (url) => /^https?:\/\//i.test(url);

/** @param {string} path of what they are links of, below the API @param {string | null} state they may be others when this is; null: there can be none @param {import("../live/api.js").Query} [query] @returns {Link[]} */
export function useLinks(path, state, query) {
  // That links cannot be had is no news for whoever looks at an App: the page is whole without them.
  const { data } = useLoaded(state === null ? null : `${path} ${state}`, async (abort) => /** @type {Link[]} */ ((await call(`${path}/links`, { query, signal: abort })).items.filter((/** @type {Link} */ link) => leadsOut(link.url))));
  return data ?? [];
}

/** @param {{links: Link[]}} props */
export const LinkChips = ({ links }) => html`<span class="row wrap links" role="list" aria-label=${t("fact.links")}>${links.slice(0, MOST).map((link, i) => html`<span role="listitem" key=${`${i} ${link.url}`}><a class="chip" href=${link.url} target="_blank" rel="noopener noreferrer" title=${link.description || link.url}><${Icon} name="external-link" size=${12} /><span class="clip">${link.title}</span></a></span>`)}${links.length > MOST && html`<span class="faint">${t("story.more", { n: links.length - MOST })}</span>`}</span>`;

/** @param {{path: string, state: string}} props */
export function LinksOf({ path, state }) {
  const links = useLinks(path, state);
  return links.length ? html`<${LinkChips} links=${links} />` : null;
}
