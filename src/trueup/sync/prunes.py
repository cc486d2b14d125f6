"""Which objects to delete: only what the inventory names, whose live marks say that it is ours, and that did not opt out.

What was not looked at yet is looked at by `execute` before it is deleted, by the same rules (`may_delete`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from trueup.model.app import DeletionPolicy, SyncRules
from trueup.model.change import Action, Change
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.refs import ObjectRef
from trueup.sync import order
from trueup.sync.facts import Absent, LiveFacts, LiveView
from trueup.sync.marks import Ownership, ownership
from trueup.sync.optout import has_mark


class Prune(Struct, frozen=True):
    """One object to delete. `live` None: it must be read, and its marks checked, first."""

    entry: InventoryEntry
    live: LiveFacts | None

    @property
    def ref(self) -> ObjectRef:
        return self.entry.ref


class PrunePlan(Struct, frozen=True, kw_only=True):
    """Deletions in reverse order, and what becomes of the rest of the old inventory."""

    stages: tuple[tuple[tuple[Prune, ...], ...], ...] = ()
    settled: tuple[Change, ...] = ()
    gone: frozenset[ObjectRef] = frozenset()
    let_go: frozenset[ObjectRef] = frozenset()
    """No longer ours to remember."""
    whole: bool = False
    """The App itself is going: other opt-outs count."""


class Refusal(Struct, frozen=True):
    """Why an object is not deleted. `let_go`: it also leaves the inventory."""

    reason: str
    message: str
    let_go: bool


def may_delete(
    ref: ObjectRef, labels: Mapping[str, str], annotations: Mapping[str, str], rules: SyncRules, *, whole: bool
) -> Refusal | None:
    """None: it may be deleted. `whole`: because its App goes, not because it left Git."""
    if (refusal := _marked_by_others(ref, labels, annotations, rules)) is not None:
        return refusal
    opt_out = rules.opt_out
    pairs = opt_out.never_apply + (opt_out.never_delete if whole else opt_out.never_prune)
    if has_mark(pairs, labels, annotations, opt_out.options_annotation):
        return Refusal("OptedOut", "it says that it is not to be deleted", _forgets(rules) or whole)
    return None


def _marked_by_others(
    ref: ObjectRef, labels: Mapping[str, str], annotations: Mapping[str, str], rules: SyncRules
) -> Refusal | None:
    whose = ownership(rules.owner, ref, labels, annotations)
    if whose is Ownership.OTHERS:
        return Refusal("NotOurs", "its marks are those of another App", True)
    if whose is Ownership.NOBODYS:
        return Refusal("NotOurs", "it does not carry our marks (any more)", True)
    return None


def _not_ours(ref: ObjectRef, facts: LiveFacts | None, rules: SyncRules) -> Refusal | None:
    """An object that is seen to be somebody else's is not one that waits to be pruned."""
    return _marked_by_others(ref, facts.labels, facts.annotations, rules) if facts is not None else None


def plan_prunes(
    leftovers: Iterable[InventoryEntry],
    live: LiveView,
    rules: SyncRules,
    *,
    only: Collection[ObjectRef] | None = None,
    elsewhere: Collection[ObjectRef] = (),
    desired_uids: frozenset[str] = frozenset(),
    whole: bool = False,
) -> PrunePlan:
    """What to do about entries of the inventory that are not wanted any more."""
    prunes: list[Prune] = []
    settled: list[Change] = []
    gone: set[ObjectRef] = set()
    let_go: set[ObjectRef] = set()
    for entry in sorted(leftovers):
        if only is not None and entry.ref not in only:
            continue
        facts = live.get(entry.ref)
        if isinstance(facts, Absent):
            gone.add(entry.ref)
            continue
        refusal: Refusal | None = None
        if not whole and not rules.prune:
            refusal = _not_ours(entry.ref, facts, rules)
            refusal = refusal or Refusal("PruneDisabled", "it left Git, and pruning is off", _forgets(rules))
        elif entry.ref in elsewhere:
            refusal = Refusal("Moved", "another App declares it now", True)
        elif facts is not None:
            refusal = may_delete(entry.ref, facts.labels, facts.annotations, rules, whole=whole)
            if refusal is None and facts.uid in desired_uids:
                refusal = Refusal("SameObject", "the same object is declared under another API group", True)
            if refusal is None and facts.deleting:
                held = f", held by the finalizers {', '.join(facts.finalizers)}" if facts.finalizers else ""
                refusal = Refusal("Terminating", f"it is already being deleted{held}", False)
        if refusal is None:
            prunes.append(Prune(entry, facts))
            continue
        settled.append(skipped(entry, refusal))
        if refusal.let_go:
            let_go.add(entry.ref)
    return PrunePlan(
        stages=order.groups(prunes, lambda prune: prune.ref, rules.kind_order, reverse=True),
        settled=tuple(settled),
        gone=frozenset(gone),
        let_go=frozenset(let_go),
        whole=whole,
    )


def plan_deletion(inventory: Inventory, live: LiveView, rules: SyncRules) -> PrunePlan:
    """What to delete when the App's own resource goes. Suspended or orphaned Apps let everything live."""
    policy = rules.deletion_policy
    keeps = policy is DeletionPolicy.ORPHAN or (policy is DeletionPolicy.MIRROR_PRUNE and not rules.prune)
    if keeps or rules.suspend:
        why = "its App is suspended" if rules.suspend else "its App goes without its objects"
        refusal = Refusal("Orphaned", why, True)
        return PrunePlan(
            settled=tuple(skipped(entry, refusal) for entry in inventory.entries),
            let_go=inventory.refs,
            whole=True,
        )
    return plan_prunes(inventory.entries, live, rules, whole=True)


def skipped(entry: InventoryEntry, refusal: Refusal) -> Change:
    return Change(
        ref=entry.ref, version=entry.version, action=Action.SKIPPED, reason=refusal.reason, message=refusal.message
    )


def _forgets(rules: SyncRules) -> bool:
    """Whether what may not be pruned leaves the inventory.

    As Flux does. Where objects carry a tracking annotation they go on being shown as waiting to be pruned, as in Argo CD.
    """
    return not rules.owner.tracking_id_prefix
