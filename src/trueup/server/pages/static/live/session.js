// Who is signed in, and signing in and out.
import { signal } from "@preact/signals";
import { call, signedOut } from "./api.js";

/** @typedef {{name: string, groups: string[]}} Me */

/** @type {import("@preact/signals").Signal<Me | null>} */
export const me = signal(null);
/** How one may sign in. @typedef {{password: boolean, sso: Array<{name: string, url: string}>, anonymous: boolean}} Ways */

export async function whoAmI() {
  const info = await call("/api/v1/session/userinfo");
  me.value = info?.loggedIn ? { name: info.username || info.iss || "", groups: info.groups ?? [] } : null;
  signedOut.value = me.value === null;
}

/** @param {string} username @param {string} password */
export async function signIn(username, password) {
  await call("/api/v1/session", { method: "POST", body: { username, password } });
  await whoAmI();
}

export async function signOut() {
  try {
    await call("/api/v1/session", { method: "DELETE" });
  } finally {
    me.value = null;
    signedOut.value = true;
  }
}
