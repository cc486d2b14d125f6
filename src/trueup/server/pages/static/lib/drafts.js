// Resources that a form writes: where they begin, a value at a path, and the line of the YAML where a path stands. Pure.

/** @typedef {Record<string, any>} Manifest */
/** @typedef {"Kustomization" | "HelmRelease" | "Application"} AppKind */
/** @typedef {{app: Manifest, source: Manifest | null}} Draft `source` comes along with it, and before it */
/**
 * @typedef {{path: string, of?: "source", label: string, type?: "text" | "bool" | "object" | "listed" | "choice" | "yaml", item?: string, choices?: string[], must?: boolean, more?: boolean, place?: string, wide?: boolean}} FieldOf
 * `label` is a key of the catalogue, with its help at `LABEL.help`; `more`: among what one seldom needs
 */

/** @type {Record<AppKind, FieldOf[]>} */
export const FORMS = {
  Kustomization: [
    { path: "metadata.name", label: "form.name", must: true, place: "shop" },
    { path: "metadata.namespace", label: "form.namespace", must: true, place: "flux-system" },
    { of: "source", path: "spec.url", label: "form.url", must: true, place: "https://…/shop/deploy.git", wide: true },
    { of: "source", path: "spec.ref.branch", label: "form.branch", place: "main" },
    { of: "source", path: "spec.secretRef.name", label: "form.secret", more: true },
    { path: "spec.path", label: "form.path", must: true, place: "./clusters/production" },
    { path: "spec.interval", label: "form.interval", must: true, place: "10m" },
    { path: "spec.prune", label: "form.prune", type: "bool", must: true },
    { path: "spec.wait", label: "form.wait", type: "bool" },
    { path: "spec.targetNamespace", label: "form.target", more: true },
    { path: "spec.timeout", label: "form.timeout", more: true, place: "5m" },
    { path: "spec.serviceAccountName", label: "form.account", more: true },
  ],
  HelmRelease: [
    { path: "metadata.name", label: "form.name", must: true, place: "shop" },
    { path: "metadata.namespace", label: "form.namespace", must: true, place: "shop" },
    { of: "source", path: "spec.url", label: "form.charts", must: true, place: "https://…/charts", wide: true },
    { path: "spec.chart.spec.chart", label: "form.chart", must: true, place: "shop" },
    { path: "spec.chart.spec.version", label: "form.version", place: "1.x" },
    { path: "spec.interval", label: "form.interval", must: true, place: "10m" },
    { path: "spec.values", label: "form.values", type: "yaml", wide: true },
    { path: "spec.targetNamespace", label: "form.target", more: true },
    { path: "spec.releaseName", label: "form.release", more: true },
    { path: "spec.timeout", label: "form.timeout", more: true, place: "5m" },
    { path: "spec.serviceAccountName", label: "form.account", more: true },
    { of: "source", path: "spec.secretRef.name", label: "form.secret", more: true },
  ],
  Application: [
    { path: "metadata.name", label: "form.name", must: true, place: "shop" },
    { path: "metadata.namespace", label: "form.namespace", must: true, place: "argocd" },
    { path: "spec.project", label: "form.project", must: true, place: "default" },
    { path: "spec.source.repoURL", label: "form.url", must: true, place: "https://…/shop/deploy.git", wide: true },
    { path: "spec.source.targetRevision", label: "form.revision", place: "main" },
    { path: "spec.source.path", label: "form.path", place: "clusters/production" },
    { path: "spec.source.chart", label: "form.chart", more: true },
    { path: "spec.destination.name", label: "form.cluster", place: "in-cluster" },
    { path: "spec.destination.server", label: "form.server", more: true, place: "https://…:6443" },
    { path: "spec.destination.namespace", label: "form.destination", place: "shop" },
    { path: "spec.syncPolicy.automated", label: "form.automated", type: "object" },
    { path: "spec.syncPolicy.automated.prune", label: "form.prune", type: "bool" },
    { path: "spec.syncPolicy.automated.selfHeal", label: "form.heal", type: "bool" },
    { path: "spec.syncPolicy.syncOptions", label: "form.create-namespace", type: "listed", item: "CreateNamespace=true" },
    { path: "metadata.finalizers", label: "form.finalizer", type: "listed", item: "resources-finalizer.argocd.argoproj.io" },
  ],
};

