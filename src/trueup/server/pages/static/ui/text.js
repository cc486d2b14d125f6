// Texts to read: YAML, differences, logs.
import { html, cls } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { counts, diffLines, fold, sideBySide } from "../lib/diff.js";
import { tokens } from "../lib/yamltext.js";
import { visible } from "../lib/virtual.js";
import { t, number, second } from "../i18n/i18n.js";
import { Button } from "./basics.js";
import { Icon } from "./icon.js";
import { say } from "./layers.js";
import { kept } from "../lib/prefs.js";

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("good", t("text.copied"));
  } catch {
    say("bad", t("text.not-copied"), t("text.not-copied.hint"));
  }
}

/** @param {string} name @param {string | string[]} text @param {string} [type] */
export function download(name, text, type = "text/plain") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(Array.isArray(text) ? text : [text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A value that is hidden: the API sends runs of a mask sign, equal lengths for equal values. @param {string} text */
const masked = (text) => text.split(/(\*{4,}|\+{4,}|•{4,})/).map((part, i) => (i % 2 ? html`<span class="masked" title=${t("text.masked")}>${"•".repeat(Math.min(12, part.length))}</span>` : part));

/** @param {{line: string}} props */
const Line = ({ line }) => tokens(line).map(([kind, text]) => (kind ? html`<span class=${kind}>${masked(text)}</span>` : masked(text)));

/** @param {{text: string, title: string, name?: string, extra?: any, height?: string}} props */
export function Yaml({ text, title, name = "manifest.yaml", extra, height }) {
  const [wraps, setWraps] = useState(false);
  const lines = useMemo(() => text.replace(/\n$/, "").split("\n"), [text]);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 900 });
  const many = lines.length > 400 && !wraps;
  const window = many ? visible({ ...view, row: 20, total: lines.length, extra: 30 }) : { from: 0, to: lines.length, before: 0, after: 0 };
  return html`<section class=${cls("sheet", wraps && "wraps")} aria-label=${title} style=${{ height }}>
    <header><h3>${title}</h3>${extra}
      <${Button} kind="quiet" small icon="text-wrap" label=${t("text.wrap")} pressed=${wraps} onClick=${() => setWraps(!wraps)} />
      <${Button} kind="quiet" small icon="copy" label=${t("text.copy")} onClick=${() => copy(text)} />
      <${Button} kind="quiet" small icon="download" label=${t("text.download")} onClick=${() => download(name, text, "application/yaml")} />
    </header>
    <div class="lines code" tabindex="0" role="region" aria-label=${title} ref=${box} onScroll=${(/** @type {any} */ event) => many && setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}>
      <div style=${{ height: `${window.before}px` }}></div>
      ${lines.slice(window.from, window.to).map((line, i) => html`<div class="line" key=${window.from + i}><span class="no" aria-hidden="true">${window.from + i + 1}</span><span class="t"><${Line} line=${line} /></span></div>`)}
      <div style=${{ height: `${window.after}px` }}></div>
    </div>
  </section>`;
}

/** Whether there is no room for two columns. */
function useNarrow() {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const changed = () => setNarrow(query.matches);
    query.addEventListener("change", changed);
    changed();
    return () => query.removeEventListener("change", changed);
  }, []);
  return narrow;
}
const NARROW = "(max-width: 700px)";

const splitKept = kept("diff.split", true);
const foldKept = kept("diff.fold", true);

