// Colours for YAML that was written by a YAML writer: keys, strings, numbers, comments. It decides nothing; the text is shown as it is.

/** @param {string} line @returns {Array<[string, string]>} class ("" for none), text */
export function tokens(line) {
  const whole = /^(\s*(?:- )*)(?:("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#'"[\]{},&*!|>%@`-][^#]*?|-[^\s#][^#]*?)(:)(?=\s|$))?(.*)$/.exec(line);
  if (!whole) return [["", line]];
  const [, indent = "", key, colon, rest = ""] = whole;
  /** @type {Array<[string, string]>} */ const parts = [];
  if (indent) parts.push(["", indent]);
  if (key) parts.push(["k", key], ["", colon ?? ""]);
  const body = /^(\s*)(.*?)(\s+#.*)?$/.exec(rest);
  const [, space = "", value = "", comment] = body ?? ["", "", rest, undefined];
  if (space) parts.push(["", space]);
  if (/^#/.test(value)) parts.push(["c", value]);
  else if (value) parts.push([/^(-?\d[\d.eE+_-]*|true|false|null|~)$/.test(value) ? "n" : /^[|>&*!]/.test(value) ? "" : "s", value]);
  if (comment) parts.push(["c", comment]);
  return parts;
}
