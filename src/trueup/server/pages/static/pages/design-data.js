// Samples for the design page: data as a cluster would have it, no words of ours.

export const SAMPLE = { ref: "Deployment/shop/web", file: "web.yaml", app: "web", label: "app=web" };

export const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels:
    app.kubernetes.io/name: web
    app.kubernetes.io/part-of: shop
  annotations:
    trueup.dev/source: "clusters/production/shop/web.yaml:1"
spec:
  replicas: 2
  revisionHistoryLimit: 10
  selector:
    matchLabels:
      app.kubernetes.io/name: web
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web
    spec:
      containers:
        - name: web
          image: registry.example.com/shop/web:1.8.2
          args: [--listen, ":8080"]
          env:
            - name: LOG_LEVEL
              value: info
            - name: DB_PASSWORD
              value: ++++++++
          ports:
            - containerPort: 8080
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
          readinessProbe:
            httpGet:
              path: /ready
              port: 8080
`;

export const CHANGED = DEPLOYMENT.replace("replicas: 2", "replicas: 3").replace("web:1.8.2", "web:1.9.0").replace("value: ++++++++", "value: +++++++++++").replace("              memory: 128Mi\n", "              memory: 128Mi\n            limits:\n              memory: 256Mi\n");

const WORDS = ["GET /products 200", "GET /cart 200", "POST /checkout 201", "GET /products/84 404", "cache refreshed", "payment provider slow"];
/** @param {number} count */
export const logLines = (count) => Array.from({ length: count }, (_, i) => ({ at: 1790000000000 + i * 730, pod: `web-7d9f8c6b5-${["x2v9k", "m4q7t", "p8w3z"][i % 3]}`, text: `level=${i % 17 === 5 ? "warn" : "info"} msg="${WORDS[i % WORDS.length]}" ms=${(i * 37) % 290} request=${(i * 7919).toString(16)}` }));

const STATUS = ["Healthy", "Healthy", "Healthy", "Healthy", "Healthy", "Healthy", "Healthy", "Healthy", "Progressing", "Healthy", "Degraded", "Healthy", "Healthy"];
/** A tree of about `count` nodes. @param {number} count */
export function treeNodes(count) {
  /** @type {import("../lib/layout.js").TreeNode[]} */
  const nodes = [{ id: "app", parent: null, kind: "Kustomization", name: "shop", status: "Progressing", sync: "Synced", note: "main@3f2a91c" }];
  const names = ["web", "api", "cart", "search", "payments", "mail", "images", "accounts", "stock", "reports"];
  for (let i = 0; nodes.length < count; i += 1) {
    const name = `${names[i % names.length]}${i < names.length ? "" : `-${Math.floor(i / names.length)}`}`;
    const status = i === 0 ? "Progressing" : (STATUS[i % STATUS.length] ?? "Healthy");
    nodes.push({ id: `d-${name}`, parent: "app", kind: "Deployment", name, status, sync: i === 3 ? "OutOfSync" : "Synced", note: "2/3" });
    nodes.push({ id: `rs-${name}`, parent: `d-${name}`, kind: "ReplicaSet", name: `${name}-7d9f8c6b5`, status, note: "rev 4" });
    for (let p = 0; p < 3; p += 1) nodes.push({ id: `p-${name}-${p}`, parent: `rs-${name}`, kind: "Pod", name: `${name}-7d9f8c6b5-${"x2v9km4q7tp8w3z".slice(p * 5, p * 5 + 5)}`, status: p === 2 ? status : "Healthy", note: p === 2 && status !== "Healthy" ? "ImagePullBackOff" : "Running" });
    nodes.push({ id: `s-${name}`, parent: "app", kind: "Service", name, status: "Healthy", sync: "Synced" });
    nodes.push({ id: `c-${name}`, parent: "app", kind: "ConfigMap", name: `${name}-settings`, status: "Healthy", sync: "Synced" });
  }
  return nodes;
}

/** @param {number} count */
export const mapCells = (count) => Array.from({ length: count }, (_, i) => ({ id: String(i), name: `app-${String(i).padStart(5, "0")}`, group: ["production", "staging", "development"][(i * 7) % 10 < 5 ? 0 : (i * 7) % 10 < 8 ? 1 : 2] ?? "", status: i % 97 === 3 ? "Degraded" : i % 151 === 8 ? "Failed" : i % 41 === 1 ? "Progressing" : i % 59 === 2 ? "OutOfSync" : i % 211 === 7 ? "Suspended" : i % 301 === 9 ? "Unknown" : "Ready" }));

/** @param {number} now @returns {import("../ui/timeline.js").Entry[]} */
export function timeEntries(now) {
  const HOUR = 3_600_000;
  /** @type {import("../ui/timeline.js").Entry[]} */ const entries = [];
  for (let i = 0; i < 90; i += 1) {
    const at = now - ((i * 7919) % 1440) * 60_000;
    const lane = ["sync", "drift", "person", "event"][i % 4] ?? "event";
    entries.push({ id: String(i), at, lane, until: lane === "sync" ? at + ((i * 13) % 50) * 60_000 * 0.8 : null, status: lane === "drift" ? "OutOfSync" : i % 11 === 5 ? "Failed" : lane === "event" ? "Normal" : "Succeeded", title: `main@${(3000000 + i * 7919).toString(16)}`, who: "Malee" });
  }
  entries.push({ id: "long", at: now - 5 * HOUR, until: now - 3 * HOUR, lane: "sync", status: "Progressing", title: "main@3f2a91c", detail: "Deployment/shop/web 2/3" });
  return entries;
}
