// Making, changing and removing a local user: a form, and beside it argocd-cm as it would be, tried by the server as one types.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { ADMIN, EMPTY, formOf, isAs, keysOf, withoutKeys, wrongWith, yamlOf } from "../lib/accountforms.js";
import { href } from "../lib/route.js";
import { Problem, call, send } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { me } from "../live/session.js";
import { Button, Check, Chip, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Dialog, say } from "../ui/layers.js";
import { Failed, Typed, useDoing } from "../acts/doing.js";
import { MayNotChange } from "./can.js";
import { Written, useRested } from "./fields.js";

/** @typedef {import("../pages/accounts.js").Account} Account @typedef {import("../lib/accountforms.js").AccountForm} AccountForm */
/** @typedef {{name: string, yaml: string, declared: string}} SettingsMap @typedef {"new" | "edit" | "disable" | "remove"} Deed */

export const MAP = "argocd-cm";
const PATH = `/settings/${MAP}`;
const TRIES = 20;
const PAUSE = 250;

/** @param {{deed: Deed, account: Account | null, accounts: readonly Account[], can: boolean, onDone: (name: string | null) => void}} props `account` null: a new one; `onDone`: with the name of whom there is now, null where nobody is to be shown */
export function AccountDialog({ deed, account, accounts, can, onDone }) {
  const { data, problem, again } = useLoaded("map", async (abort) => {
    const answer = await send(PATH, { signal: abort });
    return { map: /** @type {SettingsMap} */ (await answer.json()), version: answer.headers.get("ETag") ?? "" };
  });
  const close = () => onDone(account?.name ?? null);
  const title = account ? t(/** @type {any} */ (`accounts.title.${deed}`), { name: account.name }) : t("accounts.new");
  if (!data) return html`<${Dialog} wide title=${title} onClose=${close}>${problem ? html`<${Wrong} problem=${problem} again=${again} />` : html`<${Waiting} rows=${6} />`}<//>`;
  const props = { ...data, title, accounts, can: can && !data.map.declared, again, close, onDone };
  return deed === "remove" && account ? html`<${Removing} ...${props} account=${account} />` : html`<${Writing} ...${props} start=${account ? { ...formOf(account), ...(deed === "disable" ? { enabled: !account.enabled } : {}) } : EMPTY} isNew=${!account} />`;
}

/** Tried by the server; what it refuses is told. @param {Record<string, string | null> | null} keys @param {string} version @returns {{yaml: string, problem: Problem | null, waiting: boolean}} */
function useTried(keys, version) {
  const rested = useRested(JSON.stringify(keys));
  const { data, waiting } = useLoaded(keys && rested !== "null" ? `${version} ${rested}` : null, async (abort) => {
    try {
      return { yaml: (await patch(JSON.parse(rested), version, true, abort)).yaml, problem: null };
    } catch (error) {
      if (abort.aborted || !(error instanceof Problem)) throw error;
      return { yaml: "", problem: error };
    }
  });
  return { yaml: data?.yaml ?? "", problem: data?.problem ?? null, waiting: waiting || rested !== JSON.stringify(keys) };
}

/** @param {Record<string, string | null>} data @param {string} version @param {boolean} dryRun @param {AbortSignal} [signal] @returns {Promise<SettingsMap>} */
const patch = (data, version, dryRun, signal) => call(PATH, { method: "PATCH", query: { dryRun }, body: { data }, headers: version ? { "If-Match": version } : {}, ...(signal ? { signal } : {}) });

/** The server hears of it a moment after it is written. @param {string} name @param {(account: Account | null) => boolean} fits */
async function untilTold(name, fits) {
  for (let i = 0; i < TRIES; i += 1) {
    const { items } = /** @type {{items: Account[]}} */ (await call("/accounts"));
    const told = items.find((one) => one.name === name) ?? null;
    if (fits(told)) return;
    await new Promise((go) => setTimeout(go, PAUSE));
  }
}

/** @typedef {{map: SettingsMap, version: string, title: string, accounts: readonly Account[], can: boolean, again: () => void, close: () => void, onDone: (name: string | null) => void}} Common */

