"""What admission adds to every new pod: its service account and the account's token volume, tolerations, priority.

Follows the admission plugins ServiceAccount, DefaultTolerationSeconds and Priority.
"""

from __future__ import annotations

import secrets
from typing import Any

from trueup.embedded.api import refusals
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, metadata_of

PODS, ACCOUNTS = Resource("", "pods"), Resource("", "serviceaccounts")
PRIORITIES = Resource("scheduling.k8s.io", "priorityclasses")
_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_SIGNS = "bcdfghjklmnpqrstvwxz2456789"
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_MIRROR = "kubernetes.io/config.mirror"


_COMPUTED = "the {} must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name"


class PodAdmission:
    """Changes a decoded, defaulted pod in place."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, pod: Manifest, namespace: str) -> None:
        """Raises 403 for a service account or priority class that does not exist."""
        spec = pod.get("spec")
        if not isinstance(spec, dict):
            return
        self._priority(pod, spec)
        _tolerate(spec)
        if _MIRROR in (metadata_of(pod).get("annotations") or {}):
            _check_mirror(pod, spec)
        else:
            self._account(pod, spec, namespace)

    def _priority(self, pod: Manifest, spec: dict[str, Any]) -> None:
        name = spec.get("priorityClassName") or ""
        found = None
        if name:
            record = self._store.latest(PRIORITIES, "", name)
            if record is None:
                raise _forbidden(pod, f"no PriorityClass with name {name} was found")
            found = record.manifest
        else:
            for record in self._store.scan(PRIORITIES):
                if record.manifest.get("globalDefault"):
                    found = record.manifest
                    spec["priorityClassName"] = record.key.name
        computed = found.get("value", 0) if found else 0
        policy = (found or {}).get("preemptionPolicy") or "PreemptLowerPriority"
        if (asked := spec.get("priority")) is not None and asked != computed:
            raise _forbidden(pod, _COMPUTED.format(f"integer value of priority ({asked})", computed))
        if (asked := spec.get("preemptionPolicy")) and asked != policy:
            raise _forbidden(pod, _COMPUTED.format(f"string value of PreemptionPolicy ({asked})", policy))
        spec["priority"], spec["preemptionPolicy"] = computed, policy

    def _account(self, pod: Manifest, spec: dict[str, Any], namespace: str) -> None:
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._store.latest(ACCOUNTS, namespace, name)
        if account is None:
            raise _forbidden(
                pod,
                f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found',
            )
        if not spec.get("imagePullSecrets") and account.manifest.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(each) for each in account.manifest["imagePullSecrets"]]
        mounts = spec.get("automountServiceAccountToken")
        if mounts is None:
            mounts = account.manifest.get("automountServiceAccountToken")
        if mounts is not False:
            _mount_token(spec)


def _check_mirror(pod: Manifest, spec: dict[str, Any]) -> None:
    """A mirror pod stands for one that its node runs already, from a file: it may use nothing of the API."""
    if spec.get("serviceAccountName"):
        raise _forbidden(pod, "a mirror pod may not reference service accounts")
    held = ((spec, "volumes", "secret"), (spec, "volumes", "persistentVolumeClaim"))
    said = {"secret": "secrets", "persistentVolumeClaim": "persistentvolumeclaims"}
    for owner, field, source in held:
        if any(each.get(source) for each in owner.get(field) or ()):
            raise _forbidden(pod, f"a mirror pod may not reference {said[source]}")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            refers = [each.get("valueFrom") or {} for each in container.get("env") or ()]
            if any(each.get("secretKeyRef") for each in refers):
                raise _forbidden(pod, "a mirror pod may not reference secrets")


def _mount_token(spec: dict[str, Any]) -> None:
    volumes = spec.get("volumes") or []
    name = next((each["name"] for each in volumes if str(each.get("name", "")).startswith("kube-api-access-")), "")
    added = not name
    if added:
        name = "kube-api-access-" + "".join(secrets.choice(_SIGNS) for _ in range(5))
    used = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if any(mount.get("mountPath") == _MOUNT for mount in mounts):
                continue
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": _MOUNT}]
            used = True
    if used and added:
        spec["volumes"] = [*volumes, {"name": name, "projected": {"sources": _token_sources(), "defaultMode": 420}}]


def _token_sources() -> list[dict[str, Any]]:
    reference = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": reference}]}},
    ]


def _tolerate(spec: dict[str, Any]) -> None:
    tolerations = list(spec.get("tolerations") or ())
    for key in _UNREACHABLE:
        if not any(
            each.get("key") in (key, None, "") and each.get("effect") in ("NoExecute", None, "") for each in tolerations
        ):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    spec["tolerations"] = tolerations


def _forbidden(pod: Manifest, said: str) -> refusals.ApiError:
    meta = metadata_of(pod)
    return refusals.forbidden(PODS, str(meta.get("name") or meta.get("generateName") or ""), said)
