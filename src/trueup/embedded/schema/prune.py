"""What a decoder drops: fields that a schema does not know, which strict validation names, and nulls that it does not allow.

This is for bodies of requests. What an apply merged is not decoded again: there such a null is an error of validation.
Rules: k8s.io/apiextensions-apiserver, pkg/apiserver/schema/pruning and defaulting/prunenulls.go.
"""

from __future__ import annotations

from typing import Any, Final

from trueup.embedded.schema.node import DEDUCED, MISSING, SchemaNode
from trueup.model.manifest import Manifest

_EMPTY: Final[tuple[Any, ...]] = ({}, [], "", None)


def prune(node: SchemaNode, obj: Manifest) -> tuple[Manifest, tuple[str, ...]]:
    """The object without what the schema does not know, and the paths of that: `spec.ports[0].nme`. Nulls that are
    neither allowed nor defaulted go too, without a word.

    Gives the object itself when there is nothing to drop; never changes it.
    """
    unknown: list[str] = []
    kept = _prune(obj, node, "", unknown)
    # Go decodes a built-in kind as it reads it; a custom one is walked afterwards.
    return kept, tuple(unknown) if node.builtin else tuple(sorted(unknown, key=_told))


def _told(path: str) -> tuple[int, str]:
    """The order of decoding: the object's metadata, all that follows the schema, then metadata of objects inside."""
    return (0 if path.startswith("metadata.") else 2 if ".metadata." in path else 1, path)


def tidy_metadata(obj: Manifest) -> Manifest:
    """The object without empty parts of its metadata, which is a Go struct in every kind and omits them when written.

    `prune` does it for what clients send; the API server for what an apply or an admission webhook left.
    """
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or all(value not in _EMPTY for value in metadata.values()):
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if value not in _EMPTY}}


def unknown_fields(node: SchemaNode, obj: Manifest) -> list[str]:
    """The paths of all fields that the schema does not know, sorted."""
    return list(prune(node, obj)[1])


def _prune(value: Any, node: SchemaNode | None, path: str, unknown: list[str]) -> Any:
    """`node` is None below `additionalProperties: true`, where only scalars and lists of them may stand."""
    if isinstance(value, dict):
        return _prune_map(value, node, path, unknown)
    if isinstance(value, list):
        below = None if node is None else node.items
        out = [_prune(item, below, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
        if None in out and below is not None and _is_text(below):
            out = ["" if item is None else item for item in out]
        return out if any(new is not old for new, old in zip(out, value, strict=True)) else value
    return value


def _is_text(node: SchemaNode) -> bool:
    """Whether Go reads a null in a map of these as an empty text."""
    return node.builtin and node.type == "string" and not node.quantity and not node.int_or_string


def with_texts(node: SchemaNode, value: Any) -> Any:
    """The value with an empty text for each null that stands for one in a map or list of texts, as Go reads it."""
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            below = node.properties.get(key)
            inner = below or node.additional
            if item is None and below is None and inner is not None and _is_text(inner):
                item = ""
            out[key] = with_texts(inner, item) if inner is not None and isinstance(item, dict | list) else item
        return out
    if isinstance(value, list):
        nothing = "" if _is_text(node.items) else None
        return [nothing if item is None else with_texts(node.items, item) for item in value]
    return value


def _prune_map(value: dict[str, Any], node: SchemaNode | None, path: str, unknown: list[str]) -> dict[str, Any]:
    if node is not None and (node is DEDUCED or node.is_free_form):
        return value
    out: dict[str, Any] | None = None
    properties = node.properties if node is not None else {}
    extra = node.raw.get("additionalProperties") if node is not None else None
    for key, item in value.items():
        below = properties.get(key)
        if below is None:
            if not isinstance(extra, dict) and extra is not True:
                if node is None or not node.preserve_unknown:
                    unknown.append(f"{path}.{key}" if path else key)
                    out = dict(value) if out is None else out
                    del out[key]
                continue
            below = node.additional if node is not None and extra is not True else None
        if item is None and below is not None and not below.nullable and below.effective_default is MISSING:
            out = dict(value) if out is None else out
            if key in properties or not _is_text(below):
                del out[key]
            else:
                out[key] = ""
            continue
        kept = _prune(item, below, f"{path}.{key}" if path else key, unknown)
        if kept is not item:
            out = dict(value) if out is None else out
            out[key] = kept
    kept = value if out is None else out
    return tidy_metadata(kept) if node is not None and node.is_resource else kept
