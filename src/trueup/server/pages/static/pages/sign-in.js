// Signing in: name and password, or whatever providers the server has. Says so when a session has ended.
import { html } from "../lib/html.js";
import { useState, useEffect } from "preact/hooks";
import { t } from "../i18n/i18n.js";
import { signIn, waysIn } from "../live/session.js";
import { Problem } from "../live/api.js";
import { useLoaded } from "../live/resource.js";
import { go, href, place, query } from "../lib/route.js";
import { Button, Field, Notice } from "../ui/basics.js";
import { LanguageMenu, Mark } from "../shell.js";

const LOGIN = "/login";
/** Why single sign-on did not succeed, by the reason that the server sends the browser here with. @type {Record<string, import("../i18n/i18n.js").Key>} */
const REASONS = { NotAllowedIn: "session.sso.not-allowed", ProviderUnreachable: "session.sso.unreachable", Unauthenticated: "session.sso.unproved" };

/** @param {{ended: boolean}} props */
export function SignIn({ ended }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [wrong, setWrong] = useState(/** @type {Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const { data: ways } = useLoaded("ways", waysIn);
  const sentHere = place.value.path === LOGIN;
  const back = sentHere ? "/" : place.value.path + place.value.search;
  const failed = sentHere ? query.value.get("error") : null;
  useEffect(() => {
    document.title = `${t("session.in")} · Trueup`;
  }, []);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setWrong(null);
    try {
      await signIn(name, password);
      if (sentHere) go("/", { replace: true });
    } catch (error) {
      setWrong(error instanceof Problem ? error : new Problem({ title: String(error), status: -1 }));
      setPassword("");
    } finally {
      setBusy(false);
    }
  };
  return html`<main class="sign-in" style=${{ maxWidth: "none" }}>
    <div class="box">
      <div class="mark"><${Mark} size=${48} /><h1>${t("session.welcome")}</h1><p class="muted">${t("session.what")}</p></div>
      <form class="card" onSubmit=${submit}>
        ${failed && !wrong && html`<${Notice} tone="bad">${t(REASONS[failed] ?? "session.sso.failed")}<//>`}
        ${ended && !wrong && !failed && html`<${Notice} tone="warn">${t("session.ended")}<//>`}
        ${wrong && html`<${Notice} tone="bad">${wrong.details.status === 401 || wrong.details.status === 400 ? t("session.wrong") : wrong.details.status === 429 ? t("session.slow") : wrong.details.status === 0 ? t("wrong.unreachable.hint") : wrong.details.detail || wrong.details.title}<//>`}
        ${ways?.providers.map((provider) => html`<${Button} key=${provider.id} icon="key-round" href=${href(`${provider.url}&return_url=${encodeURIComponent(back)}`)} target="_self">${t("session.with", { provider: provider.name })}<//>`)}
        ${ways?.providers.length && ways.password ? html`<div class="or">${t("session.or")}</div>` : null}
        ${(ways?.password ?? true) && html`<${Field} label=${t("session.name")}>${(/** @type {any} */ attributes) => html`<input class="input" name="username" autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} ...${attributes} />`}<//>
        <${Field} label=${t("session.password")}>${(/** @type {any} */ attributes) => html`<input class="input" name="password" type="password" autocomplete="current-password" required value=${password} onInput=${(/** @type {any} */ event) => setPassword(event.currentTarget.value)} ...${attributes} />`}<//>
        <${Button} type="submit" kind="primary" disabled=${busy}>${busy ? t("session.busy") : t("session.in")}<//>`}
      </form>
      <p class="faint" style=${{ textAlign: "center" }}>${t("session.first")}</p>
      <div class="row" style=${{ justifyContent: "center" }}><${LanguageMenu} /></div>
    </div>
  </main>`;
}
