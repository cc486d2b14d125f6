// Where traffic goes: from outside the cluster or from inside, through what lets it in, to Services, to pods. Pure.

/** @typedef {{id: string, parent: string | null, kind: string, name: string, health: string, note: string, targets?: string[], hosts?: string[], addresses?: string[]}} Node */
/** @typedef {{id: string, node: string | null, parent: string | null, kind: string, name: string, status: string, sync: string, note?: string}} Stop `node`: the object; null: the world around */

export const OUTSIDE = "outside";
export const INSIDE = "inside";
const DEPTH = 4;
/** What a Service has its pods from, and no stop of its own. */
const LISTS = ["EndpointSlice", "Endpoints"];

/** A pod that several Services reach stands below each. @param {readonly Node[]} nodes @param {{outside: string, inside: string}} names @returns {Stop[] | null} null: nothing says where traffic goes */
export function networkOf(nodes, names) {
  const known = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<string, string[]>} */ const listed = new Map();
  for (const node of nodes) if (LISTS.includes(node.kind) && node.parent !== null) listed.set(node.parent, [...(listed.get(node.parent) ?? []), ...(node.targets ?? [])]);
  const targetsOf = (/** @type {Node} */ node) => [...new Set([...(node.targets ?? []), ...(node.kind === "Service" ? (listed.get(node.id) ?? []) : [])])];
  const isList = (/** @type {Node} */ node) => LISTS.includes(node.kind) && node.parent !== null && known.has(node.parent);
  const doors = nodes.filter((node) => node.kind === "Service" || ((node.targets ?? []).length > 0 && node.kind !== "HorizontalPodAutoscaler" && !isList(node)));
  if (!doors.length) return null;
  const reached = new Set(doors.flatMap(targetsOf));
  /** @type {Stop[]} */ const shown = [];
  /** @param {Node} node @param {string} parent @param {number} depth */
  const put = (node, parent, depth) => {
    const id = `${parent}>${node.id}`;
    shown.push({ id, node: node.id, parent, kind: node.kind, name: node.name, status: node.health, sync: "", note: [...(node.hosts ?? []), ...(node.addresses ?? [])].slice(0, 2).join(", ") || node.note });
    if (depth < DEPTH) for (const target of targetsOf(node)) if (known.has(target)) put(/** @type {Node} */ (known.get(target)), id, depth + 1);
  };
  const first = doors.filter((node) => !reached.has(node.id));
  // A Service has a host where a load balancer or another name leads to it; without one it is for the cluster's own.
  const isOutside = (/** @type {Node} */ node) => !["Service", ...LISTS].includes(node.kind) || (node.hosts ?? []).length > 0;
  for (const [id, kind, name, some] of /** @type {Array<[string, string, string, Node[]]>} */ ([[OUTSIDE, "Internet", names.outside, first.filter(isOutside)], [INSIDE, "Cluster", names.inside, first.filter((node) => !isOutside(node))]])) {
    if (!some.length) continue;
    shown.push({ id, node: null, parent: null, kind, name, status: "", sync: "" });
    for (const node of some) put(node, id, 0);
  }
  return shown;
}
