// Where the nodes of a tree stand: left to right, parents beside the middle of their children. Pure, O(nodes).

/** @typedef {{id: string, parent: string | null, kind: string, name: string, status: string, [more: string]: unknown}} TreeNode parents stand before their children */
/** @typedef {{id: string, node: TreeNode | null, group: TreeNode[] | null, x: number, y: number, parent: string | null, hidden: number, depth: number, children: number}} Placed `hidden`: how many nodes are folded into it; `group`: one box for many alike */

export const NODE = { width: 236, height: 48, gapX: 56, gapY: 12 };
const GROUP_FROM = 6;

/**
 * @param {readonly TreeNode[]} nodes
 * @param {{folded?: ReadonlySet<string>, group?: boolean, opened?: ReadonlySet<string>}} [how] `opened`: groups that a person opened
 * @returns {{placed: Placed[], width: number, height: number}}
 */
export function layout(nodes, { folded = new Set(), group = true, opened = new Set() } = {}) {
  /** @type {Map<string | null, TreeNode[]>} */ const below = new Map();
  const known = new Set(nodes.map((node) => node.id));
  for (const node of nodes) {
    const parent = node.parent !== null && known.has(node.parent) && node.parent !== node.id ? node.parent : null;
    const list = below.get(parent);
    if (list) list.push(node);
    else below.set(parent, [node]);
  }
  /** @type {Placed[]} */ const placed = [];
  let bottom = 0;
  let deepest = 0;

  /** @param {TreeNode} node @returns {number} */
  const size = (node) => (below.get(node.id) ?? []).reduce((sum, child) => sum + 1 + size(child), 0);

  /** @param {TreeNode | null} node @param {TreeNode[] | null} alike @param {string} id @param {string | null} parent @param {number} depth @param {TreeNode[]} children @returns {Placed} */
  const place = (node, alike, id, parent, depth, children) => {
    deepest = Math.max(deepest, depth);
    /** @type {Placed} */
    const entry = { id, node, group: alike, x: depth * (NODE.width + NODE.gapX), y: 0, parent, hidden: 0, depth, children: children.length };
    placed.push(entry);
    if (children.length && folded.has(id)) entry.hidden = children.reduce((sum, child) => sum + 1 + size(child), 0);
    const shown = children.length && !entry.hidden ? grouped(children, group, opened, id, below) : [];
    if (!shown.length) {
      entry.y = bottom;
      bottom += NODE.height + NODE.gapY;
      return entry;
    }
    const rows = shown.map((child) =>
      Array.isArray(child)
        ? place(null, child, `${id}/*${child[0]?.kind}`, id, depth + 1, [])
        : place(child, null, child.id, id, depth + 1, below.get(child.id) ?? []),
    );
    entry.y = (/** @type {Placed} */ (rows[0]).y + /** @type {Placed} */ (rows[rows.length - 1]).y) / 2;
    return entry;
  };
  for (const root of below.get(null) ?? []) place(root, null, root.id, null, 0, below.get(root.id) ?? []);
  return { placed, width: (deepest + 1) * NODE.width + deepest * NODE.gapX, height: Math.max(0, bottom - NODE.gapY) };
}

/** Many well siblings of one kind without children become one; whatever is unwell keeps a place of its own. @param {TreeNode[]} children @param {boolean} on @param {ReadonlySet<string>} opened @param {string} parent @param {Map<string | null, TreeNode[]>} below @returns {Array<TreeNode | TreeNode[]>} */
function grouped(children, on, opened, parent, below) {
  if (!on) return children;
  /** @type {Map<string, TreeNode[]>} */ const alike = new Map();
  for (const child of children) {
    if (below.has(child.id) || !isWell(child.status)) continue;
    const list = alike.get(child.kind);
    if (list) list.push(child);
    else alike.set(child.kind, [child]);
  }
  /** @type {Array<TreeNode | TreeNode[]>} */ const shown = [];
  for (const child of children) {
    const list = below.has(child.id) || !isWell(child.status) ? undefined : alike.get(child.kind);
    if (!list || list.length < GROUP_FROM || opened.has(`${parent}/*${child.kind}`)) shown.push(child);
    else if (list[0] === child) shown.push(list);
  }
  return shown;
}

/** @param {string} status */
const isWell = (status) => ["Healthy", "Ready", "Synced", "Current", ""].includes(status);

/** Which nodes lie in a window of the plane: `placed` is searched once per frame, 2,000 comparisons. @param {readonly Placed[]} placed @param {{x: number, y: number, width: number, height: number}} window */
export const inside = (placed, window) =>
  placed.filter(
    (p) => p.x + NODE.width >= window.x && p.x <= window.x + window.width && p.y + NODE.height >= window.y && p.y <= window.y + window.height,
  );

/** The node where an arrow key leads. @param {readonly Placed[]} placed @param {string} from @param {string} key */
export function step(placed, from, key) {
  const here = placed.find((p) => p.id === from);
  if (!here) return placed[0]?.id ?? from;
  if (key === "ArrowLeft") return here.parent ?? from;
  if (key === "ArrowRight") return placed.find((p) => p.parent === from)?.id ?? from;
  const column = placed.filter((p) => p.depth === here.depth).sort((a, b) => a.y - b.y);
  const at = column.indexOf(here);
  return column[key === "ArrowDown" ? at + 1 : at - 1]?.id ?? from;
}

/** A curve between two boxes. @param {{x: number, y: number}} a @param {{x: number, y: number}} b */
export function edge(a, b) {
  const [x1, y1, x2, y2] = [a.x + NODE.width, a.y + NODE.height / 2, b.x, b.y + NODE.height / 2];
  if (y1 === y2) return `M${x1} ${y1}H${x2}`;
  const mid = x1 + NODE.gapX / 2;
  const r = Math.min(8, Math.abs(y2 - y1) / 2) * Math.sign(y2 - y1);
  return `M${x1} ${y1}H${mid - Math.abs(r)}Q${mid} ${y1} ${mid} ${y1 + r}V${y2 - r}Q${mid} ${y2} ${mid + Math.abs(r)} ${y2}H${x2}`;
}
