import assert from "node:assert/strict";
import test from "node:test";
const { networkOf } = await import("../../../../src/trueup/server/pages/static/lib/network.js");

const node = (kind, name, parent = null, more = {}) => ({ id: `${kind}/shop/${name}`, parent, kind, name, health: "Healthy", note: "", ...more });
const service = node("Service", "web", null, { addresses: ["10.96.0.13"] });
const pods = [node("Pod", "web-1"), node("Pod", "web-2")];
const slice = node("EndpointSlice", "web-x", service.id, { targets: pods.map((pod) => pod.id) });
const paths = (nodes) => networkOf(nodes, { outside: "out", inside: "in" })?.map((stop) => stop.id.replaceAll("/shop/", " "));

test("a Service has the pods of its slices, and stands in the cluster where nothing leads to it from outside", () => {
  assert.deepEqual(paths([service, slice, ...pods]), ["inside", "inside>Service web", "inside>Service web>Pod web-1", "inside>Service web>Pod web-2"]);
});

test("an Ingress leads from outside to the Service, and others stay inside beside it", () => {
  const door = node("Ingress", "web", null, { targets: [service.id], hosts: ["shop.example.com"] });
  const other = node("Service", "cache");
  assert.deepEqual(paths([door, service, slice, other, pods[0]]), ["outside", "outside>Ingress web", "outside>Ingress web>Service web", "outside>Ingress web>Service web>Pod web-1", "inside", "inside>Service cache"]);
});

test("a Service that a name outside leads to is reached from there", () => {
  assert.deepEqual(paths([{ ...service, hosts: ["lb.example.com"] }]), ["outside", "outside>Service web"]);
});

test("where nothing takes traffic there is no network, and an autoscaler takes none", () => {
  const scaler = node("HorizontalPodAutoscaler", "web", null, { targets: ["Deployment/shop/web"] });
  assert.equal(paths([scaler, node("Deployment", "web")]), undefined);
});

test("what leads to itself ends", () => {
  const a = node("HTTPRoute", "a", null, { targets: ["HTTPRoute/shop/b"] });
  const b = node("HTTPRoute", "b", null, { targets: ["HTTPRoute/shop/a", service.id] });
  const c = node("HTTPRoute", "c", null, { targets: [b.id] });
  assert.ok(paths([a, b, c, service]).length < 20);
});
