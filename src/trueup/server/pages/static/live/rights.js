// What the person may do, asked of the server: so that pages hide or explain what is not theirs.
import { call } from "./api.js";
import { idOf } from "./apps.js";
import { useLoaded } from "./resource.js";

/** @typedef {{app: string, may: string[], missing: Record<string, string>}} Rights `missing`: what to ask for, by what one may not */
/** @typedef {{may: string[]}} ObjectRights */

const AT_ONCE = 100;

/** @param {readonly string[]} keys KIND/NAMESPACE/NAME @param {AbortSignal} [abort] @returns {Promise<Map<string, Rights>>} without those that one may not see */
export async function rightsOf(keys, abort) {
  /** @type {Map<string, Rights>} */ const found = new Map();
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const { items } = await call("/apps/rights", { query: { app: keys.slice(from, from + AT_ONCE) }, signal: abort });
    for (const one of items) found.set(one.app, one);
  }
  return found;
}

/** Null until they are known. @param {{kind: string, namespace: string, name: string}} app @returns {Rights | null} */
export function useRights(app) {
  const key = idOf(app);
  const { data } = useLoaded(key, async (abort) => (await rightsOf([key], abort)).get(key) ?? { app: key, may: [], missing: {} });
  return data;
}
