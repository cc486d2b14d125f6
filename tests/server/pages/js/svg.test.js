import assert from "node:assert/strict";
import { test } from "node:test";
import { layout } from "../../../../src/trueup/server/pages/static/lib/layout.js";
import { escaped, timelineSvg, treeSvg } from "../../../../src/trueup/server/pages/static/lib/svg.js";

const colour = (token) => `#${token.length.toString(16).padStart(6, "0")}`;
const tone = (status) => ({ Healthy: "good", Degraded: "bad" })[status] ?? "none";
const how = { label: "Tree of <web>", tone, word: (status) => status.toUpperCase(), colour, groupName: (n, kind) => `${n} × ${kind}` };

/** Well-formed: each tag that opens closes, in order. @param {string} text */
function wellFormed(text) {
  const open = [];
  for (const [whole, close, name, alone] of text.matchAll(/<(\/?)([a-z]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close) assert.equal(open.pop(), name, whole);
    else if (!alone) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(text.replace(/<[^<>]*>/g, ""), /[<>]/);
}

test("a tree is one document with a box for each node, its status in words", () => {
  const nodes = [
    { id: "a", parent: null, kind: "Kustomization", name: "web & <co>", status: "Degraded" },
    { id: "b", parent: "a", kind: "Deployment", name: "web", status: "Healthy", sync: "OutOfSync" },
  ];
  const text = treeSvg({ plan: layout(nodes), ...how });
  wellFormed(text);
  assert.equal(text.match(/<g transform="translate\(\d/g).length, 3);
  assert.equal(text.match(/<path /g).length, 1);
  assert.match(text, /DEGRADED/);
  assert.match(text, /HEALTHY · OUTOFSYNC/);
  assert.match(text, /web &#38; &#60;co&#62;/);
});

test("a group is one box that says how many it stands for", () => {
  const nodes = [{ id: "a", parent: null, kind: "ReplicaSet", name: "web", status: "Healthy" }, ...Array.from({ length: 9 }, (_, i) => ({ id: `p${i}`, parent: "a", kind: "Pod", name: `web-${i}`, status: "Healthy" }))];
  assert.match(treeSvg({ plan: layout(nodes), ...how }), /9 × Pod/);
});

test("a timeline holds what lies in its span, what went wrong in a form of its own", () => {
  const entry = (id, at, status, more = {}) => ({ id, at, lane: "sync", status, title: id, ...more });
  const entries = [entry("before", 10), entry("in", 1500, "Healthy", { until: 1700, who: "malee" }), entry("bad", 1800, "Degraded"), entry("after", 99_000, "Healthy")];
  const text = timelineSvg({ entries, lanes: [{ id: "sync", label: "Syncs" }], span: { from: 1000, to: 2000 }, label: "Past", tone, colour, tick: (at) => String(at) });
  wellFormed(text);
  assert.match(text, /<title>in · 1970-01-01T00:00:01.500Z · malee<\/title><rect/);
  assert.match(text, /<title>bad [^<]*<\/title><path/);
  assert.doesNotMatch(text, /<title>(before|after)/);
});

test("nothing that a text holds can leave its place", () => {
  assert.equal(escaped(`"><script>alert('&')</script>\u0000\ud800`), "&#34;&#62;&#60;script&#62;alert(&#39;&#38;&#39;)&#60;/script&#62;\ufffd\ufffd");
});
