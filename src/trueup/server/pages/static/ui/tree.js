// The resource tree as a graph to move in. Near: real elements, only those in view. Far: one drawing, so 2,000 nodes stay smooth.
import { html, cls } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { NODE, edge, inside, layout, step } from "../lib/layout.js";
import { memo } from "../lib/memo.js";
import { colour, shown } from "../lib/prefs.js";
import { t, number, word } from "../i18n/i18n.js";
import { Icon, kindIcon } from "./icon.js";
import { Shape, toneOf } from "./status.js";
import { Button } from "./basics.js";
import { download } from "./text.js";
import { treeSvg } from "../lib/svg.js";

/** @typedef {import("../lib/layout.js").TreeNode} TreeNode */
/** @typedef {import("../lib/layout.js").Placed} Placed */

const FAR = 0.42; // below this scale words cannot be read, and the tree is drawn
const MAP = { width: 168, height: 104 };
const EDGE = 24;

/** Whether all words stand in a text. @param {string} text @param {string} words */
const has = (text, words) => words.toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));

/** @param {{nodes: readonly TreeNode[], label: string, current: string | null, onOpen: (node: TreeNode) => void, group?: boolean, name?: string}} props `name`: of the file that it is exported to */
export function Tree({ nodes, label, current, onOpen, group = true, name = "tree" }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const plane = useRef(/** @type {HTMLElement | null} */ (null));
  const [folded, setFolded] = useState(/** @type {Set<string>} */ (new Set()));
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const [find, setFind] = useState("");
  const [focus, setFocus] = useState("");
  const [size, setSize] = useState({ width: 900, height: 500 });
  const [view, setView] = useState({ x: 0, y: 0, scale: 1, chosen: false });
  const drag = useRef(/** @type {{x: number, y: number, vx: number, vy: number, moved: boolean} | null} */ (null));
  const plan = useMemo(() => layout(nodes, { folded, opened, group: group && !find }), [nodes, folded, opened, group, !find]);
  const opens = useRef(onOpen);
  opens.current = onOpen;
  const hits = useMemo(() => (find ? new Set(nodes.filter((node) => has(`${node.kind}/${node.name}`, find)).map((node) => node.id)) : null), [nodes, find]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const fit = () => {
    const scale = Math.min(1, (size.width - 2 * EDGE) / plan.width, (size.height - 2 * EDGE - 44) / plan.height);
    return { scale: Math.max(0.05, scale), x: EDGE, y: Math.max(EDGE + 44, (size.height - plan.height * Math.max(0.05, scale)) / 2), chosen: false };
  };
  // Until somebody moves it, the tree begins at its root, as near as it can be read.
  const start = () => {
    const all = fit();
    const scale = size.width < 500 ? 0.75 : 0.9;
    const root = plan.placed[0]?.y ?? 0;
    return all.scale >= 0.6 ? all : { scale, x: EDGE, y: size.height / 2 - (root + NODE.height / 2) * scale, chosen: false };
  };
  useEffect(() => {
    if (!view.chosen) setView(start());
  }, [plan.width, plan.height, size.width, size.height]);

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  const zoom = (factor, x = size.width / 2, y = size.height / 2) =>
    setView((was) => {
      const scale = Math.max(0.05, Math.min(1.6, was.scale * factor));
      return { scale, x: x - ((x - was.x) / was.scale) * scale, y: y - ((y - was.y) / was.scale) * scale, chosen: true };
    });
  /** @param {Placed} place @param {boolean} [near] */
  const centre = (place, near = true) =>
    setView((was) => {
      const scale = near ? Math.max(0.8, was.scale) : was.scale;
      return { scale, x: size.width / 2 - (place.x + NODE.width / 2) * scale, y: size.height / 2 - (place.y + NODE.height / 2) * scale, chosen: true };
    });

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const onWheel = (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      const at = element.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - at.x, event.clientY - at.y);
      else setView((was) => ({ ...was, x: was.x - event.deltaX, y: was.y - event.deltaY, chosen: true }));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [size.width, size.height]);

  /** @param {Set<string>} set @param {string} id */
  const flip = (set, id) => {
    const next = new Set(set);
    if (!next.delete(id)) next.add(id);
    return next;
  };
  const held = focus || current || plan.placed[0]?.id || "";
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const here = plan.placed.find((place) => place.id === held);
    if (event.key.startsWith("Arrow")) {
      if (event.key === "ArrowRight" && here && here.hidden) setFolded(flip(folded, here.id));
      else {
        const next = step(plan.placed, held, event.key);
        setFocus(next);
        const place = plan.placed.find((one) => one.id === next);
        if (place && !isInView(place, view, size)) centre(place);
      }
    } else if (event.key === "Enter" && here) open(here);
    else if (event.key === " " && here?.children) setFolded(flip(folded, here.id));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") setView({ ...fit(), chosen: true });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  /** @param {Placed} place */
  const open = (place) => (place.group ? setOpened((was) => flip(was, place.id)) : place.node && opens.current(place.node));
  /** @param {Placed} place */
  const fold = (place) => (place.group ? open(place) : setFolded((was) => flip(was, place.id)));

  const far = view.scale < FAR;
  const window = { x: (-view.x - 300) / view.scale, y: (-view.y - 200) / view.scale, width: (size.width + 600) / view.scale, height: (size.height + 400) / view.scale };
  const visible = far ? [] : inside(plan.placed, window);
  const isDim = (/** @type {Placed} */ place) => hits !== null && !(place.node ? hits.has(place.node.id) : place.group?.some((node) => hits.has(node.id)));
  const byId = useMemo(() => new Map(plan.placed.map((place) => [place.id, place])), [plan]);
  const edges = useMemo(() => plan.placed.flatMap((place) => (place.parent ? [{ from: /** @type {Placed} */ (byId.get(place.parent)), to: place }] : [])), [plan]);
  const isSeen = (/** @type {{from: Placed, to: Placed}} */ one) => one.to.x >= window.x && one.from.x <= window.x + window.width && Math.max(one.from.y, one.to.y) + NODE.height >= window.y && Math.min(one.from.y, one.to.y) <= window.y + window.height;
  const jump = () => {
    const found = plan.placed.filter((place) => (place.node ? hits?.has(place.node.id) : place.group?.some((node) => hits?.has(node.id))));
    const next = found[(found.findIndex((place) => place.id === focus) + 1) % (found.length || 1)];
    if (!next) return;
    setFocus(next.id);
    centre(next);
  };

  return html`<div class="tree" ref=${box}>
    <div class="ground" role="tree" tabindex="0" aria-label=${label} aria-activedescendant=${!far && held && visible.some((place) => place.id === held) ? `node-${held}` : undefined} onKeyDown=${onKeyDown}
    onPointerDown=${(/** @type {PointerEvent} */ event) => {
      if (event.button || (event.target instanceof Element && event.target.closest(".fold"))) return;
      drag.current = { x: event.clientX, y: event.clientY, vx: view.x, vy: view.y, moved: false };
    }}
    onPointerMove=${(/** @type {PointerEvent} */ event) => {
      const held = drag.current;
      if (!held) return;
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      if (!held.moved && Math.hypot(dx, dy) < 4) return;
      if (!held.moved) /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
      held.moved = true;
      setView((was) => ({ ...was, x: held.vx + dx, y: held.vy + dy, chosen: true }));
    }}
    onPointerUp=${() => {
      const moved = drag.current?.moved;
      drag.current = null;
      if (moved) addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
    }}
    onPointerCancel=${() => (drag.current = null)}>
    ${far
      ? html`<${Far} plan=${plan} view=${view} size=${size} hits=${hits} edges=${edges} onPick=${(/** @type {Placed} */ place) => centre(place)} />`
      : html`<div class="plane" role="presentation" ref=${plane} style=${{ transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` }}>
          <svg class="edges" width="1" height="1" aria-hidden="true">${edges.filter(isSeen).map((one) => html`<path key=${one.to.id} d=${edge(one.from, one.to)} />`)}</svg>
          ${visible.map((place) => html`<${SameBox} key=${place.id} place=${place} current=${place.id === current} focus=${place.id === focus} dim=${isDim(place)} folded=${folded.has(place.id)} onOpen=${open} onFold=${fold} />`)}
        </div>`}
    </div>
    <div class="finder search"><${Icon} name="search" size=${15} /><input class="input" type="search" value=${find} aria-label=${t("tree.find")} placeholder=${t("tree.find")} onInput=${(/** @type {any} */ event) => setFind(event.currentTarget.value)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && jump()} />${hits && html`<span class="after faint num">${number(hits.size)}</span>`}</div>
    <div class="tools">
      <${Button} kind="quiet" small icon="zoom-out" label=${t("tree.out")} shortcut="-" onClick=${() => zoom(0.8)} />
      <${Button} kind="quiet" small icon="zoom-in" label=${t("tree.in")} shortcut="+" onClick=${() => zoom(1.25)} />
      <${Button} kind="quiet" small icon="maximize-2" label=${t("tree.fit")} shortcut="0" onClick=${() => setView({ ...fit(), chosen: true })} />
      <${Button} kind="quiet" small icon="chevrons-down-up" label=${t("tree.fold-all")} onClick=${() => setFolded(new Set(plan.placed.filter((place) => place.children && place.depth > 0).map((place) => place.id)))} />
      <${Button} kind="quiet" small icon="chevrons-up-down" label=${t("tree.unfold-all")} onClick=${() => setFolded(new Set())} />
      <${Button} kind="quiet" small icon="download" label=${t("svg.save")} onClick=${() => download(`${name}.svg`, treeSvg({ plan, label, tone: toneOf, word: (status) => word("status", status), colour, groupName: (n, kind) => t("tree.group", { n, kind }) }), "image/svg+xml")} />
    </div>
    ${(plan.width * view.scale > size.width || plan.height * view.scale > size.height) && size.width > 560 && html`<${Minimap} plan=${plan} view=${view} size=${size} onMove=${(/** @type {number} */ x, /** @type {number} */ y) => setView((was) => ({ ...was, x: size.width / 2 - x * was.scale, y: size.height / 2 - y * was.scale, chosen: true }))} />`}
  </div>`;
}

/** @param {Placed} place @param {{x: number, y: number, scale: number}} view @param {{width: number, height: number}} size */
function isInView(place, view, size) {
  const [x, y] = [place.x * view.scale + view.x, place.y * view.scale + view.y];
  return view.scale >= FAR && x >= 0 && y >= 48 && x + NODE.width * view.scale <= size.width && y + NODE.height * view.scale <= size.height;
}

/** @param {{place: Placed, current: boolean, focus: boolean, dim: boolean, folded: boolean, onOpen: (place: Placed) => void, onFold: (place: Placed) => void}} props */
function Box({ place, current, focus, dim, folded, onOpen, onFold }) {
  const first = place.node ?? place.group?.[0];
  if (!first) return null;
  const sync = typeof first["sync"] === "string" ? first["sync"] : "";
  const name = place.group ? t("tree.group", { n: place.group.length, kind: first.kind }) : first.name;
  const unwell = ["bad", "warn"].includes(toneOf(first.status)) ? first.status : sync === "OutOfSync" ? sync : "";
  const said = [first.status, sync].filter(Boolean).map((status) => word("status", status)).join(", ");
  return html`<div id=${`node-${place.id}`} class=${cls("node", (current || focus) && "current", unwell && `unwell tone-${toneOf(unwell)}`, dim && "dim", (place.children > 0 || place.group) && "folds")} role="treeitem" aria-level=${place.depth + 1} aria-selected=${String(current)} aria-expanded=${place.children || place.group ? String(!folded && !place.group) : undefined} title=${`${first.kind} ${name}`} style=${{ left: `${place.x}px`, top: `${place.y}px` }} onClick=${() => onOpen(place)}>
    <span class="kind-icon"><${Icon} name=${kindIcon(first.kind)} size=${17} /></span>
    <span class="grow"><span class="name clip" style=${{ display: "block" }}>${name}</span><span class="kind clip" style=${{ display: "block" }}>${place.group ? first.kind : [first.kind, first["note"]].filter(Boolean).join(" · ")}</span></span>
    <span class="hidden-text">${said}</span>
    <span class="marks">${first.status && html`<span class=${`status tone-${toneOf(first.status)}`}><${Shape} status=${first.status} /></span>`}${sync && sync !== "Synced" && html`<span class=${`status tone-${toneOf(sync)}`}><${Shape} status=${sync} /></span>`}</span>
    ${(place.children > 0 || place.group) && html`<button type="button" class="fold" tabindex="-1" aria-hidden="true" title=${folded || place.group ? t("tree.unfold") : t("tree.fold")} onClick=${(/** @type {Event} */ event) => {
      event.stopPropagation();
      onFold(place);
    }}>${place.group ? `+${place.group.length}` : folded ? `+${place.hidden}` : "−"}</button>`}
  </div>`;
}

/** Moving the tree draws only what comes into view. */
const SameBox = memo(Box, ["place", "current", "focus", "dim", "folded"]);

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function pen(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Each asked for once per drawing: a computed style is dear. @returns {Record<import("./status.js").Tone, string>} */
const tones = () => ({ good: colour("good-solid"), busy: colour("busy-solid"), warn: colour("warn-solid"), bad: colour("bad-solid"), idle: colour("idle-solid"), none: colour("none-solid") });

/** @param {Placed} place */
const statusOf = (place) => {
  const first = place.node ?? place.group?.[0];
  return first?.["sync"] === "OutOfSync" && toneOf(first.status) === "good" ? "OutOfSync" : (first?.status ?? "");
};

/** @param {{plan: ReturnType<typeof layout>, view: {x: number, y: number, scale: number}, size: {width: number, height: number}, hits: Set<string> | null, edges: Array<{from: Placed, to: Placed}>, onPick: (place: Placed) => void}} props */
function Far({ plan, view, size, hits, edges, onPick }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const theme = shown.value;
  const lines = useMemo(() => new Path2D(edges.map((one) => edge(one.from, one.to)).join("")), [edges]);
  useLayoutEffect(() => {
    if (!canvas.current) return;
    const draw = pen(canvas.current, size.width, size.height);
    draw.translate(view.x, view.y);
    draw.scale(view.scale, view.scale);
    draw.strokeStyle = colour("border-strong");
    draw.lineWidth = 1 / Math.max(view.scale, 0.2);
    draw.stroke(lines);
    const colours = tones();
    for (const place of plan.placed) {
      const tone = toneOf(statusOf(place));
      draw.globalAlpha = hits && !(place.node ? hits.has(place.node.id) : place.group?.some((node) => hits.has(node.id))) ? 0.25 : 1;
      draw.fillStyle = colours[tone];
      // Never by colour alone: what is unwell fills its place, what is well leaves a margin.
      const margin = tone === "bad" || tone === "warn" ? -3 : tone === "good" ? 9 : 4;
      draw.beginPath();
      draw.roundRect(place.x + margin, place.y + margin, NODE.width - 2 * margin, NODE.height - 2 * margin, 8);
      draw.fill();
    }
    draw.globalAlpha = 1;
  }, [plan, view, size, hits, theme]);
  return html`<canvas ref=${canvas} style=${{ width: `${size.width}px`, height: `${size.height}px`, display: "block" }} aria-hidden="true" onClick=${(/** @type {MouseEvent} */ event) => {
    const [x, y] = [(event.offsetX - view.x) / view.scale, (event.offsetY - view.y) / view.scale];
    const place = inside(plan.placed, { x, y, width: 0, height: 0 })[0];
    if (place) onPick(place);
  }}></canvas>`;
}

/** @param {{plan: ReturnType<typeof layout>, view: {x: number, y: number, scale: number}, size: {width: number, height: number}, onMove: (x: number, y: number) => void}} props */
function Minimap({ plan, view, size, onMove }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const theme = shown.value;
  const scale = Math.min(MAP.width / plan.width, MAP.height / plan.height);
  useLayoutEffect(() => {
    if (!canvas.current) return;
    const draw = pen(canvas.current, plan.width * scale, plan.height * scale);
    const colours = tones();
    for (const place of plan.placed) {
      draw.fillStyle = colours[toneOf(statusOf(place))];
      draw.fillRect(place.x * scale, place.y * scale, Math.max(2, NODE.width * scale), Math.max(1, NODE.height * scale));
    }
  }, [plan, scale, theme]);
  const [left, top] = [Math.max(0, (-view.x / view.scale) * scale), Math.max(0, (-view.y / view.scale) * scale)];
  const [right, bottom] = [Math.min(plan.width * scale, ((size.width - view.x) / view.scale) * scale), Math.min(plan.height * scale, ((size.height - view.y) / view.scale) * scale)];
  const move = (/** @type {PointerEvent} */ event) => event.buttons === 1 && onMove(event.offsetX / scale, event.offsetY / scale);
  // What is in view is an element of its own, so that moving the tree draws no map anew.
  return html`<div class="minimap" style=${{ width: `${plan.width * scale}px`, height: `${plan.height * scale}px` }} aria-hidden="true" onPointerDown=${move} onPointerMove=${move}>
    <canvas ref=${canvas} style=${{ width: `${plan.width * scale}px`, height: `${plan.height * scale}px` }}></canvas>
    <i style=${{ transform: `translate(${left}px, ${top}px)`, width: `${Math.max(4, right - left)}px`, height: `${Math.max(4, bottom - top)}px` }}></i>
  </div>`;
}
