"""Owner marks: which App an object says it belongs to. Put on what is declared, read from what is live.

Three forms: a set of labels (Flux), a set of annotations beside one (Helm), and a tracking annotation that names its own
object (Argo CD), so that a copy of an object under another name carries no valid mark. An App may use several; then all
must hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from trueup.model.app import Owner
from trueup.model.manifest import Manifest, annotations_of, labels_of, ref_of
from trueup.model.refs import ObjectRef
from trueup.sync.optout import TRACKING_ID


class Ownership(StrEnum):
    OURS = "ours"
    OTHERS = "others"
    """The marks are those of another App."""
    NOBODYS = "nobodys"


def tracking_id(owner: Owner, ref: ObjectRef) -> str:
    """`guestbook:apps/Deployment:guestbook/web`; cluster-scoped objects leave their namespace empty."""
    return f"{owner.tracking_id_prefix}{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}"


def with_marks(manifest: Manifest, owner: Owner, ref: ObjectRef) -> Manifest:
    """A copy that says whose it is; what it said before of the same keys is overwritten."""
    metadata = dict(manifest.get("metadata") or {})
    if owner.labels:
        metadata["labels"] = (metadata.get("labels") or {}) | owner.labels
    if owner.annotations:
        metadata["annotations"] = (metadata.get("annotations") or {}) | owner.annotations
    if owner.tracking_id_prefix:
        metadata["annotations"] = (metadata.get("annotations") or {}) | {TRACKING_ID: tracking_id(owner, ref)}
    return manifest | {"metadata": metadata}


def ownership(owner: Owner, ref: ObjectRef, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Ownership:
    """Whose the live object is. An owner without any marks owns nothing: that must never be able to delete."""
    if not owner.labels and not owner.annotations and not owner.tracking_id_prefix:
        return Ownership.NOBODYS
    others = ours = 0
    for wanted, marks in ((owner.labels, labels), (owner.annotations, annotations)):
        for key, value in wanted.items():
            if marks.get(key) == value:
                ours += 1
            elif key in marks:
                others += 1
    expected = len(owner.labels) + len(owner.annotations)
    if owner.tracking_id_prefix:
        expected += 1
        found = annotations.get(TRACKING_ID, "")
        if found == tracking_id(owner, ref):
            ours += 1
        elif names_itself(found, ref):
            others += 1
    if ours == expected:
        return Ownership.OURS
    return Ownership.OTHERS if others else Ownership.NOBODYS


def names_itself(text: str, ref: ObjectRef) -> bool:
    """Whether a tracking annotation is of the object that carries it, whichever App it names."""
    return bool(text) and text.endswith(f":{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}")


def declared_by(obj: Manifest) -> str:
    """The App that an object's own marks name, `NAMESPACE/NAME` or as Argo CD writes it; empty: none. For people: it proves nothing."""
    labels, annotations = labels_of(obj), annotations_of(obj)
    for group in ("kustomize", "helm"):
        if name := labels.get(f"{group}.toolkit.fluxcd.io/name"):
            return f"{labels.get(f'{group}.toolkit.fluxcd.io/namespace', '')}/{name}"
    found = str(annotations.get(TRACKING_ID) or "")
    return found.partition(":")[0] if names_itself(found, ref_of(obj)) else ""
