// Local users: who there is, their tokens, passwords and sessions. People of a sign-on provider are kept there, and not here.
import { html } from "../lib/html.js";
import { useRef, useState } from "preact/hooks";
import { t, word } from "../i18n/i18n.js";
import { href, query, setQuery } from "../lib/route.js";
import { Problem, call } from "../live/api.js";
import { me } from "../live/session.js";
import { useLoaded } from "../live/resource.js";
import { ADMIN, formOf, yamlOf } from "../lib/accountforms.js";
import { AccountDialog, MAP } from "../admin/account.js";
import { MayNotChange, useCan } from "../admin/can.js";
import { useTitle } from "../shell.js";
import { Ago, Button, Chip, Empty, Facts, Field, Notice, Waiting, Wrong } from "../ui/basics.js";
import { Icon } from "../ui/icon.js";
import { Panel, say } from "../ui/layers.js";
import { Status } from "../ui/status.js";
import { Table } from "../ui/table.js";
import { Yaml, copy } from "../ui/text.js";

/** @typedef {{id: string, issued: string, expires?: string}} Token @typedef {{name: string, enabled: boolean, capabilities: string[], hasPassword: boolean, tokens: Token[]}} Account */

const DAYS = [7, 30, 90, 365, 0];

export function Page() {
  useTitle([{ label: t("nav.accounts") }]);
  const chosen = query.value.get("account");
  const deed = query.value.get("do");
  const can = useCan("settings", "update", MAP);
  const { data, problem, again } = useLoaded("accounts", async (abort) => /** @type {Account[]} */ ((await call("/accounts", { signal: abort })).items));
  if (problem && !data) return html`<${Wrong} problem=${problem} again=${again} />`;
  if (!data) return html`<${Waiting} rows=${6} height=${22} />`;
  const one = data.find((account) => account.name === chosen);
  /** @type {Array<import("../ui/table.js").Column<Account>>} */
  const columns = [
    { id: "name", label: t("apps.name"), width: "minmax(140px, 2fr)", narrow: true, cell: (account) => html`<span class="app-name"><span class="kind-icon"><${Icon} name="circle-user" size=${16} /></span><span class="clip">${account.name}</span></span>` },
    { id: "state", label: t("apps.status"), width: "150px", narrow: true, cell: (account) => html`<${Status} status=${account.enabled ? "Ready" : "Suspended"} />` },
    { id: "may", label: t("accounts.may"), width: "minmax(140px, 2fr)", cell: (account) => html`<span class="chips">${account.capabilities.map((name) => html`<${Chip} key=${name}>${word("capability", name)}<//>`)}</span>` },
    { id: "tokens", label: t("accounts.tokens"), width: "110px", cell: (account) => html`<span class="num">${account.tokens.length}</span>` },
  ];
  const done = (/** @type {string | null} */ name) => {
    setQuery({ do: null, account: name });
    again();
  };
  return html`<div class="page-head"><h1>${t("nav.accounts")}</h1><span class="grow"></span>${can && html`<${Button} icon="plus" onClick=${() => setQuery({ do: "new", account: null })}>${t("accounts.new")}<//>`}</div><p class="muted">${t("accounts.what")}</p>
    ${can === false && html`<${MayNotChange} resource="settings" action="update" object=${MAP} />`}
    ${data.length ? html`<div class="card grow-sheet"><${Table} label=${t("nav.accounts")} columns=${columns} total=${data.length} at=${(/** @type {number} */ i) => data[i]} id=${(/** @type {Account} */ account) => account.name} row=${44} current=${chosen} onOpen=${(/** @type {Account} */ account) => setQuery({ account: account.name })} /></div>` : html`<${Empty} icon="users" title=${t("accounts.none")}>${t("accounts.none.what")}<//>`}
    ${one && html`<${One} key=${one.name} account=${one} again=${again} can=${can === true} />`}
    ${deed === "new" && html`<${AccountDialog} deed="new" account=${null} accounts=${data} can=${can !== false} onDone=${done} />`}
    ${one && (deed === "edit" || deed === "disable" || (deed === "remove" && one.name !== ADMIN)) && html`<${AccountDialog} key=${`${deed} ${one.name}`} deed=${deed} account=${one} accounts=${data} can=${can !== false} onDone=${done} />`}`;
}

/** @param {{account: Account, again: () => void, can: boolean}} props `can`: its place in the settings may be changed */
function One({ account, again, can: canChange }) {
  const isMe = me.value?.name === account.name && me.value.mayChangePassword;
  const can = useCan("accounts", "update", account.name);
  const may = isMe || can !== false;
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [sure, setSure] = useState(""); // the token that goes when it is pressed once more
  const busy = useRef(false);
  const path = `/accounts/${encodeURIComponent(account.name)}`;
  /** @param {() => Promise<any>} doing @param {string} done */
  const act = async (doing, done) => {
    if (busy.current) return false;
    busy.current = true;
    setProblem(null);
    try {
      await doing();
      say("good", done);
      again();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      return false;
    } finally {
      busy.current = false;
    }
  };
  const actions = canChange && html`<${Button} small icon="pencil" onClick=${() => setQuery({ do: "edit" })}>${t("accounts.edit")}<//><${Button} small icon=${account.enabled ? "pause" : "play"} onClick=${() => setQuery({ do: "disable" })}>${t(account.enabled ? "accounts.disable" : "accounts.enable")}<//>${account.name !== ADMIN && html`<${Button} small icon="trash" label=${t("accounts.remove.open")} onClick=${() => setQuery({ do: "remove" })} />`}`;
  return html`<${Panel} title=${html`<h2>${account.name}</h2>`} label=${account.name} actions=${actions} onClose=${() => setQuery({ account: null })}><div class="stack">
    ${problem && html`<${Notice} tone="bad" title=${problem.details.title}>${problem.details.detail} ${problem.details.hint}<//>`}
    ${!may && html`<${Notice} tone="none" icon="lock" title=${t("can.not")}>${t("can.line")} <code>p, ROLE, accounts, update, ${account.name}, allow</code><//>`}
    <${Facts} rows=${[[t("apps.status"), html`<${Status} status=${account.enabled ? "Ready" : "Suspended"} />`], [t("accounts.may"), account.capabilities.map((name) => word("capability", name)).join(", ") || "–"], [t("session.password"), account.hasPassword ? t("fact.yes") : t("fact.no")]]} />
    <section class="card"><header><h3>${t("accounts.tokens")}</h3></header>
      ${token && html`<div class="body"><${Notice} tone="good" title=${t("accounts.token.once")}><p class="row wrap"><code class="token">${token}</code><${Button} small icon="copy" label=${t("text.copy")} onClick=${() => copy(token)} /></p><//></div>`}
      ${account.tokens.length ? account.tokens.map((one) => html`<div class="list-line" key=${one.id}><span class="grow"><strong class="clip">${one.id}</strong><span class="muted" style=${{ display: "block" }}><${Ago} at=${Date.parse(one.issued)} /> · ${one.expires ? html`${t("accounts.token.until")} <${Ago} at=${Date.parse(one.expires)} />` : t("accounts.token.endless")}</span></span>${may && html`<${Button} small icon="trash" kind=${sure === one.id ? "danger" : ""} onClick=${() => sure !== one.id ? setSure(one.id) : act(() => call(`${path}/tokens/${encodeURIComponent(one.id)}`, { method: "DELETE" }), t("accounts.token.gone"))}>${t(sure === one.id ? "accounts.token.take.sure" : "accounts.token.take")}<//>`}</div>`) : html`<p class="body muted">${t("accounts.token.none")}</p>`}
      ${may && (account.capabilities.includes("apiKey") ? html`<${NewToken} onMake=${(/** @type {any} */ body) => act(async () => setToken((await call(`${path}/tokens`, { method: "POST", body })).token), t("accounts.token.made"))} />` : html`<p class="body faint">${t("accounts.token.cannot")}</p>`)}
    </section>
    ${may && html`<${Password} own=${isMe} onSet=${(/** @type {any} */ body) => act(() => call(`${path}/password`, { method: "PUT", body }), t("accounts.password.set"))} />
      <div class="row"><${Button} icon="log-out" onClick=${() => act(() => call(`${path}/sessions`, { method: "DELETE" }), t("accounts.out.done", { name: account.name }))}>${t("accounts.out")}<//></div>`}
    <${Yaml} text=${yamlOf(formOf(account))} title=${t("place.yaml")} name=${`${account.name}.yaml`} />
    <p class="faint">${t("accounts.git")} <a href=${href(`/settings?map=argocd-cm&key=${encodeURIComponent(`accounts.${account.name}`)}`)}>${t("nav.settings")}</a></p>
  </div><//>`;
}

/** @param {{onMake: (body: {id: string, expiresIn: number}) => Promise<boolean>}} props */
function NewToken({ onMake }) {
  const [id, setId] = useState("");
  const [days, setDays] = useState(30);
  const make = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await onMake({ id, expiresIn: days * 86400 })) setId("");
  };
  return html`<form class="body row wrap token-form" onSubmit=${make}>
    <${Field} label=${t("accounts.token.id")}>${(/** @type {any} */ a) => html`<input class="input" value=${id} autocapitalize="off" spellcheck="false" onInput=${(/** @type {any} */ event) => setId(event.currentTarget.value)} ...${a} />`}<//>
    <${Field} label=${t("accounts.token.for")}>${(/** @type {any} */ a) => html`<select class="input" value=${String(days)} onChange=${(/** @type {any} */ event) => setDays(Number(event.currentTarget.value))} ...${a}>${DAYS.map((n) => html`<option key=${n} value=${String(n)}>${n ? t("accounts.days", { n }) : t("accounts.token.endless")}</option>`)}</select>`}<//>
    <${Button} type="submit" icon="key-round">${t("accounts.token.make")}<//>
  </form>`;
}

/** @param {{own: boolean, onSet: (body: {currentPassword: string, newPassword: string}) => Promise<boolean>}} props */
function Password({ own, onSet }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const set = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await onSet({ currentPassword: current, newPassword: next })) (setCurrent(""), setNext(""));
  };
  return html`<section class="card"><header><h3>${t("accounts.password")}</h3></header><form class="body stack" onSubmit=${set}>
    <${Field} label=${own ? t("accounts.password.current") : t("accounts.password.yours")} help=${own ? "" : t("accounts.password.why")}>${(/** @type {any} */ a) => html`<input class="input" type="password" autocomplete="current-password" value=${current} onInput=${(/** @type {any} */ event) => setCurrent(event.currentTarget.value)} ...${a} />`}<//>
    <${Field} label=${t("accounts.password.new")} help=${t("accounts.password.ends")}>${(/** @type {any} */ a) => html`<input class="input" type="password" autocomplete="new-password" value=${next} onInput=${(/** @type {any} */ event) => setNext(event.currentTarget.value)} ...${a} />`}<//>
    <div><${Button} type="submit" disabled=${!current || !next}>${t("accounts.password.set.do")}<//></div>
  </form></section>`;
}
