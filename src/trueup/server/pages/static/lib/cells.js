// Where the marks of a dense map stand: by group, worst first. Pure.

const HEAD = 20;
const AFTER = 14;

/** As large as keeps the whole in about one screen. @param {number} count @param {number} width */
export const cellSize = (count, width) => Math.max(7, Math.min(22, Math.floor(Math.sqrt((width * 560) / Math.max(1, count)) - 3)));

/**
 * @template {{name: string, status: string, group: string}} C
 * @param {readonly C[]} cells @param {number} width @param {number} size @param {(cell: C) => number} rank lower comes first
 */
export function placeCells(cells, width, size, rank) {
  const gap = size > 12 ? 4 : 2;
  const columns = Math.max(1, Math.floor((width + gap) / (size + gap)));
  /** @type {Map<string, C[]>} */ const groups = new Map();
  for (const cell of cells) {
    const list = groups.get(cell.group);
    if (list) list.push(cell);
    else groups.set(cell.group, [cell]);
  }
  /** @type {Array<{cell: C, x: number, y: number}>} */ const placed = [];
  /** @type {Array<{name: string, y: number, count: number}>} */ const heads = [];
  let y = 0;
  for (const [name, list] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    heads.push({ name, y, count: list.length });
    y += HEAD;
    list.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
    list.forEach((cell, i) => placed.push({ cell, x: (i % columns) * (size + gap), y: y + Math.floor(i / columns) * (size + gap) }));
    y += Math.ceil(list.length / columns) * (size + gap) + AFTER;
  }
  return { cells: placed, groups: heads, height: Math.max(0, y - AFTER), gap };
}
