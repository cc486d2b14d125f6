"""`spec.kubeConfig` -> the cluster that an App's objects live in. Only objects of the resource's own namespace can be named."""

from __future__ import annotations

from trueup.dialects.flux.kustomization_resource import KubeConfigReference
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, spec_of
from trueup.model.refs import ObjectRef
from trueup.model.target import KubeconfigMap, KubeconfigSecret, Target

FIELD = "spec.kubeConfig"


def cluster_of(obj: Manifest) -> str:
    """Named after what holds its kubeconfig; empty: the cluster that the resource is in."""
    said = spec_of(obj).get("kubeConfig")
    if not isinstance(said, dict):
        return ""
    for name in ("secretRef", "configMapRef"):
        if isinstance(named := said.get(name), dict):
            return f"kubeconfig {named.get('name')}"
    return "kubeconfig"


def target_of(ref: ObjectRef, said: KubeConfigReference | None) -> Target | None:
    """None: the cluster of the controller. Raises InvalidInput where both or neither of the two are named."""
    if said is None:
        return None
    if (said.secret_ref is None) == (said.config_map_ref is None):
        found = "both" if said.secret_ref is not None else "neither"
        raise InvalidInput(
            f"names {found} of secretRef and configMapRef", ref=ref, field=FIELD, hint="name exactly one of the two"
        )
    if said.secret_ref is not None:
        return KubeconfigSecret(ObjectRef("", "Secret", ref.namespace, said.secret_ref.name), said.secret_ref.key)
    assert said.config_map_ref is not None
    return KubeconfigMap(ObjectRef("", "ConfigMap", ref.namespace, said.config_map_ref.name))
