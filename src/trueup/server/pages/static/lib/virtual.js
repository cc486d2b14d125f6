// Which rows of a long list are in the document. Pure.

/** @param {{top: number, height: number, row: number, total: number, extra?: number}} view @returns {{from: number, to: number, before: number, after: number}} rows from..to-1, and the space of the others in pixels */
export function visible({ top, height, row, total, extra = 8 }) {
  const from = Math.max(0, Math.min(total, Math.floor(top / row) - extra));
  const to = Math.min(total, Math.ceil((top + height) / row) + extra);
  return { from, to: Math.max(from, to), before: from * row, after: Math.max(0, total - Math.max(from, to)) * row };
}

/** The pages (of a paged list) that rows from..to-1 lie on. @param {number} from @param {number} to @param {number} size */
export function pagesOf(from, to, size) {
  /** @type {number[]} */ const pages = [];
  for (let page = Math.floor(from / size); page * size < to; page += 1) pages.push(page);
  return pages;
}
