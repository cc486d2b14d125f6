"""A resource that a client gives: whether it is one of the kinds that are taken, and has a place. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.dialects.dialect import Dialect
from trueup.model.manifest import Manifest, name_of, namespace_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.server.api.refusals import BadQuery
from trueup.server.live.masking import refuse_masks


def ref_of_given(manifest: Manifest) -> ObjectRef:
    group, _ = split_api_version(str(manifest.get("apiVersion") or ""))
    return ObjectRef(group, str(manifest.get("kind") or ""), namespace_of(manifest), name_of(manifest))


def placed(manifest: Manifest, kinds: Mapping[GroupKind, Dialect], what: str = "App") -> ObjectRef:
    """Raises BadQuery for masks, for what has no name or namespace, and for other kinds than these."""
    if refuse_masks(manifest):
        raise BadQuery("it holds masked values, which would replace the real ones", field="body")
    metadata = manifest.get("metadata")
    a_place = f"{'an' if what[0] in 'AEIOU' else 'a'} {what} has a name and a namespace"
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise BadQuery("has no name", field="body.metadata.name", hint=a_place)
    if not isinstance(metadata.get("namespace"), str) or not metadata["namespace"]:
        raise BadQuery("has no namespace", field="body.metadata.namespace", hint=a_place)
    ref = ref_of_given(manifest)
    if ref.group_kind not in kinds:
        known = ", ".join(sorted(kind.kind for kind in kinds))
        raise BadQuery(f"{ref.group_kind} is no kind of {what}", field="body.kind", hint=f"there are: {known}")
    return ref
