// Asking for something to be done: once at a time, what came of it said, what went wrong kept in sight.
import { html } from "../lib/html.js";
import { useRef, useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { Problem } from "../live/api.js";
import { Field, Notice } from "../ui/basics.js";

/** @typedef {{busy: boolean, problem: Problem | null, run: (what: () => Promise<void>) => Promise<boolean>, clear: () => void}} Doing */

/** @returns {Doing} `run` says whether it went well */
export function useDoing() {
  const [state, setState] = useState(/** @type {{busy: boolean, problem: Problem | null}} */ ({ busy: false, problem: null }));
  const running = useRef(false);
  return {
    ...state,
    clear: () => setState({ busy: false, problem: null }),
    run: async (what) => {
      if (running.current) return false;
      running.current = true;
      setState({ busy: true, problem: null });
      try {
        await what();
        setState({ busy: false, problem: null });
        return true;
      } catch (error) {
        if (!(error instanceof Problem)) console.error(error);
        setState({ busy: false, problem: error instanceof Problem ? error : new Problem({ title: String(error), status: -1 }) });
        return false;
      } finally {
        running.current = false;
      }
    },
  };
}

/** What went wrong with something that was asked for, beside the button. @param {{problem: Problem | null}} props */
export function Failed({ problem }) {
  if (!problem) return null;
  const { status, detail, title, hint, field } = problem.details;
  if (status === 0) return html`<${Notice} tone="warn" icon="wifi-off" title=${t("acts.lost")}>${t("acts.lost.hint")}<//>`;
  return html`<${Notice} tone="bad" title=${[field, detail || title].filter(Boolean).join(": ")}>${hint}<//>`;
}

/** That a right is missing, and what to ask for. @param {{rights: {missing: Record<string, string>}, action: string, what: string}} props */
export const MayNot = ({ rights, action, what }) => html`<${Notice} tone="warn" icon="lock" title=${what}>${rights.missing[action]}<//>`;

/** Something that cannot be taken back is typed. @param {{word: string, typed: string, onTyped: (text: string) => void}} props */
export const Typed = ({ word, typed, onTyped }) => html`<${Field} label=${t("acts.type", { word })}>${(/** @type {any} */ attributes) => html`<input ...${attributes} class="input mono" autocomplete="off" autocapitalize="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ event) => onTyped(event.currentTarget.value)} />`}<//>`;

/** Who declares this App: another App, or a controller; null: nobody that it tells of. @param {Record<string, any> | null} resource */
export function parentOf(resource) {
  const { labels = {}, annotations = {}, ownerReferences = [] } = resource?.["metadata"] ?? {};
  const name = labels["kustomize.toolkit.fluxcd.io/name"];
  if (name) return `Kustomization/${labels["kustomize.toolkit.fluxcd.io/namespace"] ?? ""}/${name}`;
  const helm = labels["helm.toolkit.fluxcd.io/name"];
  if (helm) return `HelmRelease/${labels["helm.toolkit.fluxcd.io/namespace"] ?? ""}/${helm}`;
  const tracked = /^([^:]+):/.exec(annotations["argocd.argoproj.io/tracking-id"] ?? "")?.[1];
  if (tracked) return `Application/${tracked}`;
  const owner = ownerReferences.find((/** @type {any} */ one) => one.controller);
  return owner ? `${owner.kind}/${owner.name}` : null;
}

/** That Git will put back what is changed here. @param {{resource: Record<string, any> | null}} props */
export function Declared({ resource }) {
  const parent = parentOf(resource);
  return parent && html`<${Notice} tone="warn" icon="git-branch" title=${t("acts.declared", { parent })}>${t("acts.declared.hint")}<//>`;
}
