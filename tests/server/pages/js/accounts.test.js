import assert from "node:assert/strict";
import test from "node:test";
const { EMPTY, formOf, isAs, keysOf, withoutKeys, wrongWith, yamlOf } = await import("../../../../src/trueup/server/pages/static/lib/accountforms.js");

const bob = { name: "bob", login: true, apiKey: true, enabled: true };

test("a user is its capabilities, and enabled is not written", () => {
  assert.deepEqual(keysOf(bob), { "accounts.bob": "apiKey, login", "accounts.bob.enabled": null });
  assert.deepEqual(keysOf({ ...bob, apiKey: false, enabled: false }), { "accounts.bob": "login", "accounts.bob.enabled": "false" });
  assert.deepEqual(withoutKeys("bob"), { "accounts.bob": null, "accounts.bob.enabled": null });
  assert.equal(yamlOf({ ...bob, enabled: false }), '# ConfigMap argocd-cm\ndata:\n  accounts.bob: apiKey, login\n  accounts.bob.enabled: "false"\n');
});

test("admin is disabled by a key of its own, and enabled whichever key kept it out", () => {
  const admin = { name: "admin", login: true, apiKey: false, enabled: false };
  assert.deepEqual(keysOf(admin), { "accounts.admin": null, "accounts.admin.enabled": null, "admin.enabled": "false" });
  assert.deepEqual(keysOf({ ...admin, apiKey: true, enabled: true }), { "accounts.admin": "apiKey, login", "accounts.admin.enabled": null, "admin.enabled": null });
  assert.equal(yamlOf({ ...admin, enabled: true }), "# ConfigMap argocd-cm\ndata: {}\n");
});

test("what could be no user is said before anybody is asked", () => {
  const wrong = (name, more = {}) => wrongWith({ ...EMPTY, name, ...more }, ["alice"]);
  assert.deepEqual(["", "a.b", "a b", "alice", "x".repeat(33), "bob"].map((name) => wrong(name)), ["name", "name", "name", "taken", "long", ""]);
  assert.equal(wrong("bob", { login: false }), "nothing");
});

test("a form comes from a user and is told to be as it was written", () => {
  const told = { name: "bob", enabled: false, capabilities: ["apiKey"] };
  assert.ok(isAs(told, formOf(told)));
  assert.ok(!isAs(told, { ...formOf(told), enabled: true }));
  assert.ok(!isAs(null, formOf(told)));
});
