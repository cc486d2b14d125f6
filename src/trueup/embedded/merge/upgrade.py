"""The way from client-side to server-side apply: what `kubectl apply` wrote before, `kubectl apply --server-side` may change.

Only for the field manager named `kubectl`, as kube-apiserver does (lastappliedmanager.go, lastappliedupdater.go).
"""

from __future__ import annotations

from typing import Final

import msgspec

from trueup.embedded.merge.claim import NotTyped, claimed
from trueup.embedded.merge.compare import compare
from trueup.embedded.merge.errors import ApplyConflict
from trueup.embedded.schema.node import SchemaNode
from trueup.model.fields import FieldSet, to_json
from trueup.model.manifest import Manifest, annotations_of

KUBECTL: Final = "kubectl"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MAX_ANNOTATIONS: Final = 256 * 1024
"""Bytes of all annotations together that an object may have."""


def check(conflict: ApplyConflict, live: Manifest, node: SchemaNode, api_version: str) -> None:
    """Returns when every conflict is over a field that client-side apply wrote; else raises what is left of them."""
    allowed = _allowed(live, node, api_version)
    if allowed is None:
        raise conflict
    if left := [one for one in conflict.conflicts if not allowed.contains(one.path)]:
        raise ApplyConflict(left)


def _allowed(live: Manifest, node: SchemaNode, api_version: str) -> FieldSet | None:
    """The fields of the last client-side apply that the live object still has as they were."""
    text = annotations_of(live).get(LAST_APPLIED)
    if not text:
        return None
    try:
        last = msgspec.json.decode(text, type=dict)
        if last.get("apiVersion") != api_version:
            return None
        fields = claimed(last, node)
    except (msgspec.DecodeError, NotTyped):
        return None
    change = compare(last, live, node)
    return fields - change.modified - change.added - change.removed


def with_last_applied(merged: Manifest, applied: Manifest) -> Manifest:
    """Keeps the annotation in step with what was applied, where the object has one."""
    annotations = annotations_of(merged)
    if not annotations.get(LAST_APPLIED):
        return merged
    metadata = dict(applied.get("metadata") or {})
    kept = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    if kept:
        metadata["annotations"] = kept
    else:
        metadata.pop("annotations", None)
    out = dict(annotations) | {LAST_APPLIED: to_json({**applied, "metadata": metadata}) + "\n"}
    if sum(len(key.encode()) + len(str(value).encode()) for key, value in out.items()) > MAX_ANNOTATIONS:
        del out[LAST_APPLIED]
    return {**merged, "metadata": {**merged["metadata"], "annotations": out}}
