// What one says of a repository or a cluster: the fields of the form, and a form from the Secret that is there. Pure.

/** @typedef {Record<string, any>} Form */
/**
 * @typedef {{name: string, label: string, type?: "text" | "bool" | "list" | "choice" | "secret" | "area" | "map", choices?: string[], place?: string, more?: boolean, when?: (form: Form) => boolean}} FieldOf
 * `label` is a key of the catalogue; "secret" and "area" are credentials, which are never told: left alone they stay; `more`: what one seldom needs
 */

/** @type {FieldOf[]} */
const REPOSITORY = [
  { name: "url", label: "place.url", place: "https://git.example.com/shop/deploy.git" },
  { name: "type", label: "place.type", type: "choice", choices: ["git", "helm", "oci"] },
  { name: "name", label: "place.name", when: (form) => form["type"] === "helm" || form["name"] },
  { name: "prefix", label: "place.prefix", type: "bool" },
  { name: "username", label: "place.username", type: "secret" },
  { name: "password", label: "place.password", type: "secret" },
  { name: "sshPrivateKey", label: "place.ssh", type: "area", when: (form) => form["type"] === "git" },
  { name: "bearerToken", label: "place.token", type: "secret", more: true },
  { name: "githubAppId", label: "place.github-id", more: true, when: (form) => form["type"] === "git" },
  { name: "githubAppInstallationId", label: "place.github-installation", more: true, when: (form) => form["type"] === "git" },
  { name: "githubAppPrivateKey", label: "place.github-key", type: "area", more: true, when: (form) => form["type"] === "git" },
  { name: "tlsClientCertData", label: "place.cert", type: "area", more: true },
  { name: "tlsClientCertKey", label: "place.cert-key", type: "area", more: true },
  { name: "project", label: "facet.project", more: true },
  { name: "proxy", label: "place.proxy", more: true, place: "http://proxy.example.com:3128" },
  { name: "noProxy", label: "place.no-proxy", more: true },
  { name: "enableOci", label: "place.oci", type: "bool", more: true, when: (form) => form["type"] === "helm" },
  { name: "insecure", label: "place.insecure", type: "bool", more: true },
];

/** @type {FieldOf[]} */
const CLUSTER = [
  { name: "name", label: "place.cluster-name", place: "production-eu" },
  { name: "server", label: "place.server", place: "https://203.0.113.7:6443" },
  { name: "bearerToken", label: "place.token", type: "secret" },
  { name: "caData", label: "place.ca", type: "area" },
  { name: "certData", label: "place.cert", type: "area", more: true },
  { name: "keyData", label: "place.cert-key", type: "area", more: true },
  { name: "username", label: "place.username", type: "secret", more: true },
  { name: "password", label: "place.password", type: "secret", more: true },
  { name: "namespaces", label: "place.namespaces", type: "list", place: "shop, payments" },
  { name: "clusterResources", label: "place.cluster-resources", type: "bool", when: (form) => (form["namespaces"] ?? []).length > 0 },
  { name: "labels", label: "facet.label", type: "map", more: true, place: "environment=production" },
  { name: "project", label: "facet.project", more: true },
  { name: "serverName", label: "place.server-name", more: true },
  { name: "proxyUrl", label: "place.proxy", more: true },
  { name: "insecure", label: "place.insecure", type: "bool", more: true },
];

/** @typedef {"repositories" | "clusters"} Sort */
/** @type {Record<Sort, FieldOf[]>} */
export const PLACE_FIELDS = { repositories: REPOSITORY, clusters: CLUSTER };
const isSecret = (/** @type {FieldOf} */ field) => field.type === "secret" || field.type === "area";

/** @param {Sort} sort @returns {Form} */
export const emptyForm = (sort) => (sort === "repositories" ? { url: "", type: "git" } : { name: "", server: "" });

/** Secrets' keys as the API's form calls them, where they differ. @type {Record<string, string>} */
const SAID = { enableOCI: "enableOci", githubAppID: "githubAppId", githubAppInstallationID: "githubAppInstallationId" };
const BOOLS = new Set(["insecure", "enableOci", "enableLfs", "forceHttpBasicAuth", "clusterResources"]);
const LABEL = "argocd.argoproj.io/secret-type";

/** @param {Sort} sort @param {Record<string, any>} secret as the API tells it, its credentials hidden @returns {Form} without credentials */
export function formOf(sort, secret) {
  /** @type {Record<string, string>} */ const data = secret["stringData"] ?? {};
  const labels = { ...(secret["metadata"]?.labels ?? {}) };
  const kind = labels[LABEL] ?? "";
  delete labels[LABEL];
  /** @type {Form} */ const form = emptyForm(sort);
  const known = new Set([...PLACE_FIELDS[sort].filter((field) => !isSecret(field)).map((field) => field.name), "enableLfs", "forceHttpBasicAuth", "githubAppEnterpriseBaseUrl"]);
  for (const [key, value] of Object.entries(data)) {
    const name = SAID[key] ?? key;
    if (known.has(name)) form[name] = BOOLS.has(name) ? String(value).toLowerCase() === "true" : value;
  }
  if (sort === "repositories") {
    form["type"] = data["type"] || "git";
    if (/creds/.test(kind)) form["prefix"] = true;
    return form;
  }
  form["namespaces"] = parts(data["namespaces"] ?? "");
  if (Object.keys(labels).length) form["labels"] = labels;
  /** @type {any} */ let config = {};
  try {
    config = JSON.parse(data["config"] ?? "{}");
  } catch {
    // hidden as a whole; what is said anew takes its place
  }
  if (config.proxyUrl) form["proxyUrl"] = config.proxyUrl;
  if (config.tlsClientConfig?.serverName) form["serverName"] = config.tlsClientConfig.serverName;
  if (config.tlsClientConfig?.insecure) form["insecure"] = true;
  return form;
}

/** What the API is sent: nothing that is empty, and of credentials only what was typed. @param {Sort} sort @param {Form} form @returns {Form} */
export function bodyOf(sort, form) {
  return Object.fromEntries(Object.entries(form).filter(([name, value]) => {
    const field = PLACE_FIELDS[sort].find((one) => one.name === name);
    if (field && isSecret(field)) return typeof value === "string" && value !== "";
    return value !== "" && value !== false && value !== undefined && !(Array.isArray(value) && !value.length);
  }));
}

/** @param {string} text */
export const parts = (text) => text.split(/[\s,]+/).filter(Boolean);

/** "a=b, c=d" @param {string} text @returns {Record<string, string>} */
export const pairsOf = (text) => Object.fromEntries(parts(text).map((part) => [part.split("=")[0] ?? "", part.slice(part.indexOf("=") + 1)]).filter(([key]) => key));
