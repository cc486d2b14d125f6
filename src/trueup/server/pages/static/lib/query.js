// The search language of lists: words, `field:value`, `-field:value`, "exact words". Pure; lists say which fields they know.

/** @typedef {{field: string, value: string, negated: boolean, at: number, end: number}} Term a field of "" is free text */
/** @typedef {{kind: "unknown-field" | "no-value" | "open-quote", at: number, end: number, text: string, near?: string}} Problem */

/** @param {string} text @param {readonly string[]} fields the fields that the list knows @returns {{terms: Term[], problems: Problem[]}} */
export function parseQuery(text, fields) {
  /** @type {Term[]} */ const terms = [];
  /** @type {Problem[]} */ const problems = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? "")) {
      at += 1;
      continue;
    }
    const start = at;
    const negated = text[at] === "-" && at + 1 < text.length && !/\s/.test(text[at + 1] ?? "");
    if (negated) at += 1;
    const name = /^([A-Za-z][\w-]*):/.exec(text.slice(at));
    let field = "";
    if (name) {
      field = (name[1] ?? "").toLowerCase();
      at += name[0].length;
    }
    let value = "";
    if (text[at] === '"') {
      const close = text.indexOf('"', at + 1);
      if (close < 0) problems.push({ kind: "open-quote", at: start, end: text.length, text: text.slice(start) });
      value = text.slice(at + 1, close < 0 ? text.length : close);
      at = close < 0 ? text.length : close + 1;
    } else {
      const end = /\s|$/.exec(text.slice(at));
      value = text.slice(at, at + (end ? end.index : 0));
      at += value.length;
    }
    if (field && !fields.includes(field)) {
      const near = nearest(field, fields);
      problems.push({ kind: "unknown-field", at: start, end: at, text: field, ...(near ? { near } : {}) });
    } else if (field && !value) problems.push({ kind: "no-value", at: start, end: at, text: field });
    else if (value) terms.push({ field, value, negated, at: start, end: at });
  }
  return { terms, problems };
}

/** The text again. @param {ReadonlyArray<{field: string, value: string, negated?: boolean}>} terms */
export function writeQuery(terms) {
  return terms
    .map(({ field, value, negated }) => `${negated ? "-" : ""}${field ? `${field}:` : ""}${/[\s"]/.test(value) || (!field && /^-|^[A-Za-z][\w-]*:/.test(value)) ? `"${value.replaceAll('"', "")}"` : value}`)
    .join(" ");
}

/** With the term added, or taken out if it is there. @param {string} text @param {string} field @param {string} value @param {readonly string[]} fields */
export function toggleTerm(text, field, value, fields) {
  const { terms } = parseQuery(text, fields);
  const rest = terms.filter((term) => !(term.field === field && term.value === value && !term.negated));
  return writeQuery(rest.length === terms.length ? [...terms, { field, value }] : rest);
}

/** The term that the caret stands in, to complete it. @param {string} text @param {number} caret */
export function wordAt(text, caret) {
  let start = caret;
  while (start > 0 && !/\s/.test(text[start - 1] ?? "")) start -= 1;
  return { start, word: text.slice(start, caret) };
}

/** @param {string} word @param {readonly string[]} among */
export function nearest(word, among) {
  let best = "";
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const other of among) {
    const cost = distance(word, other);
    if (cost < least) [best, least] = [other, cost];
  }
  return best;
}

/** @param {string} a @param {string} b */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** How well a name answers what was typed: letters in order, better at starts of words; 0 is no match. @param {string} typed @param {string} name @returns {{score: number, marks: number[]}} */
export function fuzzy(typed, name) {
  const wanted = typed.toLowerCase().replace(/\s+/g, "");
  const text = name.toLowerCase();
  if (!wanted) return { score: 1, marks: [] };
  const whole = text.indexOf(typed.toLowerCase().trim());
  if (whole >= 0) {
    const start = whole === 0 || /[^a-z0-9]/.test(text[whole - 1] ?? "");
    return { score: 1000 - whole - text.length / 100 + (start ? 200 : 0), marks: Array.from(typed.trim(), (_, i) => whole + i) };
  }
  /** @type {number[]} */ const marks = [];
  let score = 100;
  let from = 0;
  for (const letter of wanted) {
    const at = text.indexOf(letter, from);
    if (at < 0) return { score: 0, marks: [] };
    score += at === from ? 8 : /[^a-z0-9]/.test(text[at - 1] ?? "-") ? 6 : -1;
    marks.push(at);
    from = at + 1;
  }
  return { score: Math.max(1, score - text.length / 100), marks };
}
