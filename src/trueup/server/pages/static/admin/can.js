// What the person may do with what is administered: asked before buttons are shown, so that what is not theirs is explained.
import { html } from "../lib/html.js";
import { t } from "../i18n/i18n.js";
import { call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Notice } from "../ui/basics.js";

const MOST = 25; // rights that one question may hold

/** Whether anything of it may be made: at large, or in one of the projects. @param {string} resource @param {readonly string[] | null} projects null: they are not known yet @returns {boolean | null} */
export function useCanMake(resource, projects) {
  const rights = projects && ["*", ...projects.map((name) => `${name}/*`)].slice(0, MOST).map((object) => `${resource}/create/${object}`);
  const { data } = useLoaded(rights ? rights.join(" ") : null, async (abort) => Object.values((await call("/may", { query: { right: rights }, signal: abort })).rights).some(Boolean));
  return data;
}

/** @param {string} resource @param {string} action @param {string} [object] @returns {boolean | null} null until it is known */
export function useCan(resource, action, object = "*") {
  const { data } = useLoaded(`${resource} ${action} ${object}`, async (abort) => {
    const right = `${resource}/${action}/${object}`;
    return /** @type {boolean} */ ((await call("/may", { query: { right }, signal: abort })).rights[right]);
  });
  return data;
}

/** @param {{resource: string, action: string, object?: string, make?: boolean}} props */
export const MayNotChange = ({ resource, action, object = "*", make }) => html`<${Notice} tone="none" icon="lock" title=${t(make ? "can.not-make" : "can.not")}>${t("can.line")} <code>p, ROLE, ${resource}, ${action}, ${object}, allow</code><//>`;
