import assert from "node:assert/strict";
import test from "node:test";
import { doneSteps, otherCount, proof } from "../../../../src/trueup/server/pages/static/lib/tour.js";

const WEB = { kind: "Deployment", namespace: "web-dev", name: "web" };
const row = (id, kind, before, after, more = {}) => ({
  id, kind, at: "", revision: `main@sha1:${id}`, result: "succeeded", took: 0.1, by: "", message: "",
  changes: before === undefined ? [] : [{ ref: WEB, action: "configured", fields: [{ path: "spec.replicas", before, after }] }], ...more,
});
const steps = (rows, after = 0) => doneSteps(proof(rows, after));

test("a push is proved by a sync that changed fields, and by nothing else", () => {
  assert.deepEqual(steps([]), { change: false, break: false, revert: false });
  assert.equal(steps([row(1, "sync")]).change, false, "a sync with nothing to do");
  assert.equal(steps([row(1, "sync", "2", "4", { result: "failed" })]).change, false);
  assert.equal(steps([row(1, "heal", "9", "2")]).change, false);
  assert.equal(steps([row(1, "sync", "2", "4")]).change, true);
  assert.equal(steps([row(1, "sync", "2", "4")], 1).change, false, "it was before the tour began");
});

test("drift is proved when it was seen and brought back, in whatever order the steps are done", () => {
  assert.equal(steps([row(1, "drift", "9", "2")]).break, false);
  assert.equal(steps([row(1, "drift", "9", "2"), row(2, "heal", "9", "2", { result: "failed" })]).break, false);
  assert.equal(steps([row(2, "heal", "9", "2"), row(1, "drift", "9", "2")]).break, true);
});

test("a revert is proved when every field of the change has its old value again", () => {
  assert.equal(steps([row(1, "sync", "2", "4"), row(2, "sync", "4", "6")]).revert, false);
  const found = proof([row(1, "sync", "2", "4"), row(2, "sync", "4", "6"), row(3, "sync", "6", "2"), row(4, "sync", "2", "5")], 0);
  assert.equal(found.reverted?.id, 3);
  assert.equal(steps([row(1, "sync", "2", "4"), row(2, "drift", "2", "4"), row(3, "heal", "2", "4")]).revert, false, "healing is no revert");
});

test("a commit that could not be applied is told until a good one comes", () => {
  assert.equal(proof([row(1, "failure")], 0).refused?.id, 1);
  assert.equal(proof([row(1, "failure"), row(2, "sync", "2", "4")], 0).refused, null);
  assert.equal(proof([row(1, "sync", "2", "4"), row(2, "failure")], 0).refused?.id, 2);
});

test("the change that is asked for is one", () => {
  assert.deepEqual([2, 4, null].map(otherCount), [4, 3, 4]);
});
