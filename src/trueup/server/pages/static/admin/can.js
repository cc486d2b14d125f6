// What the person may do with what is administered: asked before buttons are shown, so that what is not theirs is explained.
import { html } from "../lib/html.js";
import { t } from "../i18n/i18n.js";
import { call } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { Notice } from "../ui/basics.js";

/** @param {string} resource @param {string} action @param {string} [object] @returns {boolean | null} null until it is known */
export function useCan(resource, action, object = "*") {
  const { data } = useLoaded(`${resource} ${action} ${object}`, async (abort) => {
    const right = `${resource}/${action}/${object}`;
    return /** @type {boolean} */ ((await call("/may", { query: { right }, signal: abort })).rights[right]);
  });
  return data;
}

/** @param {{resource: string, action: string, object?: string}} props */
export const MayNotChange = ({ resource, action, object = "*" }) => html`<${Notice} tone="none" icon="lock" title=${t("can.not")}>${t("can.line")} <code>p, ROLE, ${resource}, ${action}, ${object}, allow</code><//>`;
