"""The volume claims of a StatefulSet's pods: their names, the claims that are still to be made, and the volumes that mount
them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS
from trueup.embedded.workloads.objects import controller_reference, dig, mapping_of, rows_of
from trueup.embedded.workloads.writes import Create, Patch, clone, patch_of
from trueup.model.manifest import Manifest, name_of, namespace_of, uid_of


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


def given_to_pod(
    stateful_set: Manifest, ordinal: int, pod: Manifest, existing: Mapping[str, Manifest]
) -> tuple[Patch, ...]:
    """Where `whenScaled: Delete` is said, the claims of a pod that goes for good become its own, and go after it."""
    if dig(stateful_set, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled") != "Delete":
        return ()
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
    names = [claim_name(stateful_set, each, ordinal) for each in rows_of(stateful_set, "spec", "volumeClaimTemplates")]
    claims = (existing[name] for name in names if name in existing)
    return tuple(
        patch_of(PERSISTENT_VOLUME_CLAIMS, claim, {"metadata": {"ownerReferences": [owner]}})
        for claim in claims
        if not any(each.get("uid") == owner["uid"] for each in rows_of(claim, "metadata", "ownerReferences"))
    )


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
