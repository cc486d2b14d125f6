import assert from "node:assert/strict";
import test from "node:test";
import { NODE, inside, layout, step } from "../../../../src/trueup/server/pages/static/lib/layout.js";

const node = (id, parent, kind = "Deployment", status = "Healthy") => ({ id, parent, kind, name: id, status });
const byId = (plan) => new Map(plan.placed.map((place) => [place.id, place]));

function many(count) {
  const nodes = [node("app", null, "App")];
  for (let i = 0; nodes.length < count; i += 1) {
    nodes.push(node(`d${i}`, "app"), node(`r${i}`, `d${i}`, "ReplicaSet"));
    for (let p = 0; p < 3; p += 1) nodes.push(node(`p${i}.${p}`, `r${i}`, "Pod"));
  }
  return nodes;
}

test("no two nodes overlap, and a parent stands left of its children, beside their middle", () => {
  const plan = layout(many(300), { group: false });
  const places = byId(plan);
  const columns = new Map();
  for (const place of plan.placed) columns.set(place.x, [...(columns.get(place.x) ?? []), place.y]);
  for (const rows of columns.values()) {
    rows.sort((a, b) => a - b);
    for (let i = 1; i < rows.length; i += 1) assert.ok(rows[i] - rows[i - 1] >= NODE.height);
  }
  assert.ok(places.get("d0").x < places.get("r0").x);
  assert.equal(places.get("r0").y, places.get("p0.1").y);
});

test("a folded node says how many it hides, and they take no room", () => {
  const nodes = many(51);
  const plan = layout(nodes, { folded: new Set(["d0"]), group: false });
  assert.equal(byId(plan).get("d0").hidden, 4);
  assert.equal(plan.placed.length, nodes.length - 4);
  assert.ok(plan.height < layout(nodes, { group: false }).height);
});

test("many well siblings of a kind become one, and what is unwell stays by itself", () => {
  const nodes = [node("app", null, "App"), ...Array.from({ length: 12 }, (_, i) => node(`c${i}`, "app", "ConfigMap", i === 4 ? "Degraded" : "Healthy"))];
  const plan = layout(nodes);
  assert.deepEqual(plan.placed.filter((place) => place.group).map((place) => place.group.length), [11]);
  assert.ok(byId(plan).has("c4"));
  assert.equal(layout(nodes, { opened: new Set(["app/*ConfigMap"]) }).placed.length, 13);
});

test("a node whose owner is not there stands at the root, and an owner of itself does no harm", () => {
  const plan = layout([node("a", "gone"), node("b", "b")]);
  assert.deepEqual(plan.placed.map((place) => [place.id, place.parent]), [["a", null], ["b", null]]);
});

test("of 2,000 nodes only those in the window are given to the document", () => {
  const plan = layout(many(2000), { group: false });
  assert.ok(plan.placed.length >= 2000);
  assert.ok(inside(plan.placed, { x: 0, y: 0, width: 1400, height: 800 }).length < 60);
});

test("arrows lead to parent, first child and neighbours, and stay where there is none", () => {
  const { placed } = layout(many(20), { group: false });
  assert.equal(step(placed, "app", "ArrowRight"), "d0");
  assert.equal(step(placed, "d0", "ArrowDown"), "d1");
  assert.equal(step(placed, "d1", "ArrowUp"), "d0");
  assert.equal(step(placed, "d0", "ArrowLeft"), "app");
  assert.equal(step(placed, "app", "ArrowLeft"), "app");
  assert.equal(step(placed, "p0.0", "ArrowRight"), "p0.0");
});
