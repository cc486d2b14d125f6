// Small parts: buttons, fields, times, revisions, chips, notices, waiting, nothing there, something wrong.
import { html, cls } from "../lib/html.js";
import { Icon } from "./icon.js";
import { t, ago, moment, word, duration, clock, number } from "../i18n/i18n.js";
import { useId } from "preact/hooks";

/** @param {{children?: any, icon?: string, label?: string, kind?: string, small?: boolean, onClick?: (event: MouseEvent) => void, disabled?: boolean, pressed?: boolean, type?: string, title?: string, href?: string, shortcut?: string, [more: string]: unknown}} props `label`: for a button that shows only an icon */
export function Button({ children, icon, label, kind = "", small, onClick, disabled, pressed, type = "button", title, href, shortcut, ...more }) {
  const names = cls("btn", kind, small && "small", !children && "icon");
  const inner = html`${icon && html`<${Icon} name=${icon} size=${small ? 14 : 16} />`}${children}`;
  const hint = [title ?? label, shortcut && `(${shortcut})`].filter(Boolean).join(" ") || undefined;
  if (href !== undefined) return html`<a class=${names} href=${href} title=${hint} aria-label=${label} ...${more}>${inner}</a>`;
  return html`<button class=${names} type=${type} onClick=${onClick} disabled=${disabled} aria-pressed=${pressed === undefined ? undefined : String(pressed)} title=${hint} aria-label=${label} ...${more}>${inner}</button>`;
}

