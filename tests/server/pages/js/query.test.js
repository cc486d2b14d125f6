import assert from "node:assert/strict";
import test from "node:test";
import { fuzzy, nearest, parseQuery, toggleTerm, wordAt, writeQuery } from "../../../../src/trueup/server/pages/static/lib/query.js";

const FIELDS = ["status", "ns", "kind", "label"];
const terms = (text) => parseQuery(text, FIELDS).terms.map(({ field, value, negated }) => (negated ? "-" : "") + (field ? `${field}=` : "") + value);

test("words, fields, exclusions and exact words are read", () => {
  assert.deepEqual(terms('web status:Degraded -kind:HelmRelease "two words" label:app=web'), ["web", "status=Degraded", "-kind=HelmRelease", "two words", "label=app=web"]);
});

test("a name with a dash is no exclusion, a lone dash is a word", () => {
  assert.deepEqual(terms("web-shop -"), ["web-shop", "-"]);
});

test("an unknown field is told with the nearest known one", () => {
  const { problems, terms } = parseQuery("statsu:Ready", FIELDS);
  assert.deepEqual(terms, []);
  assert.deepEqual(problems, [{ kind: "unknown-field", at: 0, end: 12, text: "statsu", near: "status" }]);
});

test("a field without a value and a quote without an end are told, and nothing else is lost", () => {
  assert.deepEqual(parseQuery("status: web", FIELDS).problems.map((one) => one.kind), ["no-value"]);
  assert.deepEqual(parseQuery('web "open', FIELDS).problems.map((one) => one.kind), ["open-quote"]);
  assert.deepEqual(terms('web "open'), ["web", "open"]);
});

test("what is written is read back the same", () => {
  const values = ["web", "two words", "-minus", "a:b", "x=1", "ทดสอบ", "a-b_c"];
  for (const value of values) for (const field of ["", "label"]) for (const negated of [false, true]) {
    const text = writeQuery([{ field, value, negated }]);
    assert.deepEqual(parseQuery(text, FIELDS).terms.map((one) => [one.field, one.value, one.negated]), [[field, value, negated]], text);
  }
});

test("a filter goes in and out again, and leaves the rest", () => {
  const once = toggleTerm("web", "status", "Ready", FIELDS);
  assert.equal(once, "web status:Ready");
  assert.equal(toggleTerm(once, "status", "Ready", FIELDS), "web");
});

test("the word under the caret is what is completed", () => {
  assert.deepEqual(wordAt("web sta", 7), { start: 4, word: "sta" });
});

test("letters in order are found, and a start of a word counts more than the middle of one", () => {
  assert.equal(fuzzy("xyz", "web").score, 0);
  assert.ok(fuzzy("shop", "shop-web").score > fuzzy("shop", "workshop-web").score);
  assert.ok(fuzzy("sw", "shop-web").score > 0);
  assert.deepEqual(fuzzy("sw", "shop-web").marks, [0, 5]);
});

test("nothing near is no guess", () => assert.equal(nearest("zzzzzz", FIELDS), ""));
