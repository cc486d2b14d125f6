"""Objects from templates: pods of workloads, and the hashes that tell one template from another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trueup.embedded.workloads.objects import controller_reference, fnv32a, mapping_of, safe_name
from trueup.embedded.workloads.writes import clone
from trueup.model.manifest import Manifest, namespace_of

_encoder = msgspec.json.Encoder(order="deterministic")


def template_hash(template: Any, collisions: int = 0) -> str:
    """The name of a template: equal templates have equal hashes, and after a collision another one. The algorithm of the
    real controllers hashes Go's memory layout, so the letters differ from theirs; the alphabet and length do not."""
    data = _encoder.encode(template)
    if collisions:
        data += str(collisions).encode()
    return safe_name(fnv32a(data))


def same_template(one: Any, other: Any) -> bool:
    """Equal but for `pod-template-hash`."""
    return bool(_without_hash(one) == _without_hash(other))


def _without_hash(template: Any) -> Any:
    labels = mapping_of(template, "metadata", "labels")
    if "pod-template-hash" not in labels:
        return template
    kept = {key: value for key, value in labels.items() if key != "pod-template-hash"}
    meta = {key: value for key, value in mapping_of(template, "metadata").items() if key != "labels"}
    return {**template, "metadata": {**meta, "labels": kept} if kept else meta}


def pod_from(
    template: Any, owner: Manifest, *, name: str = "", prefix: str = "", labels: Mapping[str, str]
) -> Manifest:
    """A pod as `template` says, controlled by `owner`, with `labels` beside the template's own."""
    meta = mapping_of(template, "metadata")
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": prefix}
    metadata["namespace"] = namespace_of(owner)
    if merged := {**mapping_of(meta, "labels"), **labels}:
        metadata["labels"] = merged
    for field in ("annotations", "finalizers"):
        if meta.get(field):
            metadata[field] = clone(meta[field])
    metadata["ownerReferences"] = [controller_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": clone(mapping_of(template, "spec"))}
