"""Ownership after a create, update or patch: who changed a field owns it, as an `Update` row.

Rules: structured-merge-diff, merge/update.go (`Update`), and k8s.io/apimachinery, pkg/util/managedfields.
"""

from __future__ import annotations

from typing import Any, Final

from trueup.embedded.merge.compare import same
from trueup.embedded.merge.managers import (
    UPDATE,
    ManagerKey,
    Managers,
    Owned,
    cap_updates,
    manager_key,
    read_managers,
    strip,
    with_managers,
    without_managers,
)
from trueup.embedded.merge.reconcile import reconcile
from trueup.embedded.merge.update import take_over
from trueup.embedded.schema.node import DEDUCED, SchemaNode
from trueup.embedded.schema.zero import zero_object
from trueup.model.fields import FieldSet
from trueup.model.manifest import Manifest, api_version_of

BEFORE_FIRST_APPLY: Final = "before-first-apply"
_SELF: Final = ManagerKey("\0current-operation", UPDATE, "", "")


def track_update(
    before: Manifest | None,
    after: Manifest,
    node: SchemaNode | None,
    *,
    manager: str,
    subresource: str = "",
    now: str,
    reset_fields: FieldSet | None = None,
) -> Manifest:
    """The object to store, with `managedFields` that say who changed what.

    `after` is the whole new object. A client may set `managedFields` itself (`[]` or `[{}]` forgets everybody), except
    through a subresource; without them the live ones stay. An object that nobody ever tracked stays untracked.
    """
    managers = _managers_to_start_from(before, after, subresource)
    bare = without_managers(after)
    if not managers and before is not None:
        return with_managers(bare, {})
    schema = node or DEDUCED
    reconcile(managers, schema)
    track_into(
        managers,
        without_managers(before) if before is not None else zero_object(schema),
        bare,
        schema,
        manager=manager,
        subresource=subresource,
        now=now,
        reset_fields=reset_fields,
    )
    return settle_times(before, with_managers(bare, managers))


def track_into(
    managers: Managers,
    before: Manifest,
    after: Manifest,
    node: SchemaNode,
    *,
    manager: str,
    subresource: str,
    now: str,
    reset_fields: FieldSet | None = None,
) -> None:
    """Enters one change into the table."""
    comparison = take_over(before, after, node, managers, _SELF, force=True, ignored=reset_fields)
    ours = comparison.modified | comparison.added
    if reset_fields is not None:
        ours = ours.recursive_difference(reset_fields)
    version = api_version_of(after)
    if ours:
        managers[_SELF] = Owned(ours, version)
        strip(managers, _SELF)
    if (mine := managers.pop(_SELF, None)) is not None:
        key = manager_key(manager, UPDATE, version, subresource)
        previous = managers.get(key)
        managers[key] = Owned(mine.fields | previous.fields if previous else mine.fields, version, now)
    cap_updates(managers)


def settle_times(before: Manifest | None, after: Manifest) -> Manifest:
    """`before` itself when `after` differs from it in nothing but the times of `managedFields`, else `after`.

    The API server calls this once more after defaulting, so that a write without effect makes no new version.
    """
    if before is None:
        return after
    old, new = _rows(before), _rows(after)
    if len(old) != len(new) or any(_timeless(a) != _timeless(b) for a, b in zip(old, new, strict=True)):
        return after
    return before if same(without_managers(before), without_managers(after)) else after


def _rows(obj: Manifest) -> list[dict[str, Any]]:
    return obj.get("metadata", {}).get("managedFields") or []


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "time"}


def _managers_to_start_from(before: Manifest | None, after: Manifest, subresource: str) -> Managers:
    if not subresource:
        rows = after.get("metadata", {}).get("managedFields")
        if rows is not None and (rows == [] or rows == [{}]):
            return {}
        try:
            managers = read_managers(after)
        except ValueError:
            managers = {}
        if managers:
            return managers
    try:
        return read_managers(before) if before is not None else {}
    except ValueError:
        return {}
