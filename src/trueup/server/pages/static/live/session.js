// Who is signed in, and signing in and out.
import { signal } from "@preact/signals";
import { href } from "../lib/route.js";
import { Problem, call, signedOut } from "./api.js";

/** @typedef {{name: string, display: string, groups: string[], via: string, expires: string | null, mayChangePassword: boolean}} Me */

/** @type {import("@preact/signals").Signal<Me | null>} */
export const me = signal(null);
/** How one may sign in. @typedef {{password: boolean, anonymous: boolean, providers: Array<{id: string, name: string, url: string}>}} Ways */

/** @returns {Promise<Ways>} */
export const waysIn = () => call("/logins");

/** Finds out who is signed in; nobody is an answer too. */
export async function whoAmI() {
  try {
    me.value = await call("/session");
    signedOut.value = false;
  } catch (error) {
    if (!(error instanceof Problem) || error.details.status !== 401) throw error;
    me.value = null;
    signedOut.value = true;
  }
}

/** @param {string} username @param {string} password */
export async function signIn(username, password) {
  await call("/session", { method: "POST", body: { username, password } });
  await whoAmI();
}

export async function signOut() {
  /** @type {{providerUrl?: string} | null} */
  let answer = null;
  try {
    answer = await call("/session", { method: "DELETE" });
  } finally {
    me.value = null;
    signedOut.value = true;
  }
  if (answer?.providerUrl) location.assign(href(answer.providerUrl));
}
