import assert from "node:assert/strict";
import test from "node:test";
import { compare, counts, diffLines, diffWords, fold, sideBySide } from "../../../../src/trueup/server/pages/static/lib/diff.js";

// A small generator of chance that is the same each time.
const chance = (seed) => () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
const texts = (random, size) => Array.from({ length: Math.floor(random() * size) }, () => "abcde"[Math.floor(random() * 5)]).join("\n");

test("the old text and the new one can be read off the difference, whatever they are", () => {
  const random = chance(7);
  for (let i = 0; i < 400; i += 1) {
    const [before, after] = [texts(random, 30), texts(random, 30)];
    const rows = diffLines(before, after);
    assert.equal(rows.filter((row) => row.kind !== "add").map((row) => row.text).join("\n"), before);
    assert.equal(rows.filter((row) => row.kind !== "del").map((row) => row.text).join("\n"), after);
    assert.deepEqual(rows.filter((row) => row.before).map((row) => row.before), rows.filter((row) => row.before).map((_, j) => j + 1));
    assert.deepEqual(rows.filter((row) => row.after).map((row) => row.after), rows.filter((row) => row.after).map((_, j) => j + 1));
  }
});

test("no shorter difference exists", () => {
  const random = chance(11);
  for (let i = 0; i < 200; i += 1) {
    const [a, b] = [texts(random, 14).split("\n"), texts(random, 14).split("\n")];
    const common = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
    for (let x = a.length - 1; x >= 0; x -= 1) for (let y = b.length - 1; y >= 0; y -= 1) common[x][y] = a[x] === b[y] ? common[x + 1][y + 1] + 1 : Math.max(common[x + 1][y], common[x][y + 1]);
    assert.equal(compare(a, b).filter(([kind]) => kind === "same").length, common[0][0]);
  }
});

test("equal texts have no difference, and an empty one is all added", () => {
  assert.deepEqual(counts(diffLines("a\nb", "a\nb")), { added: 0, removed: 0 });
  assert.deepEqual(counts(diffLines("", "a\nb\n")), { added: 2, removed: 0 });
});

test("ten thousand lines of which all differ still end", () => {
  const [before, after] = ["x", "y"].map((letter) => Array.from({ length: 10_000 }, (_, i) => letter + i).join("\n"));
  assert.deepEqual(counts(diffLines(before, after)), { added: 10_000, removed: 10_000 });
});

test("inside a changed line only the words that differ are marked", () => {
  const [left, right] = diffWords("image: web:1.8.2", "image: web:1.9.2");
  assert.deepEqual(left.filter((part) => part.changed).map((part) => part.text), ["8"]);
  assert.deepEqual(right.filter((part) => part.changed).map((part) => part.text), ["9"]);
  assert.equal(diffWords("alpha: one", "zz"), null, "lines with nothing in common are not marked");
});

test("a masked value counts as one word, so that lengths tell no more than equal or not", () => {
  const [left] = diffWords("password: ++++++++", "password: +++++++++++");
  assert.deepEqual(left.filter((part) => part.changed).map((part) => part.text), ["++++++++"]);
});

test("equal lines are folded but for the context, and a person opens a fold", () => {
  const before = Array.from({ length: 40 }, (_, i) => `line ${i}`).join("\n");
  const rows = diffLines(before, before.replace("line 20", "line twenty"));
  const folded = fold(rows, 3);
  assert.deepEqual(folded.filter((row) => row.kind === "fold").map((row) => [row.from, row.to]), [[0, 17], [25, 41]]);
  assert.equal(folded.filter((row) => row.kind !== "fold").length, 8);
  assert.equal(fold(rows, 3, new Set([0])).length, 17 + 8 + 1);
});

test("no line is lost or shown twice by folding", () => {
  const random = chance(3);
  for (let i = 0; i < 200; i += 1) {
    const rows = diffLines(texts(random, 60), texts(random, 60));
    const covered = fold(rows, 2).reduce((n, row) => n + (row.kind === "fold" ? row.to - row.from : 1), 0);
    assert.equal(covered, rows.length);
  }
});

test("side by side, a deletion stands beside what replaces it", () => {
  const pairs = sideBySide(diffLines("a\nb\nc", "a\nx\ny\nc"));
  assert.deepEqual(pairs.map(({ left, right }) => [left?.text ?? null, right?.text ?? null]), [["a", "a"], ["b", "x"], [null, "y"], ["c", "c"]]);
});