/** @param {Common & {start: AccountForm, isNew: boolean}} props */
function Writing({ map, version, title, accounts, can, again, close, onDone, start, isNew }) {
  const [form, setForm] = useState(start);
  const doing = useDoing();
  const set = (/** @type {Partial<AccountForm>} */ change) => setForm((was) => ({ ...was, ...change }));
  const wrong = isNew ? wrongWith(form, accounts.map((one) => one.name)) : form.login || form.apiKey ? "" : "nothing";
  const tried = useTried(can && !wrong ? keysOf(form) : null, version);
  const save = async () => {
    const isSaved = await doing.run(async () => {
      await patch(keysOf(form), version, false);
      await untilTold(form.name, (told) => isAs(told, form));
    });
    if (!isSaved) return again(); // the version may be an old one
    say("good", t("place.saved"));
    onDone(form.name);
  };
  const isAdmin = form.name === ADMIN && !isNew;
  const said = wrong && (wrong !== "name" || form.name) && wrong !== "nothing" ? t(/** @type {any} */ (`accounts.wrong.${wrong}`)) : "";
  return html`<${Dialog} wide title=${title} onClose=${close} footer=${html`<span class="grow"></span><${Button} onClick=${close}>${t("do.cancel")}<//><${Button} kind="primary" disabled=${!can || Boolean(wrong) || doing.busy || tried.waiting || tried.problem !== null} onClick=${save}>${isNew ? t("accounts.make") : t("do.save")}<//>`}>
    <${Before} map=${map} can=${can} />
    <${Failed} problem=${doing.problem ?? tried.problem} />
    ${form.name === me.value?.name && !form.enabled && html`<${Notice} tone="bad" title=${t("accounts.yourself")}>${t("accounts.yourself.off")}<//>`}
    <div class="admin-form"><div class="stack">
      ${isNew && html`<${Field} label=${t("apps.name")} help=${t("accounts.name.help")} wrong=${said}>${(/** @type {any} */ a) => html`<input class="input mono" autocapitalize="off" autocomplete="off" spellcheck="false" maxlength="60" value=${form.name} onInput=${(/** @type {any} */ event) => set({ name: event.currentTarget.value.trim() })} ...${a} />`}<//>`}
      <fieldset class="act-choices"><legend>${t("accounts.may")}</legend>
        <${Check} checked=${form.login} disabled=${isAdmin} onChange=${(/** @type {boolean} */ login) => set({ login })} help=${isAdmin ? t("accounts.login.admin") : t("accounts.login.help")}>${t("accounts.login")} <code>login</code><//>
        <${Check} checked=${form.apiKey} onChange=${(/** @type {boolean} */ apiKey) => set({ apiKey })} help=${t("accounts.apikey.help")}>${t("accounts.apikey")} <code>apiKey</code><//>
        ${wrong === "nothing" && html`<p class="field wrong">${t("accounts.wrong.nothing")}</p>`}
      </fieldset>
      <${Check} checked=${form.enabled} onChange=${(/** @type {boolean} */ enabled) => set({ enabled })} help=${t("accounts.enabled.help")}>${t("accounts.enabled")}<//>
      <${Rights} name=${form.name} isNew=${isNew} />
    </div><div class="stack"><${Written} text=${tried.yaml || (wrong && isNew ? map.yaml : yamlOf(form))} name=${`${MAP}.yaml`} /></div></div>
  <//>`;
}

/** Why it cannot be changed here. @param {{map: SettingsMap, can: boolean}} props */
const Before = ({ map, can }) => (map.declared ? html`<${Notice} tone="none" icon="git-branch" title=${t("settings.declared", { app: map.declared })}>${t("settings.declared.what")}<//>` : !can && html`<${MayNotChange} resource="settings" action="update" object=${MAP} />`);

/** Who a user is says nothing of what it may: that is in the policies. @param {{name: string, isNew: boolean}} props */
function Rights({ name, isNew }) {
  const { data } = useLoaded("policies", async (abort) => {
    const { settings } = await call("/settings/argocd-rbac-cm", { signal: abort }).catch(() => ({ settings: null }));
    return settings && { role: /** @type {string} */ (settings.find((/** @type {{key: string}} */ one) => one.key === "policy.default")?.value ?? "") };
  });
  return html`<section class="stack account-rights" aria-label=${t("accounts.rights")}><h3>${t("accounts.rights")}</h3>
    ${data && html`<p>${data.role ? html`${t("accounts.rights.default")} <${Chip}>${data.role}<//>` : t(isNew ? "accounts.rights.none" : "accounts.rights.lines")}</p>`}
    <p>${t("accounts.rights.more")}</p><pre class="code">${`g, ${name || "NAME"}, role:readonly`}</pre>
    <p><a href=${href("/settings?map=argocd-rbac-cm&key=policy.csv")}>${t("accounts.rights.open")}</a></p>
  </section>`;
}

/** @param {Common & {account: Account}} props */
function Removing({ map, version, title, can, again, close, onDone, account }) {
  const [typed, setTyped] = useState("");
  const doing = useDoing();
  const tried = useTried(can ? withoutKeys(account.name) : null, version);
  const remove = async () => {
    const isGone = await doing.run(async () => {
      // First, so that nothing of it is left for whoever gets the name after it.
      await call(`/accounts/${encodeURIComponent(account.name)}/credentials`, { method: "DELETE" });
      await patch(withoutKeys(account.name), version, false);
      await untilTold(account.name, (told) => told === null);
    });
    if (!isGone) return again();
    say("good", t("accounts.removed", { name: account.name }));
    onDone(null);
  };
  return html`<${Dialog} wide title=${title} onClose=${close} footer=${html`<span class="grow"></span><${Button} onClick=${close}>${t("do.cancel")}<//><${Button} kind="danger primary" icon="trash" disabled=${!can || typed !== account.name || doing.busy || tried.waiting || tried.problem !== null} onClick=${remove}>${t("accounts.remove")}<//>`}>
    <${Before} map=${map} can=${can} />
    <${Failed} problem=${doing.problem ?? tried.problem} />
    ${account.name === me.value?.name && html`<${Notice} tone="bad" title=${t("accounts.yourself")}>${t("accounts.yourself.off")}<//>`}
    <div class="admin-form"><div class="stack">
      <p>${t("accounts.remove.what")}</p>
      <ul class="account-goes">${account.hasPassword && html`<li>${t("accounts.remove.password")}</li>`}${account.tokens.length > 0 && html`<li>${t("accounts.remove.tokens", { n: account.tokens.length })}</li>`}<li>${t("accounts.remove.sessions")}</li></ul>
      <p class="muted">${t("accounts.remove.rights")}</p>
      <${Typed} word=${account.name} typed=${typed} onTyped=${setTyped} />
    </div><div class="stack"><${Written} text=${tried.yaml || map.yaml} name=${`${MAP}.yaml`} /></div></div>
  <//>`;
}
