// What one says of a local user, and the keys of argocd-cm that say it. Pure.

/** @typedef {{name: string, login: boolean, apiKey: boolean, enabled: boolean}} AccountForm */
/** @typedef {{name: string, enabled: boolean, capabilities: string[]}} Known */

export const ADMIN = "admin";
const LONGEST = 32;

/** @type {AccountForm} */
export const EMPTY = { name: "", login: true, apiKey: false, enabled: true };

/** @param {Known} account @returns {AccountForm} */
export const formOf = (account) => ({ name: account.name, login: account.capabilities.includes("login"), apiKey: account.capabilities.includes("apiKey"), enabled: account.enabled });

/** What is wrong with a new user before anybody is asked; empty: nothing. @param {AccountForm} form @param {readonly string[]} names of those that there are @returns {"" | "name" | "long" | "taken" | "nothing"} */
export function wrongWith(form, names) {
  if (names.includes(form.name)) return "taken";
  if (!/^[-_a-zA-Z0-9]+$/.test(form.name)) return "name";
  if (form.name.length > LONGEST) return "long";
  return form.login || form.apiKey ? "" : "nothing";
}

/** The change of argocd-cm; null takes a key away. What stands for itself is not written. @param {AccountForm} form @returns {Record<string, string | null>} */
export function keysOf({ name, login, apiKey, enabled }) {
  const may = [apiKey && "apiKey", login && "login"].filter(Boolean).join(", ");
  const off = enabled ? null : "false";
  // Admin may always sign in unless it is disabled, by a key of its own.
  if (name === ADMIN) return { "accounts.admin": apiKey ? may : null, "accounts.admin.enabled": null, "admin.enabled": off };
  return { [`accounts.${name}`]: may, [`accounts.${name}.enabled`]: off };
}

/** @param {string} name @returns {Record<string, null>} */
export const withoutKeys = (name) => ({ [`accounts.${name}`]: null, [`accounts.${name}.enabled`]: null });

/** The keys alone, to be put into Git. @param {AccountForm} form */
export function yamlOf(form) {
  const lines = Object.entries(keysOf(form)).filter(([, value]) => value !== null).map(([key, value]) => `  ${key}: ${value === "false" ? '"false"' : value}\n`);
  return `# ConfigMap argocd-cm\ndata:${lines.length ? `\n${lines.join("")}` : " {}\n"}`;
}

/** Whether the server tells of it as it was written. @param {Known | null} told @param {AccountForm} form */
export const isAs = (told, form) => told !== null && told.enabled === form.enabled && told.capabilities.includes("apiKey") === form.apiKey && (form.name === ADMIN || told.capabilities.includes("login") === form.login);
