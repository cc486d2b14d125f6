// The difference of two texts, line by line and inside changed lines, and what of it to fold. Pure.

/** @typedef {{kind: "same" | "add" | "del", text: string, before?: number, after?: number, parts?: Part[]}} Row line numbers begin at 1 */
/** @typedef {{text: string, changed: boolean}} Part */
/** @typedef {{kind: "fold", from: number, to: number}} Fold rows from..to-1 are hidden */

const LIMIT = 4000; // differences beyond which the middle is shown as replaced: still true, only less fine

/** Myers' O(ND) on whatever can be compared by ===. @template T @param {readonly T[]} a @param {readonly T[]} b @returns {Array<["same" | "del" | "add", number, number]>} kind, index in a, index in b */
export function compare(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  /** @type {Array<["same" | "del" | "add", number, number]>} */ const steps = [];
  for (let i = 0; i < head; i += 1) steps.push(["same", i, i]);
  for (const [kind, i, j] of middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail))) steps.push([kind, i + head, j + head]);
  for (let i = tail; i > 0; i -= 1) steps.push(["same", a.length - i, b.length - i]);
  return steps;
}

/** @template T @param {readonly T[]} a @param {readonly T[]} b @returns {Array<["same" | "del" | "add", number, number]>} */
function middle(a, b) {
  const [n, m] = [a.length, b.length];
  /** @type {Array<["same" | "del" | "add", number, number]>} */ const replaced = [];
  for (let i = 0; i < n; i += 1) replaced.push(["del", i, 0]);
  for (let j = 0; j < m; j += 1) replaced.push(["add", n, j]);
  if (n === 0 || m === 0) return replaced;
  const most = Math.min(n + m, LIMIT);
  const v = new Int32Array(2 * most + 3);
  const zero = most + 1;
  /** @type {Int32Array[]} */ const trail = [];
  for (let d = 0; d <= most; d += 1) {
    trail.push(v.slice(zero - d - 1, zero + d + 2));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && (v[zero + k - 1] ?? 0) < (v[zero + k + 1] ?? 0)) ? (v[zero + k + 1] ?? 0) : (v[zero + k - 1] ?? 0) + 1;
      while (x < n && x - k < m && a[x] === b[x - k]) x += 1;
      v[zero + k] = x;
      if (x >= n && x - k >= m) return walk(trail, n, m);
    }
  }
  return replaced;
}

/** @param {Int32Array[]} trail @param {number} n @param {number} m @returns {Array<["same" | "del" | "add", number, number]>} */
function walk(trail, n, m) {
  /** @type {Array<["same" | "del" | "add", number, number]>} */ const steps = [];
  let [x, y] = [n, m];
  for (let d = trail.length - 1; d >= 0; d -= 1) {
    const v = /** @type {Int32Array} */ (trail[d]);
    const at = (/** @type {number} */ k) => v[k + d + 1] ?? 0;
    const k = x - y;
    const before = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const [px, py] = d === 0 ? [0, 0] : [at(before), at(before) - before];
    while (x > px && y > py) {
      x -= 1;
      y -= 1;
      steps.push(["same", x, y]);
    }
    if (d > 0) steps.push(before === k + 1 ? ["add", px, py] : ["del", px, py]);
    [x, y] = [px, py];
  }
  return steps.reverse();
}

/** @param {string} before @param {string} after @returns {Row[]} deletions stand before the additions that replace them */
export function diffLines(before, after) {
  const a = before === "" ? [] : before.replace(/\n$/, "").split("\n");
  const b = after === "" ? [] : after.replace(/\n$/, "").split("\n");
  /** @type {Row[]} */ const rows = [];
  /** @type {Row[]} */ let dels = [];
  /** @type {Row[]} */ let adds = [];
  const flush = () => {
    for (let i = 0; i < Math.min(dels.length, adds.length); i += 1) {
      const [del, add] = [/** @type {Row} */ (dels[i]), /** @type {Row} */ (adds[i])];
      const parts = diffWords(del.text, add.text);
      if (parts) [del.parts, add.parts] = parts;
    }
    rows.push(...dels, ...adds);
    [dels, adds] = [[], []];
  };
  for (const [kind, i, j] of compare(a, b)) {
    if (kind === "del") dels.push({ kind, text: a[i] ?? "", before: i + 1 });
    else if (kind === "add") adds.push({ kind, text: b[j] ?? "", after: j + 1 });
    else {
      flush();
      rows.push({ kind, text: a[i] ?? "", before: i + 1, after: j + 1 });
    }
  }
  flush();
  return rows;
}

