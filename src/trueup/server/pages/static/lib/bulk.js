// Doing one thing with many Apps: what may be done with each, and why not; so many at a time. Pure.

/** @typedef {"sync" | "refresh" | "suspend" | "resume" | "delete"} Deed */
/** @typedef {{kind: string, namespace: string, name: string, dialect: string, status: string, suspended: boolean, automated?: boolean, objects: number, operation: {phase: string} | null}} Some */
/** @typedef {"" | "gone" | "right" | "suspended" | "running" | "not-suspended" | "is-suspended"} Why empty: it will be done */

/** Which right a deed needs. @type {Record<Deed, string>} */
export const RIGHT_OF = { sync: "sync", refresh: "refresh", suspend: "update", resume: "update", delete: "delete" };

/** Why it is left out. @param {Deed} deed @param {Some} app @param {{may: readonly string[]} | undefined} rights undefined: it is not there any more @returns {Why} */
export function whyNot(deed, app, rights) {
  if (!rights) return "gone";
  if (!rights.may.includes(RIGHT_OF[deed])) return "right";
  if ((deed === "sync" || (deed === "refresh" && app.dialect !== "argocd")) && app.suspended) return "suspended";
  if (deed === "sync" && app.operation?.phase === "Running") return "running";
  if (deed === "resume" && !app.suspended) return "not-suspended";
  if (deed === "suspend" && app.suspended) return "is-suspended";
  return "";
}

/** Each in turn, so many at once; nothing new is begun once it is stopped. @template T @param {readonly T[]} all @param {number} atOnce @param {(one: T) => Promise<void>} work @param {() => boolean} [stopped] */
export async function inTurn(all, atOnce, work, stopped = () => false) {
  let next = 0;
  const worker = async () => {
    while (next < all.length && !stopped()) {
      const one = /** @type {T} */ (all[next]);
      next += 1;
      await work(one);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
}
