// Ctrl/Cmd-K: go anywhere, do anything, by typing. Commands come from the shell and the page; Apps are asked of the server.
import { html } from "../lib/html.js";
import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { fuzzy } from "../lib/query.js";
import { t } from "../i18n/i18n.js";
import { Icon } from "./icon.js";
import { useLayer } from "./layers.js";

/** @typedef {{id: string, group: string, label: string, icon: string, note?: string, run: () => void}} Command */

export const open = signal(false);
/** @type {import("@preact/signals").Signal<Command[]>} */
export const commands = signal([]);
/** Finds what is not here: set by whoever can ask the server. @type {{find: (text: string, abort: AbortSignal) => Promise<Command[]>}} */
export const remote = { find: async () => [] };

/** Commands of a page, while it is shown. @param {Command[]} added @param {unknown[]} on */
export function useCommands(added, on) {
  useEffect(() => {
    commands.value = [...commands.peek(), ...added];
    return () => {
      commands.value = commands.peek().filter((one) => !added.includes(one));
    };
  }, on);
}

export const Palette = () => (open.value ? html`<${Open} />` : null);

function Open() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [found, setFound] = useState(/** @type {Command[]} */ ([]));
  const close = () => (open.value = false);
  const layer = useLayer(close, { first: "input" });
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => remote.find(text, abort.signal).then(setFound, () => setFound([])), text ? 120 : 0);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  const shown = useMemo(() => {
    const own = commands.value.map((one) => ({ one, ...fuzzy(text, one.label) })).filter((hit) => hit.score > 0);
    if (text) own.sort((a, b) => b.score - a.score);
    return [...own.slice(0, text ? 8 : 30), ...found.map((one) => ({ one, score: 1, marks: /** @type {number[]} */ ([]) }))];
  }, [text, found, commands.value]);
  useEffect(() => setAt(0), [text]);
  useEffect(() => document.getElementById(`command-${at}`)?.scrollIntoView({ block: "nearest" }), [at]);
  /** @param {Command | undefined} command */
  const run = (command) => {
    close();
    command?.run();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown") setAt((at + 1) % Math.max(1, shown.length));
    else if (event.key === "ArrowUp") setAt((at - 1 + shown.length) % Math.max(1, shown.length));
    else if (event.key === "Enter" && !event.isComposing) run(shown[at]?.one);
    else return layer.onKeyDown(event);
    event.preventDefault();
    return undefined;
  };
  let group = "";
  return html`<div class="veil" onClick=${close}></div>
    <div class="palette" role="dialog" aria-modal="true" aria-label=${t("palette.title")} ref=${layer.ref} onKeyDown=${onKeyDown}>
      <div class="ask" style=${{ maxWidth: "none" }}><${Icon} name="search" size=${18} /><input role="combobox" aria-label=${t("palette.title")} aria-expanded="true" aria-controls="commands" aria-activedescendant=${shown.length ? `command-${at}` : undefined} autocomplete="off" spellcheck=${false} placeholder=${t("palette.ask")} value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /><kbd>Esc</kbd></div>
      <ul id="commands" role="listbox" aria-label=${t("palette.title")}>
        ${shown.map(({ one, marks }, i) => {
          const head = one.group !== group && one.group;
          group = one.group;
          return html`${head && html`<li class="group" role="presentation" key=${`g-${one.group}-${i}`}>${head}</li>`}<li key=${one.id} id=${`command-${i}`} role="option" aria-selected=${String(i === at)} onClick=${() => run(one)} onPointerMove=${() => i !== at && setAt(i)}><${Icon} name=${one.icon} size=${17} /><span class="grow clip">${marked(one.label, marks)}</span>${one.note && html`<span class="faint clip">${one.note}</span>`}</li>`;
        })}
        ${!shown.length && html`<li class="group" role="presentation">${t("palette.nothing")}</li>`}
      </ul>
      <footer><span><kbd>↑</kbd> <kbd>↓</kbd> ${t("palette.move")}</span><span><kbd>↵</kbd> ${t("palette.open")}</span></footer>
    </div>`;
}

/** @param {string} text @param {number[]} marks */
const marked = (text, marks) => {
  if (!marks.length) return text;
  const set = new Set(marks);
  return Array.from({ length: text.length }, (_, i) => (set.has(i) ? html`<mark>${text[i]}</mark>` : text[i]));
};
