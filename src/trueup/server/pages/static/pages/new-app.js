// A new App: of which kind, a form, and beside it the YAML to put into Git, or to make at once.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { go, href, query, setQuery } from "../lib/route.js";
import { joined, manifestsOf, missingOf, startOf } from "../lib/drafts.js";
import { call } from "../live/api.js";
import { pageOf } from "../live/apps.js";
import { AppForm, passes, textOf, useVerdict } from "../acts/form.js";
import { Failed, useDoing } from "../acts/doing.js";
import { useTitle } from "../shell.js";
import { Button } from "../ui/basics.js";
import { kindIcon } from "../ui/icon.js";
import { say } from "../ui/layers.js";
import { copy } from "../ui/text.js";

/** @typedef {import("../lib/drafts.js").AppKind} AppKind */
const KINDS = /** @type {const} */ (["Kustomization", "HelmRelease", "Application"]);

export function Page() {
  useTitle([{ label: t("nav.apps"), href: href("/apps") }, { label: t("new.title") }]);
  const asked = query.value.get("kind") ?? "";
  const kind = KINDS.find((one) => one === asked) ?? "Kustomization";
  return html`<div class="page-head"><h1>${t("new.title")}</h1></div><p class="muted act-lead">${t("new.what")}</p>
    <div class="row wrap" role="group" aria-label=${t("fact.kind")}>${KINDS.map((one) => html`<button type="button" key=${one} class="act-kind" aria-pressed=${String(one === kind)} onClick=${() => setQuery({ kind: one === "Kustomization" ? null : one })}><strong>${one}</strong><span class="muted">${t(`new.kind.${one}`)}</span></button>`)}</div>
    <${Making} key=${kind} kind=${kind} />`;
}

/** @param {{kind: AppKind}} props */
function Making({ kind }) {
  const [draft, setDraft] = useState(() => joined(kind, startOf(kind)));
  const [readable, setReadable] = useState(true);
  const [made, setMade] = useState(/** @type {string[]} */ ([]));
  const doing = useDoing();
  const verdict = useVerdict(draft, false, missingOf(kind, draft).length === 0);
  const manifests = manifestsOf(draft);
  const app = manifests[manifests.length - 1] ?? {};
  // What was made before something failed stays, and is not made again.
  const rest = manifests.filter((one) => !made.includes(JSON.stringify(one)));
  const create = async () => {
    const done = await doing.run(async () => {
      for (const one of rest) {
        await call(one === app ? "/apps" : "/sources", { method: "POST", body: one });
        setMade((was) => [...was, JSON.stringify(one)]);
      }
    });
    if (!done) return;
    say("good", t("new.made", { name: app["metadata"].name }));
    go(pageOf({ kind, namespace: app["metadata"].namespace, name: app["metadata"].name }));
  };
  const halfway = made.length > 0 && rest.length > 0;
  return html`<${AppForm} kind=${kind} draft=${draft} onDraft=${setDraft} verdict=${verdict} onReadable=${setReadable} beside=${html`<${Failed} problem=${doing.problem} />
    <div class="act-end"><${Button} icon="copy" onClick=${async () => copy(await textOf(manifests))}>${t("new.copy")}<//><${Button} kind="primary" icon=${kindIcon(kind)} disabled=${!readable || doing.busy || !(passes(verdict) || halfway)} onClick=${create}>${t("new.make")}<//></div>
    <p class="faint">${t("new.git")}</p>`} />`;
}
