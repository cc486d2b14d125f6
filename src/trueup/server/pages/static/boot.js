// Before anything is drawn: theme and language that this browser chose, so that no page flashes in the wrong one.
// A classic script on purpose: modules run after the first paint.
(function () {
  const root = document.documentElement;
  /** @param {string} key */
  const kept = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage may be forbidden; the defaults are fine
    }
  };
  const theme = kept("trueup.theme");
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  const asked = kept("trueup.lang") || (navigator.languages || [navigator.language]).find((tag) => /^(en|th)\b/i.test(tag)) || "en";
  root.lang = /^th\b/i.test(asked) ? "th" : "en";
  if (kept("trueup.rail") === "folded") root.dataset.rail = "folded";
})();
