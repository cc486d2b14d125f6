// Which page a path means. Pure.

/** `match("/apps/:kind", "/apps/X")` -> {kind: "X"}; null when it is another page. Pure. @param {string} pattern @param {string} text @returns {Record<string, string> | null} */
export function match(pattern, text) {
  const [wanted, given] = [pattern.split("/"), text.split("/")];
  if (wanted.length !== given.length) return null;
  /** @type {Record<string, string>} */ const found = {};
  for (let i = 0; i < wanted.length; i += 1) {
    const [part = "", value = ""] = [wanted[i], given[i]];
    if (part.startsWith(":")) {
      try {
        found[part.slice(1)] = decodeURIComponent(value);
      } catch {
        return null;
      }
    } else if (part !== value) return null;
  }
  return found;
}