/** The words that differ; null when the lines have next to nothing in common, because marks would only be noise. @param {string} before @param {string} after @returns {[Part[], Part[]] | null} */
export function diffWords(before, after) {
  const split = (/** @type {string} */ text) => text.match(/[*+•]{4,}|\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const [a, b] = [split(before), split(after)];
  /** @type {Part[]} */ const left = [];
  /** @type {Part[]} */ const right = [];
  let same = 0;
  for (const [kind, i, j] of compare(a, b)) {
    if (kind !== "add") push(left, a[i] ?? "", kind === "del");
    if (kind !== "del") push(right, b[j] ?? "", kind === "add");
    if (kind === "same" && /\S/.test(a[i] ?? "")) same += (a[i] ?? "").length;
  }
  return same * 3 < Math.max(before.trim().length, after.trim().length) ? null : [left, right];
}

/** @param {Part[]} parts @param {string} text @param {boolean} changed */
function push(parts, text, changed) {
  const last = parts[parts.length - 1];
  if (last && last.changed === changed) last.text += text;
  else parts.push({ text, changed });
}

/** Rows to show, with runs of equal lines folded. @param {readonly Row[]} rows @param {number} context lines kept around a change @param {ReadonlySet<number>} opened folds (by their first row) that a person opened @returns {Array<Row | Fold>} */
export function fold(rows, context, opened = new Set()) {
  const keep = new Uint8Array(rows.length);
  rows.forEach((row, i) => {
    if (row.kind !== "same") keep.fill(1, Math.max(0, i - context), Math.min(rows.length, i + context + 1));
  });
  /** @type {Array<Row | Fold>} */ const shown = [];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (end < rows.length && !keep[end]) end += 1;
    if (end - i > 1 && !opened.has(i)) {
      shown.push({ kind: "fold", from: i, to: end });
      i = end;
    } else if (end > i) while (i < end) shown.push(/** @type {Row} */ (rows[i++]));
    else shown.push(/** @type {Row} */ (rows[i++]));
  }
  return shown;
}

/** Pairs for two columns: a deletion beside the addition that replaces it. @param {ReadonlyArray<Row | Fold>} rows @returns {Array<{left: Row | null, right: Row | null} | Fold>} */
export function sideBySide(rows) {
  /** @type {Array<{left: Row | null, right: Row | null} | Fold>} */ const pairs = [];
  for (let i = 0; i < rows.length; ) {
    const row = /** @type {Row | Fold} */ (rows[i]);
    if (row.kind === "fold") pairs.push(row);
    else if (row.kind === "same") pairs.push({ left: row, right: row });
    if (row.kind === "fold" || row.kind === "same") {
      i += 1;
      continue;
    }
    /** @type {Row[]} */ const dels = [];
    /** @type {Row[]} */ const adds = [];
    while (i < rows.length && rows[i]?.kind === "del") dels.push(/** @type {Row} */ (rows[i++]));
    while (i < rows.length && rows[i]?.kind === "add") adds.push(/** @type {Row} */ (rows[i++]));
    for (let j = 0; j < Math.max(dels.length, adds.length); j += 1) pairs.push({ left: dels[j] ?? null, right: adds[j] ?? null });
  }
  return pairs;
}

/** @param {readonly Row[]} rows */
export const counts = (rows) => ({ added: rows.filter((row) => row.kind === "add").length, removed: rows.filter((row) => row.kind === "del").length });
