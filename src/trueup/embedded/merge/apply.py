"""Server-side apply: the applied object laid over the live one, and who owns what afterwards.

Pure: defaulting, validating and storing are the API server's. Rules: structured-merge-diff, merge/update.go (`Apply`),
and k8s.io/apimachinery, pkg/util/managedfields.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.merge import upgrade
from trueup.embedded.merge.claim import NotTyped, claimed, fields_of
from trueup.embedded.merge.combine import combine
from trueup.embedded.merge.errors import BAD_REQUEST, INTERNAL, ApplyConflict, PatchError
from trueup.embedded.merge.managers import (
    APPLY,
    ManagerKey,
    Managers,
    Owned,
    manager_key,
    read_managers,
    strip,
    with_managers,
    without_managers,
)
from trueup.embedded.merge.reconcile import reconcile
from trueup.embedded.merge.remove import with_named_fields, without
from trueup.embedded.merge.track import BEFORE_FIRST_APPLY, settle_times, track_into
from trueup.embedded.merge.update import take_over
from trueup.embedded.schema.node import DEDUCED, SchemaNode
from trueup.embedded.schema.zero import zero_object
from trueup.model.fields import FieldSet, difference_trees
from trueup.model.manifest import Manifest, api_version_of, kind_of, name_of, namespace_of
from trueup.model.refs import split_api_version


def apply(
    live: Manifest | None,
    applied: Manifest,
    node: SchemaNode | None,
    *,
    manager: str,
    force: bool,
    subresource: str = "",
    now: str,
    reset_fields: FieldSet | None = None,
) -> Manifest:
    """The live object after an apply, with its `managedFields`; `live` itself when nothing changes.

    `node`: None for a kind without a schema. `now`: RFC 3339. `reset_fields`: what this (sub)resource lets nobody
    write; it is never owned. Raises ApplyConflict, and PatchError for an object that is not of the schema's types.
    """
    schema = node or DEDUCED
    meta = applied.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields") is not None:
        raise PatchError("metadata.managedFields must be nil", BAD_REQUEST)
    base = live if live is not None else _nothing(applied)
    bare = without_managers(base)
    try:
        managers = read_managers(base)
    except ValueError as error:
        raise PatchError(f"failed to decode managed fields: {error}", INTERNAL) from error
    reconcile(managers, schema)
    known = dict(managers)
    if not managers and live is not None:
        empty = zero_object(schema)
        track_into(
            managers,
            empty,
            bare,
            schema,
            manager=BEFORE_FIRST_APPLY,
            subresource=subresource,
            now=now,
            reset_fields=reset_fields,
        )
    try:
        claim = claimed(applied, schema)
    except NotTyped as error:
        raise PatchError(f"failed to create typed patch object ({_named(applied)}): {error}", INTERNAL) from error
    if reset_fields is not None:
        claim = claim.recursive_difference(reset_fields)
    key = manager_key(manager, APPLY, "", subresource)
    try:
        merged, after = _apply(bare, applied, claim, schema, managers, key, force, reset_fields)
    except ApplyConflict as conflict:
        if manager != upgrade.KUBECTL:
            raise
        upgrade.check(conflict, bare, schema, api_version_of(applied))
        merged, after = _apply(bare, applied, claim, schema, managers, key, True, reset_fields)
    strip(after, key)
    changed = merged is not bare
    if key in after and (changed or live is None):
        after[key] = Owned(after[key].fields, after[key].api_version, now)
    if manager == upgrade.KUBECTL:
        merged = upgrade.with_last_applied(merged, applied)
    if live is not None and not changed and after == known:
        return live
    return settle_times(live, with_managers(merged, after))


def _apply(
    live: Manifest,
    applied: Manifest,
    claim: FieldSet,
    node: SchemaNode,
    managers: Managers,
    key: ManagerKey,
    force: bool,
    reset_fields: FieldSet | None,
) -> tuple[Manifest, Managers]:
    try:
        merged = combine(live, applied, node)
    except ValueError as error:
        raise PatchError(f"failed to merge config: {error}", INTERNAL) from error
    after = dict(managers)
    last = managers.get(key)
    after[key] = Owned(claim, api_version_of(applied), last.time if last else "")
    if last is not None:
        merged = _prune(merged, last.fields, after, claim, node)
    take_over(live, merged, node, after, key, force=force, ignored=reset_fields)
    return merged, after


def _prune(merged: Manifest, last: FieldSet, managers: Managers, claim: FieldSet, node: SchemaNode) -> Manifest:
    """Takes out what this manager applied last time, not this time, and nobody else owns."""
    if last.difference(claim).is_empty:
        return merged
    last_tree = with_named_fields(last.tree, node)
    pruned = without(merged, last_tree, node) or {}
    owned = claim
    for other in managers.values():
        owned = owned | other.fields
    merged_tree = with_named_fields(fields_of(merged, node).tree, node)

    def tree_of(value: Any) -> FieldSet:
        return FieldSet(with_named_fields(fields_of(value, node).tree, node))

    # What others own comes back, and so does what we only seemed to own: parents of fields that stay.
    keep = tree_of(pruned) | FieldSet(with_named_fields(owned.tree, node))
    pruned = _less(merged, merged_tree, keep, node)
    gone = difference_trees(merged_tree, tree_of(pruned).tree, root=True) or {}
    return _without_or_same(merged, (FieldSet(gone) & FieldSet(last_tree)), node)


def _less(merged: Manifest, merged_tree: dict[str, Any], keep: FieldSet, node: SchemaNode) -> Manifest:
    return _without_or_same(merged, FieldSet(difference_trees(merged_tree, keep.tree, root=True) or {}), node)


def _without_or_same(value: Manifest, fields: FieldSet, node: SchemaNode) -> Manifest:
    return value if fields.is_empty else without(value, fields.tree, node) or {}


def _nothing(applied: Manifest) -> Manifest:
    """What a create by apply starts from."""
    return {"apiVersion": api_version_of(applied), "kind": kind_of(applied)}


def _named(applied: Manifest) -> str:
    """`shop/web; apps/v1, Kind=Deployment`."""
    group, version = split_api_version(api_version_of(applied))
    gvk = f"{group}/{version}, Kind={kind_of(applied)}"
    meta = applied.get("metadata")
    place = f"{namespace_of(applied)}/{name_of(applied)}" if isinstance(meta, dict) else "/"
    return f"{place}; {gvk}"
