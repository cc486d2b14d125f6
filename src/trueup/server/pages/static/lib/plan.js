// What a plan means for people: its turns, what it deletes, what it makes restart, and how far a sync has come with it. Pure.

/**
 * @typedef {{group: string, kind: string, namespace: string, name: string}} Ref
 * @typedef {{path: string, before: string, after: string}} FieldRow
 * @typedef {{ref: Ref, version: string, action: string, reason: string, message: string, fields: FieldRow[], before: Record<string, any> | null, after: Record<string, any> | null, origin: string, phase: string, wave: number, hook: string[]}} Planned
 * @typedef {{commit: string, author: string, email: string, at: string, message: string, signed: boolean, verified: string}} Commit
 * @typedef {{action: string, why: string, current: string, wanted: string, becomes: string, record: number, nextRecord: number, values: FieldRow[]}} Release of Helm; charts are NAME@VERSION
 * @typedef {{revision: string, fullRevision: string, at: string, objects: Planned[], hooks: Planned[], notices: string[], counts: Record<string, number>, commit: Commit | null, release?: Release | null}} Plan
 * @typedef {{phase: string, wave: number, objects: Planned[]}} Turn
 * @typedef {"waiting" | "applied" | "done" | "failed"} Stage
 * @typedef {{planned: Planned, stage: Stage, status: string, message: string}} Step
 */

/** As nodes of the tree are called. @param {Ref} ref */
export const idOfRef = (ref) => `${ref.kind}${ref.group ? `.${ref.group}` : ""}/${ref.namespace}/${ref.name}`;
/** As people write it. @param {Ref} ref */
export const refText = (ref) => [ref.kind, ref.namespace, ref.name].filter(Boolean).join("/");

const DELETES = ["pruned", "recreated"];

/** What a sync would send. @param {Plan} plan */
export const changesOf = (plan) => plan.objects.filter((one) => !["unchanged", "skipped"].includes(one.action));
/** What would go, for good or to be made anew. @param {readonly Planned[]} objects */
export const deletedOf = (objects) => objects.filter((one) => DELETES.includes(one.action));

const TEMPLATES = ["Deployment", "StatefulSet", "DaemonSet"];
/** What would roll its pods: the template of a workload changes. @param {readonly Planned[]} objects */
export const restartedOf = (objects) => objects.filter((one) => one.action === "configured" && one.ref.group === "apps" && TEMPLATES.includes(one.ref.kind) && one.fields.some((field) => field.path.startsWith("spec.template")));

/** What holds people's data, and does not come back with Git. @param {Ref} ref */
export const holdsData = (ref) => (ref.group === "" && ["PersistentVolumeClaim", "PersistentVolume", "Namespace", "Secret"].includes(ref.kind)) || ref.kind === "CustomResourceDefinition" || ref.kind === "StatefulSet";

/** In the order of the sync; objects of one phase and wave together. Deletions come last. @param {readonly Planned[]} objects @returns {Turn[]} */
export function turnsOf(objects) {
  /** @type {Turn[]} */ const turns = [];
  for (const one of objects) {
    const phase = one.action === "pruned" ? "prune" : one.phase;
    const last = turns.at(-1);
    if (last && last.phase === phase && last.wave === one.wave) last.objects.push(one);
    else turns.push({ phase, wave: one.wave, objects: [one] });
  }
  return turns;
}

/** The chart of a release, and its versions before and after; whole charts where another one takes its place. @param {Release} release */
export function chartsOf({ current, becomes, wanted }) {
  const parts = (/** @type {string} */ chart) => [chart.slice(0, Math.max(0, chart.lastIndexOf("@"))), chart.slice(chart.lastIndexOf("@") + 1)];
  const after = becomes || (current ? "" : wanted);
  const [was, is] = [parts(current), parts(after)];
  if (current && after && was[0] !== is[0]) return { name: "", from: current, to: after };
  return { name: was[0] || is[0] || "", from: was[1] ?? "", to: is[1] ?? "" };
}

/** A JSON text as people read it: texts without their quotes, one that was cut short as far as it goes. @param {string} text */
export function plainValue(text) {
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1);
  }
}

