// The one icon set, and the icon that stands for each kind of object.
import { h } from "preact";
import { icons } from "../vendor/icons.mjs";

/** Decorative: the word stands beside it, or the button has a label. @param {{name: string, size?: number, class?: string}} props */
export function Icon({ name, size = 16, class: extra }) {
  const shapes = icons[name] ?? icons["box"] ?? [];
  return h(
    "svg",
    { class: extra, width: size, height: size, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": size < 20 ? 2 : 1.75, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" },
    shapes.map(([tag, attributes]) => h(/** @type {any} */ (tag), attributes)),
  );
}

/** @type {Record<string, string>} */
const kinds = {
  Application: "layers", ApplicationSet: "square-stack", Kustomization: "layers", HelmRelease: "package",
  Deployment: "refresh-cw", StatefulSet: "database", DaemonSet: "server", ReplicaSet: "square-stack", ReplicationController: "square-stack",
  Pod: "box", Job: "play", CronJob: "calendar-clock", Service: "network", Ingress: "route", IngressClass: "route", Gateway: "route", HTTPRoute: "route",
  EndpointSlice: "waypoints", Endpoints: "waypoints", NetworkPolicy: "shield", ConfigMap: "file-text", Secret: "file-lock",
  ServiceAccount: "circle-user", Role: "key-round", ClusterRole: "key-round", RoleBinding: "link", ClusterRoleBinding: "link",
  PersistentVolumeClaim: "hard-drive", PersistentVolume: "hard-drive", StorageClass: "hard-drive", Namespace: "folder",
  CustomResourceDefinition: "file-code", HorizontalPodAutoscaler: "scale", PodDisruptionBudget: "shield", Node: "cpu",
  GitRepository: "folder-git-2", OCIRepository: "package", HelmRepository: "archive", HelmChart: "package", Bucket: "cloud",
  ResourceQuota: "sliders-horizontal", LimitRange: "sliders-horizontal", ValidatingWebhookConfiguration: "webhook", MutatingWebhookConfiguration: "webhook",
  AppProject: "shield", Internet: "globe", Cluster: "server",
};

/** @param {string} kind */
export const kindIcon = (kind) => kinds[kind] ?? "cog";