/** Kinds of sources that an App of a kind takes; empty: it names a repository itself. @type {Record<AppKind, string[]>} */
export const SOURCE_KINDS = { Kustomization: ["GitRepository", "OCIRepository", "Bucket"], HelmRelease: ["HelmRepository", "GitRepository", "Bucket"], Application: [] };
/** Where an App of a kind names its source. @type {Record<AppKind, string>} */
export const SOURCE_AT = { Kustomization: "spec.sourceRef", HelmRelease: "spec.chart.spec.sourceRef", Application: "" };

/** @param {AppKind} kind @returns {Draft} with a source of its own, where there is one */
export function startOf(kind) {
  const metadata = { name: "", namespace: { Kustomization: "flux-system", HelmRelease: "", Application: "argocd" }[kind] };
  if (kind === "Application") return { source: null, app: { apiVersion: "argoproj.io/v1alpha1", kind, metadata: { ...metadata, finalizers: ["resources-finalizer.argocd.argoproj.io"] }, spec: { project: "default", source: { repoURL: "", targetRevision: "main", path: "" }, destination: { name: "in-cluster", namespace: "" }, syncPolicy: { automated: { prune: true, selfHeal: true } } } } };
  if (kind === "HelmRelease") return { source: { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "HelmRepository", metadata, spec: { interval: "1h", url: "" } }, app: { apiVersion: "helm.toolkit.fluxcd.io/v2", kind, metadata, spec: { interval: "10m", chart: { spec: { chart: "", version: "", sourceRef: { kind: "HelmRepository", name: "" } } } } } };
  return { source: { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "GitRepository", metadata, spec: { interval: "1m", url: "", ref: { branch: "main" } } }, app: { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind, metadata, spec: { interval: "10m", path: "./", prune: true, sourceRef: { kind: "GitRepository", name: "" } } } };
}

/** @param {Manifest | null} object @param {string} path @returns {any} */
export const valueAt = (object, path) => path.split(".").reduce((/** @type {any} */ value, key) => (value === null || typeof value !== "object" ? undefined : value[key]), object);

/** Another object with the value at the path; "" and undefined take it out, and what becomes empty above it. @param {Manifest} object @param {string} path @param {unknown} value @returns {Manifest} */
export function withValue(object, path, value) {
  const [key = "", ...rest] = path.split(".");
  const { [key]: was, ...others } = object;
  const within = was !== null && typeof was === "object" && !Array.isArray(was) ? was : {};
  const next = rest.length ? withValue(within, rest.join("."), value) : value;
  const isGone = next === undefined || next === "" || (rest.length > 0 && (value === undefined || value === "") && Object.keys(/** @type {object} */ (next)).length === 0);
  if (isGone) return others;
  return key in object ? Object.fromEntries(Object.entries(object).map(([name, one]) => [name, name === key ? next : one])) : { ...object, [key]: next };
}

/** A source that comes along has the App's name and place, and the App names it. @param {AppKind} kind @param {Draft} draft @returns {Draft} */
export function joined(kind, { app, source }) {
  if (!source) return { app, source };
  const { name = "", namespace = "" } = app["metadata"] ?? {};
  return { source: { ...source, metadata: { ...source["metadata"], name, namespace } }, app: withValue(app, SOURCE_AT[kind], { kind: source["kind"], name }) };
}

/** As it is sent and shown: without what was left empty. @param {any} value @returns {any} */
export function tidy(value) {
  if (Array.isArray(value)) return value.map(tidy);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== "" && one !== undefined).map(([key, one]) => [key, tidy(one)]));
}

/** In the order in which they are made. @param {Draft} draft @returns {Manifest[]} */
export const manifestsOf = ({ app, source }) => (source ? [tidy(source), tidy(app)] : [tidy(app)]);

/** Whatever a form must have and has not. @param {AppKind} kind @param {Draft} draft @returns {FieldOf[]} */
export const missingOf = (kind, draft) => FORMS[kind].filter((field) => field.must && field.type !== "bool" && !(field.of === "source" && !draft.source) && !valueAt(field.of === "source" ? draft.source : draft.app, field.path));

/** In which line of a YAML writer's text a path stands, from 0; -1: in none. @param {string} text one document @param {string} path */
export function lineOf(text, path) {
  const keys = path.split(".");
  let at = 0;
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? "";
    const indent = line.length - line.trimStart().length;
    if (line.trim() && indent < at * 2) return -1;
    if (indent === at * 2 && line.trimStart().startsWith(`${keys[at]}:`)) {
      at += 1;
      if (at === keys.length) return i;
    }
  }
  return -1;
}