/** Whether a sync would do nothing at all. @param {Plan} plan */
export const isIdle = (plan) => !changesOf(plan).length && ["", "none"].includes(plan.release?.action ?? "");

/** @typedef {{id: string, health: string, sync: string, message: string, deleting?: boolean}} Node */
/** @typedef {{group?: string, kind?: string, namespace?: string, name?: string, status?: string, message?: string, hookPhase?: string}} ResultRow */

/**
 * How far a sync has come with each object: by the rows that the sync itself reports, else by the live tree.
 * @param {readonly Planned[]} objects @param {readonly ResultRow[]} rows of the sync that is under way @param {readonly Node[]} nodes @param {boolean} ended
 * @returns {Step[]}
 */
export function stepsOf(objects, rows, nodes, ended) {
  const reported = new Map(rows.map((row) => [idOfRef({ group: row.group ?? "", kind: row.kind ?? "", namespace: row.namespace ?? "", name: row.name ?? "" }), row]));
  const known = new Map(nodes.map((node) => [node.id, node]));
  return objects.map((planned) => {
    const id = idOfRef(planned.ref);
    const row = reported.get(id);
    const node = known.get(id);
    if (row?.status === "SyncFailed" || row?.hookPhase === "Failed" || row?.hookPhase === "Error") return { planned, stage: "failed", status: "Failed", message: row.message ?? "" };
    if (planned.action === "pruned") return !node || row?.status === "Pruned" ? { planned, stage: "done", status: "Deleted", message: "" } : { planned, stage: node.deleting ? "applied" : "waiting", status: node.deleting ? "Terminating" : "Pending", message: "" };
    const applied = row !== undefined || (node !== undefined && node.sync === "Synced");
    if (!applied) return { planned, stage: "waiting", status: ended ? "Unknown" : "Pending", message: node?.message ?? "" };
    const health = node?.health ?? "";
    if (health === "Degraded") return { planned, stage: "failed", status: health, message: node?.message ?? "" };
    if (health && health !== "Healthy" && health !== "Suspended") return { planned, stage: "applied", status: health, message: node?.message ?? "" };
    return { planned, stage: "done", status: health || "Synced", message: row?.message ?? "" };
  });
}

/**
 * Whether the sync that was asked for has come to its end, as the App's resource tells it; null: not yet.
 * Argo CD's `operation` is a queue of one and goes when its sync ends; Flux echoes the request.
 * @param {Record<string, any> | null} resource @param {{token: string, version: string}} asked @param {string} status the App's word
 * @returns {null | {succeeded: boolean, message: string}}
 */
export function endOf(resource, asked, status) {
  if (!resource) return null;
  const { metadata = {}, status: told = {}, operation } = resource;
  if (Number(metadata.resourceVersion) < Number(asked.version)) return null;
  if (resource["kind"] === "Application") {
    const state = told.operationState ?? {};
    if (operation || !["Succeeded", "Failed", "Error"].includes(state.phase)) return null;
    return { succeeded: state.phase === "Succeeded", message: state.message ?? "" };
  }
  if (asked.token && told.lastHandledReconcileAt !== asked.token) return null;
  if (["Progressing", "Running", "Terminating"].includes(status)) return null;
  const ready = (told.conditions ?? []).find((/** @type {any} */ row) => row.type === "Ready");
  return { succeeded: ready?.status === "True", message: ready?.message ?? "" };
}

/** @type {Array<[RegExp, string]>} */
const HELPS = [
  [/immutable|cannot be changed|may not change once set/i, "immutable"],
  [/namespaces? .*not found|not found.*namespace/i, "namespace"],
  [/no matches for kind|is not served|does not serve/i, "crd"],
  [/admission webhook|denied the request|policy/i, "policy"],
  [/forbidden|cannot (create|patch|delete|get)/i, "rights"],
  [/build|kustomize|helm|render|template/i, "render"],
  [/authentication|credentials|could not read|unable to clone|fetch/i, "fetch"],
  [/pull image|ImagePull|crash|pods? are ready|pods? ready|health check|waiting for|timed? ?out/i, "health"],
  [/conflict|has been modified/i, "conflict"],
];
/** Which advice fits what went wrong. @param {string} message */
export const helpFor = (message) => HELPS.find(([pattern]) => pattern.test(message))?.[1] ?? "other";
