"""Delete one object that left Git: that very object, whose marks were read, and no other of the same name.

The request carries uid and resourceVersion of what was judged; when the object changed meanwhile it is read and judged
again.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.model.apierror import ApiError
from trueup.model.app import SyncRules
from trueup.model.change import Action, Change
from trueup.model.manifest import annotations_of, is_deleting, labels_of, resource_version_of, uid_of
from trueup.sync.applier import Applier
from trueup.sync.prunes import Prune, Refusal, may_delete

ATTEMPTS = 4


class Deleted(Struct, frozen=True):
    change: Change
    gone: bool = False
    let_go: bool = False


async def delete_one(prune: Prune, applier: Applier, rules: SyncRules, *, whole: bool) -> Deleted:
    """Raises ApiError (also when the object changes faster than it can be judged), KindNotServed, ClusterUnreachable."""
    ref, version = prune.ref, prune.entry.version
    uid, resource_version = (prune.live.uid, prune.live.resource_version) if prune.live else ("", "")
    for attempt in range(ATTEMPTS):
        if not uid or attempt:
            obj = await applier.get(ref, version)
            if obj is None:
                return _gone(prune)
            refusal = may_delete(ref, labels_of(obj), annotations_of(obj), rules, whole=whole)
            if refusal is None and is_deleting(obj):
                refusal = Refusal("Terminating", "it is already being deleted", False)
            if refusal is not None:
                return Deleted(_change(prune, Action.SKIPPED, refusal.reason, refusal.message), let_go=refusal.let_go)
            uid, resource_version = uid_of(obj), resource_version_of(obj)
        try:
            deleted = await applier.delete(
                ref, version, uid=uid, resource_version=resource_version, propagation=rules.delete_propagation
            )
        except ApiError as error:
            if error.code == 404:
                return _gone(prune)
            if error.code == 409 and attempt + 1 < ATTEMPTS:
                continue
            raise
        return Deleted(_change(prune, Action.PRUNED), gone=True) if deleted else _gone(prune)
    raise AssertionError("the last attempt returns or raises")


def _gone(prune: Prune) -> Deleted:
    return Deleted(_change(prune, Action.SKIPPED, "Gone", "it was gone already"), gone=True)


def _change(prune: Prune, action: Action, reason: str = "", message: str = "") -> Change:
    return Change(ref=prune.ref, version=prune.entry.version, action=action, reason=reason, message=message)