/** @param {{label: string, help?: string, wrong?: string, children: (attributes: Record<string, unknown>) => any}} props */
export function Field({ label, help, wrong, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": help || wrong ? `${id}-help` : undefined, "aria-invalid": wrong ? "true" : undefined })}
    ${wrong ? html`<p class="wrong" id=${`${id}-help`}><${Icon} name="circle-alert" size=${14} />${wrong}</p>` : help && html`<p class="help" id=${`${id}-help`}>${help}</p>`}
  </div>`;
}

/** @param {{checked: boolean, onChange: (on: boolean) => void, children: any, help?: string, radio?: string, disabled?: boolean}} props */
export function Check({ checked, onChange, children, help, radio, disabled }) {
  return html`<label class="check"><input type=${radio ? "radio" : "checkbox"} name=${radio} checked=${checked} disabled=${disabled} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)} /><span>${children}${help && html`<span class="help">${help}</span>`}</span></label>`;
}

/** @param {{at: number | null | undefined, short?: boolean}} props */
export function Ago({ at, short }) {
  if (!at) return html`<span class="faint">${t("time.never")}</span>`;
  clock.value;
  return html`<time class="num" dateTime=${new Date(at).toISOString()} title=${moment(at)}>${ago(at, short)}</time>`;
}

/** @param {{milliseconds: number}} props */
export const Took = ({ milliseconds }) => html`<span class="num">${duration(milliseconds)}</span>`;

/** "main@sha1:3f2a91c…" as people say it. @param {string} revision */
export function shortRevision(revision) {
  const [name, digest] = revision.includes("@") ? [revision.slice(0, revision.lastIndexOf("@")), revision.slice(revision.lastIndexOf("@") + 1)] : ["", revision];
  const hex = digest.replace(/^sha\d+:/, "");
  const short = /^[0-9a-f]{12,}$/.test(hex) ? hex.slice(0, 7) : hex;
  return name ? `${name}@${short}` : short;
}

/** @param {{revision: string | null | undefined, url?: string}} props */
export function Revision({ revision, url }) {
  if (!revision) return html`<span class="faint">–</span>`;
  const inner = html`<${Icon} name="git-commit-horizontal" size=${14} /><span class="clip">${shortRevision(revision)}</span>`;
  return url ? html`<a class="rev" href=${url} title=${revision} target="_blank" rel="noreferrer">${inner}</a>` : html`<span class="rev" title=${revision}>${inner}</span>`;
}

/** @param {{icon?: string, children?: any, title?: string}} props */
export const Chip = ({ icon, children, title }) => html`<span class="chip" title=${title}>${icon && html`<${Icon} name=${icon} size=${12} />`}<span class="clip">${children}</span></span>`;

/** @param {{n: number}} props */
export const Count = ({ n }) => html`<span class="count">${number(n)}</span>`;

/** @param {{rows: Array<[any, any] | null | false | undefined | "">}} props */
export const Facts = ({ rows }) => html`<dl class="facts">${rows.map((row) => row && html`<dt>${row[0]}</dt><dd>${row[1]}</dd>`)}</dl>`;

/** @param {{tone?: import("./status.js").Tone, icon?: string, title?: string, children?: any, action?: any}} props */
export function Notice({ tone = "busy", icon, title, children, action }) {
  const name = icon ?? { good: "circle-check", busy: "info", warn: "triangle-alert", bad: "circle-alert", idle: "pause", none: "info" }[tone];
  return html`<div class=${`notice tone-${tone}`} role=${tone === "bad" ? "alert" : "status"}><${Icon} name=${name} /><div class="grow">${title && html`<strong>${title}</strong> `}${children}</div>${action}</div>`;
}

/** @param {{icon?: string, title: string, children?: any, action?: any}} props */
export const Empty = ({ icon = "box", title, children, action }) => html`<div class="empty"><span class="glyph"><${Icon} name=${icon} size=${22} /></span><h2>${title}</h2>${children && html`<p>${children}</p>`}${action}</div>`;

/** What went wrong, where, and what to do. @param {{problem: import("../live/api.js").Problem, again?: () => void}} props */
export function Wrong({ problem, again }) {
  const { status, title, detail, hint, ref, field, reason } = problem.details;
  const told = status === 0 ? t("wrong.unreachable") : status === 403 ? t("wrong.forbidden") : status === 404 ? t("wrong.missing") : title;
  return html`<div class="empty wrong" role="alert">
    <span class="glyph"><${Icon} name=${status === 0 ? "unplug" : status === 403 ? "lock" : status === 404 ? "search-x" : "circle-alert"} size=${22} /></span>
    <h2>${told}</h2>
    ${detail && html`<p>${[ref, field].filter(Boolean).join(" ")}${(ref || field) && ": "}${detail}</p>`}
    <p><strong>${t("wrong.try")}</strong> ${hint || (status === 0 ? t("wrong.unreachable.hint") : status === 403 ? t("wrong.forbidden.hint") : status === 404 ? t("wrong.missing.hint") : t("wrong.hint"))}</p>
    ${reason && status > 0 && html`<p class="faint">${t("wrong.reason", { reason, status: String(status) })}</p>`}
    ${again && html`<${Button} icon="refresh-cw" onClick=${again}>${t("do.again")}<//>`}
  </div>`;
}

/** @param {{width?: string, height?: number}} props */
export const Skeleton = ({ width = "100%", height = 14 }) => html`<span class="skeleton" style=${{ width, height: `${height}px` }}></span>`;

/** @param {{rows?: number, height?: number}} props */
export const Waiting = ({ rows = 6, height = 16 }) => html`<div class="stack" role="status" aria-label=${t("wait.loading")}>${Array.from({ length: rows }, (_, i) => html`<${Skeleton} key=${i} height=${height} width=${`${92 - ((i * 37) % 44)}%`} />`)}</div>`;

/** @param {{label: string, items: Array<{label: string, href?: string}>}} props */
export const Crumbs = ({ label, items }) => html`<nav class="crumbs" aria-label=${label}><ol>${items.map((item, i) => html`<li key=${i}>${item.href ? html`<a href=${item.href}>${item.label}</a>` : html`<span class="clip" aria-current="page">${item.label}</span>`}${i < items.length - 1 && html`<${Icon} name="chevron-right" size=${14} />`}</li>`)}</ol></nav>`;

/** @param {{kind: string}} props a word of the API about kinds of records */
export const Word = ({ kind }) => html`<span>${word("word", kind)}</span>`;
