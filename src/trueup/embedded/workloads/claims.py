"""The volume claims of a StatefulSet's pods: their names, the claims that are still to be made, and the volumes that mount
them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS
from trueup.embedded.workloads.objects import controller_reference, dig, mapping_of, rows_of
from trueup.embedded.workloads.writes import Create, clone
from trueup.model.manifest import Manifest, name_of, namespace_of


def claim_name(stateful_set: Manifest, template: Mapping[str, Any], ordinal: int) -> str:
    """`data-web-0`"""
    return f"{mapping_of(template, 'metadata').get('name')}-{name_of(stateful_set)}-{ordinal}"


def missing_claims(stateful_set: Manifest, ordinal: int, existing: Mapping[str, Manifest]) -> tuple[Create, ...]:
    """The claims of one pod that do not exist yet. Claims outlive pods, and the set too unless it says otherwise."""
    made = []
    for template in rows_of(stateful_set, "spec", "volumeClaimTemplates"):
        name = claim_name(stateful_set, template, ordinal)
        if name in existing:
            continue
        meta = mapping_of(template, "metadata")
        labels = {**mapping_of(meta, "labels"), **mapping_of(stateful_set, "spec", "selector", "matchLabels")}
        metadata: dict[str, Any] = {"name": name, "namespace": namespace_of(stateful_set), "labels": labels}
        if meta.get("annotations"):
            metadata["annotations"] = clone(meta["annotations"])
        if dig(stateful_set, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
            owner = controller_reference(stateful_set)
            del owner["blockOwnerDeletion"]
            metadata["ownerReferences"] = [owner]
        spec = clone(mapping_of(template, "spec"))
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        made.append(Create(PERSISTENT_VOLUME_CLAIMS, claim))
    return tuple(made)


def mounted(stateful_set: Manifest, ordinal: int, spec: dict[str, Any]) -> dict[str, Any]:
    """The pod spec with the volumes of its claims, which take the place of volumes with the same name."""
    volumes = [
        {
            "name": mapping_of(template, "metadata").get("name"),
            "persistentVolumeClaim": {"claimName": claim_name(stateful_set, template, ordinal)},
        }
        for template in rows_of(stateful_set, "spec", "volumeClaimTemplates")
    ]
    if not volumes:
        return spec
    names = {volume["name"] for volume in volumes}
    others = [volume for volume in rows_of(spec, "volumes") if volume.get("name") not in names]
    return {**spec, "volumes": [*volumes, *others]}
