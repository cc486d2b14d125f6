// Deleting many Apps: what becomes of their objects, told of each before: what goes with it, what stays, and why.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { inTurn } from "../lib/bulk.js";
import { holdsData } from "../lib/plan.js";
import { Problem, call } from "../live/api.js";
import { declaredNodes, rootOf } from "../live/app.js";
import { idOf } from "../live/apps.js";
import { Notice } from "../ui/basics.js";
import { How, staysBecause } from "./delete.js";

/** @typedef {import("../live/apps.js").App} App */
/** @typedef {import("./delete.js").Propagation} Propagation */
/** @typedef {{problem: string, stays: ReturnType<typeof staysBecause>, objects: number, data: string[]}} Fate `problem`: it is not known, so nothing is done; `data`: those that hold what Git does not bring back */

const AT_ONCE = 4;
const NAMED = 12;

/** As each stands now; few at a time. @param {readonly App[] | null} apps @returns {ReadonlyMap<string, Fate>} */
export function useFates(apps) {
  const [told, setTold] = useState(/** @type {ReadonlyMap<string, Fate>} */ (new Map()));
  const key = apps ? apps.map(idOf).join() : "";
  useEffect(() => {
    if (!apps?.length) return undefined;
    const abort = new AbortController();
    void inTurn(apps, AT_ONCE, async (app) => {
      /** @type {Fate} */ let one;
      try {
        one = fateOf(app, await call(rootOf(app), { signal: abort.signal }));
      } catch (error) {
        if (abort.signal.aborted) return;
        one = { problem: error instanceof Problem ? error.message : String(error), stays: "", objects: 0, data: [] };
      }
      setTold((was) => new Map(was).set(idOf(app), one));
    }, () => abort.signal.aborted);
    return () => abort.abort();
  }, [key]);
  return told;
}

/** @param {App} app as it was chosen @param {{row: App, resource: Record<string, any>}} now @returns {Fate} */
function fateOf(app, { row, resource }) {
  const data = declaredNodes(resource).filter(holdsData).map((node) => `${node.kind}/${node.name}`);
  return { problem: row.uid === app.uid ? "" : t("bulk.another"), stays: staysBecause(resource), objects: row.objects, data };
}

/** @param {{how: Propagation, setHow: (how: Propagation) => void, fates: readonly Fate[]}} props `fates`: of those that will be deleted */
export function HowMany({ how, setHow, fates }) {
  const going = fates.filter((fate) => how !== "keep" && !fate.stays);
  const count = (/** @type {readonly Fate[]} */ some) => some.reduce((n, fate) => n + fate.objects, 0);
  const [goes, stays] = [count(going), count(fates) - count(going)];
  const data = going.flatMap((fate) => fate.data);
  return html`<${How} many how=${how} setHow=${setHow} />
    <p role="status"><strong>${t("delete.goes", { n: goes })}</strong>${stays > 0 && html` · ${t("delete.keeps", { n: stays })}`}</p>
    ${data.length > 0 && html`<${Notice} tone="bad">${t("plan.data", { names: data.slice(0, NAMED).join(", ") })}${data.length > NAMED && ` ${t("story.more", { n: data.length - NAMED })}`}<//>`}`;
}

/** One App's, in a line. @param {Fate | undefined} fate @param {Propagation} how */
export function fateInWords(fate, how) {
  if (!fate) return t("bulk.planning");
  if (!fate.objects) return t("bulk.alone");
  if (fate.stays) return `${t("bulk.leaves", { n: fate.objects })} ${t(/** @type {any} */ (`delete.stays.${fate.stays}`))}`;
  return how === "keep" ? t("bulk.leaves", { n: fate.objects }) : t(how === "foreground" ? "bulk.what.delete.foreground" : "bulk.what.delete", { n: fate.objects });
}
