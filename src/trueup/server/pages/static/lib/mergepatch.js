// JSON merge patches (RFC 7386): what makes one object of another. Pure.

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether two values of JSON are the same, in whatever order their keys stand. @param {unknown} one @param {unknown} other @returns {boolean} */
export function same(one, other) {
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((value, i) => same(value, other[i]));
  if (isObject(one) && isObject(other)) {
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every((key) => key in other && same(one[key], other[key]));
  }
  return one === other;
}

/** @param {unknown} before @param {unknown} patch @returns {any} */
export function patched(before, patch) {
  if (!isObject(patch)) return patch;
  const after = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete after[key];
    else after[key] = patched(after[key], value);
  }
  return after;
}

/** Only what is another: whatever was not touched, masked values of secrets too, is not sent. @param {Record<string, unknown>} before @param {Record<string, unknown>} after @returns {Record<string, unknown>} */
export function mergePatch(before, after) {
  /** @type {Record<string, unknown>} */ const patch = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const was = before[key];
    if (same(was, value)) continue;
    patch[key] = isObject(was) && isObject(value) ? mergePatch(was, value) : value;
  }
  return patch;
}
