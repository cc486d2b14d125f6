import assert from "node:assert/strict";
import test from "node:test";
import { EventParser, backoff } from "../../../../src/trueup/server/pages/static/lib/events.js";
import { pagesOf, visible } from "../../../../src/trueup/server/pages/static/lib/virtual.js";
import { match } from "../../../../src/trueup/server/pages/static/lib/match.js";
import { tokens } from "../../../../src/trueup/server/pages/static/lib/yamltext.js";
import { clustered, moved, ticks, xOf, zoomed } from "../../../../src/trueup/server/pages/static/lib/timescale.js";
import { cellSize, placeCells } from "../../../../src/trueup/server/pages/static/lib/cells.js";

const STREAM = ': hello\r\nretry: 2000\n\nid: 7\nevent: app\ndata: {"a":\ndata: 1}\n\ndata: two\r\rdata\n\nid: 9\n\nevent: lost\n';

test("events are the same however the stream was cut", () => {
  const whole = new EventParser();
  const expected = whole.feed(STREAM);
  assert.deepEqual(expected, [
    { id: "7", event: "app", data: '{"a":\n1}' },
    { id: "7", event: "message", data: "two" },
    { id: "7", event: "message", data: "" },
  ]);
  assert.equal(whole.retry, 2000);
  assert.equal(whole.id, "9", "the id of an event without data is kept to resume by");
  for (let size = 1; size < 12; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.feed(STREAM.slice(at, at + size)));
    assert.deepEqual(events, expected, `in pieces of ${size}`);
  }
});

test("waits double up to half a minute, with chance in them", () => {
  assert.deepEqual([0, 1, 2, 20].map((n) => backoff(n, 1)), [500, 1000, 2000, 30_000]);
  assert.equal(backoff(0, 0), 250);
});

test("only the rows in view, and some beside them, are in the document", () => {
  const { from, to, before, after } = visible({ top: 40_000, height: 800, row: 40, total: 100_000 });
  assert.ok(from <= 1000 && to >= 1020 && to - from < 40);
  assert.equal(before + (to - from) * 40 + after, 100_000 * 40);
  assert.deepEqual(visible({ top: 0, height: 800, row: 40, total: 0 }), { from: 0, to: 0, before: 0, after: 0 });
  assert.deepEqual(visible({ top: 1e9, height: 800, row: 40, total: 10 }).to, 10);
});

test("rows lie on pages", () => assert.deepEqual(pagesOf(95, 210, 100), [0, 1, 2]));

test("an address names a page and its parts, percent-encoded ones too", () => {
  assert.deepEqual(match("/apps/:kind/:name", "/apps/Kustomization/a%2Fb"), { kind: "Kustomization", name: "a/b" });
  assert.equal(match("/apps/:kind", "/apps"), null);
  assert.equal(match("/apps/:kind", "/apps/%E0%A4%A"), null, "broken encoding is no page, and no crash");
});

test("colours never change the text", () => {
  const lines = ["a: b", "  - name: web # why", "- plain", '"quo: ted": 1', "key:", "# note", "  image: reg.io:5000/a:1", "- a: {b: c}", "", "x: 'it''s'", "  -1", "text with: colon", "- - nested: 1", "data: |", "url: http://x#y"];
  for (const line of lines) assert.equal(tokens(line).map(([, text]) => text).join(""), line);
  assert.deepEqual(tokens("replicas: 3"), [["k", "replicas"], ["", ":"], ["", " "], ["n", "3"]]);
});

test("ticks are round moments with room between them", () => {
  const DAY = 86_400_000;
  const { step, at } = ticks({ from: 0, to: DAY }, 1000, 96, 0);
  assert.equal(step, 3 * 3_600_000);
  assert.ok(at.every((one) => one % step === 0));
});

test("zooming keeps the moment under the pointer, and never leaves what there is", () => {
  const all = { from: 0, to: 1_000_000 };
  const near = zoomed(all, 4, 600_000, all);
  assert.equal(Math.round(xOf(near, 1000, 600_000)), 600);
  assert.deepEqual(zoomed(near, 0.001, 600_000, all), all);
  assert.deepEqual(moved(near, 9e9, all).to, all.to);
});

test("marks that would overlap become one with all their events", () => {
  const events = Array.from({ length: 100 }, (_, i) => ({ at: i * 10, lane: i % 2 ? "a" : "b" }));
  const marks = clustered(events, { from: 0, to: 1000 }, 200);
  assert.equal(marks.reduce((n, mark) => n + mark.events.length, 0), 100);
  assert.ok(marks.length < 40);
});

test("10,000 marks of a map do not overlap, and the worst come first in each group", () => {
  const cells = Array.from({ length: 10_000 }, (_, i) => ({ name: String(i), group: "abc"[i % 3], status: i % 50 === 0 ? "bad" : "good" }));
  const size = cellSize(cells.length, 1200);
  const plan = placeCells(cells, 1200, size, (cell) => (cell.status === "bad" ? 0 : 1));
  assert.equal(new Set(plan.cells.map(({ x, y }) => `${x},${y}`)).size, 10_000);
  assert.ok(plan.cells.every(({ x }) => x + size <= 1200));
  assert.equal(plan.cells[0].cell.status, "bad");
});
