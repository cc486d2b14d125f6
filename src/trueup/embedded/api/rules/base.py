"""The shape of a kind's rules, and small helpers that all of them use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeAlias

from msgspec import Struct

from trueup.embedded.api.refusals import FieldProblem, go_value
from trueup.model.manifest import Manifest

Change: TypeAlias = Callable[[Manifest], None]
Compare: TypeAlias = Callable[[Manifest, Manifest], None]
Check: TypeAlias = Callable[[Manifest], list[FieldProblem]]
CheckUpdate: TypeAlias = Callable[[Manifest, Manifest], list[FieldProblem]]
Warn: TypeAlias = Callable[[Manifest, Manifest | None], list[str]]


def _nothing(_: Manifest) -> None:
    pass


def _nothing_new(_: Manifest, __: Manifest) -> None:
    pass


def _fine(_: Manifest) -> list[FieldProblem]:
    return []


def _fine_update(_: Manifest, __: Manifest) -> list[FieldProblem]:
    return []


def _no_warnings(_: Manifest, __: Manifest | None) -> list[str]:
    return []


class Rules(Struct, frozen=True, kw_only=True):
    """One kind's rules. Functions that change work in place on a manifest of the stored version that is theirs;
    pairs are (new, old)."""

    default: Change = _nothing
    """Runs on every decoded object: the Go defaulting functions."""
    prepare_create: Change = _nothing
    prepare_update: Compare = _nothing_new
    prepare_status: Compare = _nothing_new
    validate: Check = _fine
    """Of the whole new state; runs on create and on update."""
    validate_create: Check = _fine
    """What may not be there when an object is made, in addition."""
    validate_update: CheckUpdate = _fine_update
    warnings: Warn = _no_warnings
    """Of a new or changed object; the old one is None when it is new."""
    counts_generation: bool = False
    resets_status: bool = True
    """Whether a new object begins without the status that was sent (only where there is a status subresource)."""
    returns_deleted: bool = False
    """Whether an immediate delete answers the object instead of a Status."""
    creates_on_update: bool = False
    deletes_orphan: bool = False
    """Whether a delete without a policy leaves dependents behind: the oldest kinds keep to what they did at first."""


NO_RULES = Rules()


def child(parent: MutableMapping[str, Any], name: str) -> dict[str, Any]:
    """The object under a key, made when it is missing or null."""
    found = parent.get(name)
    if not isinstance(found, dict):
        found = parent[name] = {}
    return found


def set_default(parent: MutableMapping[str, Any], **defaults: Any) -> None:
    """Sets what is missing or null. Values must not be shared between objects when they are mutable."""
    for name, value in defaults.items():
        if parent.get(name) is None:
            parent[name] = value


def default_text(parent: MutableMapping[str, Any], **defaults: str) -> None:
    """Sets strings that are missing, null or empty: Go strings know no difference."""
    for name, value in defaults.items():
        if not parent.get(name):
            parent[name] = value


def at(obj: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def items(obj: Any, *path: str) -> Iterator[dict[str, Any]]:
    """The objects of a list at a path."""
    found = at(obj, *path)
    return (item for item in found if isinstance(item, dict)) if isinstance(found, list) else iter(())


def immutable(path: str, new: Any, old: Any) -> list[FieldProblem]:
    """`field is immutable`, when the values differ; null and missing are the same."""
    if new == old or (not new and not old and not isinstance(new, (bool, int)) and not isinstance(old, (bool, int))):
        return []
    return [FieldProblem(path, "FieldValueInvalid", f"Invalid value: {go_value(new)}: field is immutable")]


def non_negative(path: str, value: Any) -> list[FieldProblem]:
    if isinstance(value, int) and value < 0:
        said = f"Invalid value: {value}: must be greater than or equal to 0"
        return [FieldProblem(path, "FieldValueInvalid", said)]
    return []
