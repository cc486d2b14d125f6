"""Who decides `spec.replicas`: the declaration, or an autoscaler that targets the object.

Where an autoscaler does, replicas are declared only for the creation; from then on they are neither sent nor compared.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trueup.model.fields import FieldSet
from trueup.model.manifest import Manifest, api_version_of, kind_of, name_of, namespace_of, spec_of
from trueup.model.refs import ObjectRef, split_api_version

_REPLICAS = FieldSet.of_paths([("f:spec", "f:replicas")])


class ScaleTarget(Struct, frozen=True, gc=False):
    """What an autoscaler scales, and which autoscaler it is."""

    target: ObjectRef
    autoscaler: ObjectRef


def scale_target(obj: Manifest) -> ScaleTarget | None:
    """The target of a HorizontalPodAutoscaler or a KEDA ScaledObject; None for anything else."""
    group, _ = split_api_version(api_version_of(obj))
    kind = kind_of(obj)
    if (group, kind) not in (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")):
        return None
    target = spec_of(obj).get("scaleTargetRef")
    if not isinstance(target, dict) or not target.get("name"):
        return None
    namespace = namespace_of(obj)
    # KEDA lets both be left out: then it is a Deployment.
    target_group, _ = split_api_version(str(target.get("apiVersion") or "apps/v1"))
    return ScaleTarget(
        ObjectRef(target_group, str(target.get("kind") or "Deployment"), namespace, str(target["name"])),
        ObjectRef(group, kind, namespace, name_of(obj)),
    )


def without_replicas(fields: FieldSet) -> FieldSet:
    return fields.recursive_difference(_REPLICAS)


def with_replicas(manifest: Manifest, replicas: int | None) -> Manifest:
    """A copy whose `spec.replicas` is that number; None: left out."""
    spec: Mapping[str, object] = spec_of(manifest)
    rest = {name: value for name, value in spec.items() if name != "replicas"}
    return manifest | {"spec": rest if replicas is None else rest | {"replicas": replicas}}


def declares_replicas(manifest: Manifest) -> bool:
    return "replicas" in spec_of(manifest)