/** @param {{before: string, after: string, title: any, label: string, names?: [string, string]}} props */
export function Diff({ before, after, title, label, names }) {
  const [opened, setOpened] = useState(/** @type {Set<number>} */ (new Set()));
  const rows = useMemo(() => diffLines(before, after), [before, after]);
  useEffect(() => setOpened(new Set()), [before, after]);
  const { added, removed } = useMemo(() => counts(rows), [rows]);
  const shown = foldKept.value ? fold(rows, 3, opened) : rows;
  const narrow = useNarrow();
  const split = splitKept.value && !narrow;
  /** @param {import("../lib/diff.js").Row | null} row */
  const text = (row) => (row?.parts ? row.parts.map((part) => (part.changed ? (row.kind === "add" ? html`<ins>${masked(part.text)}</ins>` : html`<del>${masked(part.text)}</del>`) : masked(part.text))) : row && html`<${Line} line=${row.text} />`);
  /** @param {import("../lib/diff.js").Fold} row */
  const gap = (row) => html`<button type="button" class="fold" key=${`f${row.from}`} onClick=${() => setOpened(new Set(opened).add(row.from))}><${Icon} name="chevrons-up-down" size=${14} />${t("diff.folded", { n: row.to - row.from })}</button>`;
  const name = { add: "add", del: "del", same: "" };
  return html`<section class="sheet" aria-label=${label}>
    <header><h3 class="row">${title}</h3>
      <span class="num" aria-label=${t("diff.counts", { added, removed })}><span class="stat-add">+${number(added)}</span> <span class="stat-del">−${number(removed)}</span></span>
      <${Button} kind="quiet" small icon=${foldKept.value ? "chevrons-up-down" : "chevrons-down-up"} label=${t("diff.fold")} pressed=${foldKept.value} onClick=${() => (foldKept.value = !foldKept.value)} />
      ${!narrow && html`<span class="btn-group"><${Button} small pressed=${split} onClick=${() => (splitKept.value = true)}>${t("diff.split")}<//><${Button} small pressed=${!split} onClick=${() => (splitKept.value = false)}>${t("diff.inline")}<//></span>`}
    </header>
    ${names && split && html`<div class="diff split code"><div class="d faint"><span></span><span class="t">${names[0]}</span><span></span><span class="t">${names[1]}</span></div></div>`}
    <div class=${cls("lines code diff", split && "split")} tabindex="0" role="region" aria-label=${label}>
      ${split
        ? sideBySide(shown).map((row, i) => {
            if ("kind" in row) return gap(row);
            const { left, right } = row;
            return html`<div class="d" key=${i}><span class=${cls("no", left ? name[left.kind] : "gap")}>${left?.before}</span><span class=${cls("t", left ? name[left.kind] : "gap")}>${text(left)}</span><span class=${cls("no", right ? name[right.kind] : "gap")}>${right?.after}</span><span class=${cls("t", right ? name[right.kind] : "gap")}>${text(right)}</span></div>`;
          })
        : shown.map((row, i) => (row.kind === "fold" ? gap(row) : html`<div class=${cls("d", name[row.kind])} key=${i}><span class="no">${row.before}</span><span class="no">${row.after}</span><span class="sign">${row.kind === "add" ? "+" : row.kind === "del" ? "−" : ""}</span><span class="t">${text(row)}</span></div>`))}
    </div>
  </section>`;
}

/** @typedef {{at?: number | null, pod?: string, text: string}} LogLine */
const TONES = ["busy", "idle", "good", "warn", "none"];
const wrapKept = kept("log.wrap", false);
const timeKept = kept("log.time", false);

/** @param {{lines: readonly LogLine[], title: string, following: boolean, onFollow: (on: boolean) => void, extra?: any, name?: string, dropped?: number}} props */
export function Log({ lines, title, following, onFollow, extra, name = "log.txt", dropped = 0 }) {
  const [filter, setFilter] = useState("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 600 });
  const wraps = wrapKept.value;
  const wanted = filter.toLowerCase();
  const found = useMemo(() => (wanted ? lines.filter((line) => line.text.toLowerCase().includes(wanted)) : lines), [lines, lines.length, wanted]);
  const pods = useMemo(() => [...new Set(lines.map((line) => line.pod ?? ""))], [lines, lines.length]);
  const window = wraps ? { from: Math.max(0, found.length - 2000), to: found.length, before: 0, after: 0 } : visible({ ...view, row: 20, total: found.length, extra: 20 });
  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [found.length, following, wraps]);
  const onScroll = (/** @type {any} */ event) => {
    const { scrollTop: top, clientHeight: height, scrollHeight: whole } = event.currentTarget;
    setView({ top, height });
    if (following && top + height < whole - 60) onFollow(false);
  };
  /** @param {string} text */
  const marked = (text) => {
    if (!wanted) return text;
    const parts = [];
    let at = 0;
    for (let hit = text.toLowerCase().indexOf(wanted); hit >= 0; hit = text.toLowerCase().indexOf(wanted, at)) {
      parts.push(text.slice(at, hit), html`<mark>${text.slice(hit, hit + wanted.length)}</mark>`);
      at = hit + wanted.length;
    }
    return [...parts, text.slice(at)];
  };
  return html`<section class="sheet grow-sheet" aria-label=${title}>
    <header>
      <div class="search grow"><${Icon} name="list-filter" size=${15} /><input class="input" type="search" aria-label=${t("log.filter")} placeholder=${t("log.filter")} value=${filter} onInput=${(/** @type {any} */ event) => setFilter(event.currentTarget.value)} /></div>
      ${wanted && html`<span class="faint num">${t("log.found", { n: found.length })}</span>`}
      ${extra}
      <${Button} kind="quiet" small icon=${following ? "pause" : "play"} label=${following ? t("log.pause") : t("log.follow")} pressed=${following} onClick=${() => onFollow(!following)} />
      <${Button} kind="quiet" small icon="clock" label=${t("log.times")} pressed=${timeKept.value} onClick=${() => (timeKept.value = !timeKept.value)} />
      <${Button} kind="quiet" small icon="text-wrap" label=${t("text.wrap")} pressed=${wraps} onClick=${() => (wrapKept.value = !wraps)} />
      <${Button} kind="quiet" small icon="download" label=${t("text.download")} onClick=${() => download(name, lines.map((line) => `${line.pod ? `${line.pod} ` : ""}${line.text}\n`))} />
    </header>
    <div class=${cls("log code", wraps && "wraps")} tabindex="0" role="log" aria-label=${title} aria-live="off" ref=${box} onScroll=${onScroll}>
      ${!lines.length && html`<p class="l faint">${t("log.none")}</p>`}
      ${dropped > 0 && window.from === 0 && html`<p class="l faint">${t("log.dropped", { n: dropped })}</p>`}
      <div style=${{ height: `${window.before}px` }}></div>
      ${found.slice(window.from, window.to).map((line, i) => html`<div class="l" key=${window.from + i}>${timeKept.value && line.at && html`<span class="when num">${second(line.at)}</span>`}${pods.length > 1 && html`<span class=${`who tone-${TONES[pods.indexOf(line.pod ?? "") % TONES.length]}`} title=${line.pod}>${line.pod}</span>`}<span>${marked(line.text)}</span></div>`)}
      <div style=${{ height: `${window.after}px` }}></div>
    </div>
  </section>`;
}
