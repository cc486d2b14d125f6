// Words, numbers and times in the person's language. Catalogues hold every string that a person reads; `t` looks them up.
import { signal, computed } from "@preact/signals";
import { en } from "./en.js";
import { th } from "./th.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {"en" | "th"} Lang */
/** @typedef {Record<string, unknown>} Values */

/** @type {Record<Lang, Record<string, string | {one?: string, other: string}>>} */
const catalogues = { en, th };
/** @type {Record<Lang, string>} */
const locales = { en: "en-GB", th: "th-TH" };
const now = () => (typeof document === "undefined" ? "en" : document.documentElement.lang === "th" ? "th" : "en");

export const lang = signal(/** @type {Lang} */ (now()));
/** The moment that relative times are told from; moves on its own, see main.js. */
export const clock = signal(Date.now());

const formats = computed(() => {
  const locale = locales[lang.value];
  return {
    plural: new Intl.PluralRules(locale),
    number: new Intl.NumberFormat(locale),
    compact: new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }),
    relative: new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "long" }),
    short: new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "narrow" }),
    moment: new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }),
    day: new Intl.DateTimeFormat(locale, { dateStyle: "medium" }),
    hour: new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }),
    second: new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    dayHour: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    list: new Intl.ListFormat(locale, { type: "conjunction" }),
  };
});

/** @param {Lang} chosen */
export function choose(chosen) {
  lang.value = chosen;
  document.documentElement.lang = chosen;
  try {
    localStorage.setItem("trueup.lang", chosen);
  } catch {
    // forbidden storage only means that the choice lasts as long as the page
  }
}

/** @param {string} key @param {Values} values */
function pattern(key, values) {
  const found = catalogues[lang.value][key] ?? en[/** @type {Key} */ (key)];
  if (found === undefined) return key;
  if (typeof found === "string") return found;
  const form = formats.value.plural.select(Number(values.n ?? 0));
  return (form === "one" ? found.one : undefined) ?? found.other;
}

/** @param {unknown} value */
const shown = (value) => (typeof value === "number" ? formats.value.number.format(value) : String(value ?? ""));

/** A string of the catalogue. Numbers in it are written as the language writes them. @param {Key} key @param {Values} [values] */
export function t(key, values = {}) {
  return pattern(key, values).replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** The same with elements in the places: an array for a view. @param {Key} key @param {Values} values @returns {any[]} */
export function tx(key, values) {
  return pattern(key, values)
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((part) => {
      if (!/^\{\w+\}$/.test(part)) return part;
      const value = values[part.slice(1, -1)];
      return value !== null && typeof value === "object" ? value : shown(value);
    });
}

/** A word of the API (a status, a kind of event) in the person's language; the API's own where the catalogue has none. @param {string} group @param {string} word */
export function word(group, word) {
  const key = `${group}.${word}`;
  return key in en ? t(/** @type {Key} */ (key)) : word;
}

/** @param {number} value */
export const number = (value) => formats.value.number.format(value);
/** @param {number} value */
export const compact = (value) => formats.value.compact.format(value);
/** @param {string[]} values */
export const listed = (values) => formats.value.list.format(values);

/** @type {Array<[Intl.RelativeTimeFormatUnit, number]>} */
const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** "4 minutes ago". @param {number} at milliseconds @param {boolean} [short] */
export function ago(at, short = false) {
  const seconds = (at - clock.value) / 1000;
  const format = short ? formats.value.short : formats.value.relative;
  if (Math.abs(seconds) < 5) return format.format(0, "second");
  for (const [unit, size] of units) if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  return format.format(0, "second");
}

/** "1 min 4 s". @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return t("time.seconds", { s: Math.round(seconds * 10) / 10 });
  if (seconds < 60) return t("time.seconds", { s: Math.round(seconds) });
  if (seconds < 3600) return t("time.minutes", { m: Math.floor(seconds / 60), s: Math.round(seconds % 60) });
  if (seconds < 86400) return t("time.hours", { h: Math.floor(seconds / 3600), m: Math.round((seconds % 3600) / 60) });
  return t("time.days", { d: Math.floor(seconds / 86400), h: Math.round((seconds % 86400) / 3600) });
}

/** @param {number} at */ export const moment = (at) => formats.value.moment.format(at);
/** @param {number} at */ export const day = (at) => formats.value.day.format(at);
/** @param {number} at */ export const hour = (at) => formats.value.hour.format(at);
/** @param {number} at */ export const second = (at) => formats.value.second.format(at);
/** @param {number} at */ export const dayHour = (at) => formats.value.dayHour.format(at);
