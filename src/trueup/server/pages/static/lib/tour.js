// What the records of the sample's App prove of the first steps: a change arrived, drift was healed, a revert arrived. Pure.
// Nothing of it is remembered by the browser, so it is as true after a reload, or when somebody else did the step.

/** @typedef {{ref: {kind: string, namespace: string, name: string}, action: string, fields: Array<{path: string, before: string, after: string}>}} Change */
/** @typedef {{id: number, at: string, kind: string, revision: string, result: string, took: number, by: string, message: string, changes: Change[]}} Row a row of the history, with what changed */
/** @typedef {{changed: Row | null, refused: Row | null, drift: Row | null, healed: Row | null, reverted: Row | null}} Proof `refused`: a commit that could not be applied, and no good one came after it */

export const STEPS = /** @type {const} */ (["change", "break", "revert"]);
/** @typedef {typeof STEPS[number]} Step */

/** Rows that came after the one with which the tour began. @param {readonly Row[]} rows in any order @param {number} after @returns {Proof} */
export function proof(rows, after) {
  const told = rows.filter((row) => row.id > after).sort((a, b) => a.id - b.id);
  const syncs = told.filter((row) => row.kind === "sync" && row.result === "succeeded" && fieldsOf(row).size > 0);
  const changed = syncs[0] ?? null;
  const last = told.filter((row) => row.kind === "failure" || (row.kind === "sync" && row.changes.length > 0)).at(-1);
  const drift = told.find((row) => row.kind === "drift") ?? null;
  const healed = (drift && told.find((row) => row.kind === "heal" && row.result === "succeeded" && row.id > drift.id)) ?? null;
  return { changed, refused: last && (last.kind === "failure" || last.result !== "succeeded") ? last : null, drift, healed, reverted: changed && undoing(changed, syncs) };
}

/** Which steps are proved. @param {Proof} found @returns {Record<Step, boolean>} */
export const doneSteps = (found) => ({ change: found.changed !== null, break: found.healed !== null, revert: found.reverted !== null });

/** @param {Row} row @returns {Map<string, {before: string, after: string}>} by object and path */
function fieldsOf(row) {
  return new Map(row.changes.flatMap((change) => change.fields.map((field) => [`${change.ref.kind}/${change.ref.namespace}/${change.ref.name} ${field.path}`, { before: field.before, after: field.after }])));
}

/** The first later row after which every field of the change has the value of before it. @param {Row} changed @param {readonly Row[]} syncs oldest first @returns {Row | null} */
function undoing(changed, syncs) {
  const wanted = fieldsOf(changed);
  /** @type {Map<string, string>} */ const now = new Map([...wanted].map(([name, field]) => [name, field.after]));
  for (const row of syncs.filter((one) => one.id > changed.id)) {
    for (const [name, field] of fieldsOf(row)) if (now.has(name)) now.set(name, field.after);
    if ([...wanted].every(([name, field]) => now.get(name) === field.before)) return row;
  }
  return null;
}

/** The number of replicas that a change asks for: another one than now, small. @param {number | null | undefined} now */
export const otherCount = (now) => (now === 4 ? 3 : 4);
