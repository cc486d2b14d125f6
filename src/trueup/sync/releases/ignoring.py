"""Which parts of an object drift detection leaves out: JSON pointers, for the objects that a selector picks. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from trueup.model.errors import InvalidInput
from trueup.model.linear import Linear, PatternError
from trueup.model.manifest import Manifest, annotations_of, api_version_of, kind_of, labels_of, name_of, namespace_of
from trueup.model.refs import split_api_version
from trueup.model.release import IgnoreRule
from trueup.model.rendering import PatchTarget
from trueup.sync.labelselector import matches, parse_selector

WHOLE = ""
_ELEMENT = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<inner>[^\]]*)\]")


def ignored_paths(rules: Iterable[IgnoreRule], manifest: Manifest) -> tuple[str, ...]:
    """The pointers that hold for an object; the empty one means all of it."""
    return tuple(
        path for rule in rules if rule.target is None or is_target(rule.target, manifest) for path in rule.paths
    )


def is_target(target: PatchTarget, manifest: Manifest) -> bool:
    """Kustomize's selector: anchored regular expressions, and label selectors."""
    group, version = split_api_version(api_version_of(manifest))
    pairs = (
        (target.group, group),
        (target.version, version),
        (target.kind, kind_of(manifest)),
        (target.name, name_of(manifest)),
        (target.namespace, namespace_of(manifest)),
    )
    return (
        all(not pattern or _compiled(pattern).fullmatch(value) for pattern, value in pairs)
        and matches(target.label_selector, labels_of(manifest))
        and matches(target.annotation_selector, annotations_of(manifest))
    )


def check_target(target: PatchTarget, field: str) -> None:
    """Raises InvalidInput for what is no selector."""
    for name in ("group", "version", "kind", "name", "namespace"):
        try:
            _compiled(getattr(target, name))
        except PatternError as error:
            raise InvalidInput(str(error), field=f"{field}.{name}") from error
    for name, selector in (
        ("labelSelector", target.label_selector),
        ("annotationSelector", target.annotation_selector),
    ):
        try:
            parse_selector(selector)
        except InvalidInput as error:
            raise InvalidInput(error.message, field=f"{field}.{name}", hint=error.hint) from error


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Linear:
    return Linear(pattern)


def is_ignored(path: str, pointers: Iterable[str]) -> bool:
    """Whether a changed field (`spec.template.metadata`) lies at or below a pointer (`/spec/template`)."""
    found = _names(path)
    return any(_covers(_parts(pointer), found) for pointer in pointers)


def _names(path: str) -> tuple[str, ...]:
    """`metadata.annotations[a.b/c]` -> metadata, annotations, a.b/c; items of lists (`[name=web]`) are left out."""
    names = [match["name"] or match["inner"] for match in _ELEMENT.finditer(path) if "=" not in (match["inner"] or "")]
    return tuple(names)


def _covers(pointer: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Items of lists have no place of their own in a changed field's path, so indexes of a pointer are passed over."""
    names = tuple(part for part in pointer if not part.isdigit())
    return path[: len(names)] == names


def with_live_values(manifest: Manifest, live: Mapping[str, Any], pointers: Iterable[str]) -> Manifest:
    """The manifest with the live object's values at the pointers, so that applying it changes nothing there.

    A pointer that the live object has nothing at, or that leads through a list's missing item, is left.
    """
    result = copy.deepcopy(manifest)
    for pointer in pointers:
        parts = _parts(pointer)
        if parts and (found := _at(live, parts)) is not _NOTHING:
            _set(result, parts, found)
    return result


_NOTHING = object()


def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _at(value: Any, parts: tuple[str, ...]) -> Any:
    for part in parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value


def _set(target: Any, parts: tuple[str, ...], value: Any) -> None:
    """Only where the manifest has the parent: what it does not declare is not made."""
    *way, last = parts
    parent = _at(target, tuple(way))
    if isinstance(parent, dict) and last in parent:
        parent[last] = value
    elif isinstance(parent, list) and last.isdigit() and int(last) < len(parent):
        parent[int(last)] = value
