import assert from "node:assert/strict";
import test from "node:test";
const { shortened } = await import("../../../../src/trueup/server/pages/static/lib/revisions.js");

test("digests in a message are as short as people say them, and other words stay", () => {
  const sha = "33939382abaab9d176b4427754fe0a1b2c3d4e5f";
  assert.equal(shortened(`Applied revision: main@sha1:${sha}`), "Applied revision: main@3393938");
  assert.equal(shortened(`from ${sha} to sha256:${"ab".repeat(32)}.`), "from 3393938 to abababa.");
  assert.equal(shortened("image web:1.9 (3393938) at deadbeef"), "image web:1.9 (3393938) at deadbeef");
});
