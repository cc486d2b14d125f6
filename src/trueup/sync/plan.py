"""Which objects to send, which to leave, which to delete: from what is wanted, what was applied and what is live.

The plan says which requests to make, not what the server will make of them; the fields of a change come from its answer.
Pure: the same input, in any order, gives the same plan. `execute` carries it out, `preview` asks the server about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from trueup.model.app import IgnoreRule, SyncRules
from trueup.model.change import Action, Change, FieldChange
from trueup.model.errors import Terminal, Transient
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, annotations_of, labels_of
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef
from trueup.sync import order
from trueup.sync.autoscaling import ScaleTarget, declares_replicas, scale_target, with_replicas
from trueup.sync.canonical import Masking
from trueup.sync.desired import Desired
from trueup.sync.drift import drifted, has_drifted, is_stale
from trueup.sync.facts import Absent, AppliedRecord, LiveFacts, LiveView, newer
from trueup.sync.ignoring import rules_for
from trueup.sync.inventory import write_ahead
from trueup.sync.marks import Ownership, ownership
from trueup.sync.optout import Pairs, has_mark, is_extraneous_ignored
from trueup.sync.prunes import Prune, PrunePlan, plan_prunes


class Why(StrEnum):
    """Why an object is sent."""

    NEW = "new"
    """It is not there."""
    UNKNOWN = "unknown"
    """We do not remember what we applied, or have not seen what is live."""
    CHANGED = "changed"
    """The declaration differs from the one that we applied."""
    DRIFTED = "drifted"
    """Somebody changed a field of ours."""
    REQUESTED = "requested"
    """A person asked for everything to be applied again."""


_SHOWN = 5


class WouldPruneAll(Terminal):
    """The render came back empty, and the rules say that this is more likely a mistake than a wish."""

    reason = "WouldPruneAll"


class SharedObjects(Transient):
    """Other Apps' marks are on objects of this one, and the rules say that nothing is applied then."""

    reason = "SharedObject"


class Send(Struct, frozen=True, kw_only=True):
    """One object to apply. `manifest` is what goes over the wire (`desired.manifest`, but for an autoscaler's replicas)."""

    desired: Desired
    manifest: Manifest
    digest: str
    """Of the declaration and of who decides its replicas."""
    why: Why
    drift: tuple[FieldChange, ...] = ()
    meddlers: tuple[str, ...] = ()
    record: AppliedRecord | None = None
    live: LiveFacts | Absent | None = None
    only_create: bool = False
    merge: bool = False
    force: bool = False
    replace: bool = False
    """The whole object is written, not only what is declared (see `replacing`)."""
    ignore: tuple[IgnoreRule, ...] = ()
    """The rules about this object: what is not compared."""
    respect: bool = False
    """Look at the live object before sending, for its ignored fields stay as they are."""
    ask_replicas: bool = False
    """An autoscaler decides the replicas and we have not seen the object: look at it before sending."""

    @property
    def ref(self) -> ObjectRef:
        return self.desired.ref


class Plan(Struct, frozen=True, kw_only=True):
    """`stages[i][j]` go together; stages and ranks one after another; then the prunes, likewise."""

    stages: tuple[tuple[tuple[Send, ...], ...], ...] = ()
    prunes: PrunePlan = PrunePlan()
    settled: tuple[Change, ...] = ()
    """Unchanged or skipped: no request."""
    create_namespace: str = ""
    desired: tuple[InventoryEntry, ...] = ()
    old: Inventory = Inventory()
    write_ahead: Inventory | None = None
    """To be written before the first apply; None: nothing is added."""
    notices: tuple[Notice, ...] = ()
    extraneous: frozenset[ObjectRef] = frozenset()
    """Left Git, and say themselves that this makes no difference."""

    @property
    def sends(self) -> tuple[Send, ...]:
        return tuple(send for stage in self.stages for rank in stage for send in rank)

    @property
    def is_empty(self) -> bool:
        """Nothing to ask of the cluster."""
        return not self.stages and not self.prunes.stages


def make_plan(
    desired: Iterable[Desired],
    applied: Mapping[ObjectRef, AppliedRecord],
    live: LiveView,
    inventory: Inventory,
    rules: SyncRules,
    *,
    requested: bool = False,
    heal: bool = True,
    only: Collection[ObjectRef] | None = None,
    autoscaled: Mapping[ObjectRef, ScaleTarget] | None = None,
    declared_elsewhere: Collection[ObjectRef] = (),
) -> Plan:
    """The requests that would make live equal desired.

    `requested`: send everything. `heal` False: what only drifted (or was deleted by others) is reported and left.
    `only`: a sync of these objects alone; the others are neither sent nor pruned. `autoscaled`: targets of the
    autoscalers that the live view knows; those among `desired` are found here. `declared_elsewhere`: what other Apps
    declare now; an object that moves to another App is let go, not pruned.
    Raises WouldPruneAll, SharedObjects.
    """
    wanted = sorted(desired, key=lambda item: order.sort_key(item.ref, rules.kind_order))
    if not wanted and inventory.entries and rules.prune and not rules.allow_empty and only is None:
        raise WouldPruneAll(
            f"the render gave no objects, which would prune all {len(inventory)} of this App",
            hint="check the path, or allow an empty App (Argo CD: syncPolicy.automated.allowEmpty)",
        )
    refs = {item.ref for item in wanted}
    going = inventory.refs - refs if rules.prune else frozenset()
    scaled = {target: scaler for target, scaler in (autoscaled or {}).items() if scaler.autoscaler not in going}
    for item in wanted:
        if target := scale_target(item.manifest):
            scaled[target.target] = target
    sends: list[Send] = []
    settled: list[Change] = []
    notices: list[Notice] = []
    shared: list[ObjectRef] = []
    for item in wanted:
        if only is not None and item.ref not in only:
            continue
        facts = live.get(item.ref)
        if isinstance(facts, LiveFacts) and _is_others(rules, item.ref, facts):
            shared.append(item.ref)
            notices.append(
                Notice("SharedObject", f"{item.ref} carries the marks of another App, which also declares it")
            )
        target = scaled.get(item.ref)
        if target is not None and declares_replicas(item.manifest):
            notices.append(
                Notice("ReplicasAutoscaled", f"{item.ref}: drop spec.replicas from Git, {target.autoscaler} decides it")
            )
        decision = _decide(item, applied.get(item.ref), facts, rules, requested, heal, target is not None)
        if isinstance(decision, Send):
            sends.append(decision)
        else:
            settled.append(decision)
    if shared and rules.refuse_shared:
        raise SharedObjects(
            f"shared with another App: {', '.join(map(str, shared[:_SHOWN]))}"
            + (f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""),
            hint="remove them from one of the two, or remove FailOnSharedResource=true",
        )
    entries = tuple(item.entry for item in wanted)
    prunes = plan_prunes(
        [entry for entry in inventory.entries if entry.ref not in refs],
        live,
        rules,
        only=only,
        elsewhere=declared_elsewhere,
        desired_uids=frozenset(
            facts.uid for item in wanted if isinstance(facts := live.get(item.ref), LiveFacts) and facts.uid
        ),
    )
    return Plan(
        stages=order.groups(sends, lambda send: send.ref, rules.kind_order),
        prunes=prunes,
        settled=(*settled, *prunes.settled),
        create_namespace=_namespace_to_create(rules, sends, live),
        desired=entries,
        old=inventory,
        write_ahead=write_ahead(inventory, entries),
        notices=tuple(notices),
        extraneous=frozenset(
            ref
            for ref in inventory.refs - refs
            if isinstance(facts := live.get(ref), LiveFacts) and is_extraneous_ignored(rules.opt_out, facts.annotations)
        ),
    )


def _decide(
    item: Desired,
    record: AppliedRecord | None,
    facts: LiveFacts | Absent | None,
    rules: SyncRules,
    requested: bool,
    heal: bool,
    autoscaled: bool,
) -> Send | Change:
    if opted := _opted_out(item, facts, rules):
        return opted
    only_create = _marked(item.manifest, rules.opt_out.only_create, rules)
    merge = _marked(item.manifest, rules.opt_out.merge, rules)
    why, drift = _why(item, record, facts, requested, autoscaled, merge)
    meddlers = facts.meddlers if isinstance(facts, LiveFacts) else ()
    if why is None:
        return _settled(item, Action.UNCHANGED)
    if only_create and isinstance(facts, LiveFacts):
        return _settled(item, Action.SKIPPED, "OnlyCreate", "it is there, and is only to be created")
    if isinstance(facts, LiveFacts) and facts.deleting and why is not Why.CHANGED and not requested:
        held = f"; held by the finalizers {', '.join(facts.finalizers)}" if facts.finalizers else ""
        return _settled(
            item, Action.SKIPPED, "Terminating", f"it is being deleted, and comes again when it is gone{held}"
        )
    is_drift = why is Why.DRIFTED or (
        why is Why.NEW and record is not None and record.desired_digest == _digest(item, autoscaled)
    )
    if is_drift and isinstance(facts, LiveFacts) and _is_others(rules, item.ref, facts):
        # It was declared by another App since. Healing would take it back, and pruning it next would delete it for both.
        return _settled(item, Action.SKIPPED, "TakenOver", "another App has taken it over since", drift)
    if is_drift and not heal:
        return _settled(item, Action.SKIPPED, "Drifted", "it was changed by others; healing is off", drift)
    manifest, ask = _manifest(item, facts, autoscaled)
    ignore = rules_for(rules.ignore, item.ref)
    return Send(
        desired=item,
        manifest=manifest,
        digest=_digest(item, autoscaled),
        why=why,
        drift=drift,
        meddlers=meddlers if is_drift else (),
        record=record,
        live=facts,
        only_create=only_create,
        merge=merge,
        force=rules.force or _marked(item.manifest, rules.opt_out.force, rules),
        replace=not only_create and (rules.replace or _marked(item.manifest, rules.opt_out.replace, rules)),
        ignore=ignore,
        respect=bool(ignore) and rules.respect_ignored and not isinstance(facts, Absent) and not only_create,
        ask_replicas=ask and not only_create,
    )


def _why(
    item: Desired,
    record: AppliedRecord | None,
    facts: LiveFacts | Absent | None,
    requested: bool,
    autoscaled: bool,
    merge: bool,
) -> tuple[Why | None, tuple[FieldChange, ...]]:
    """None: nothing to do. With what is known to be older than our own last answer, the answer is believed."""
    if isinstance(facts, Absent) and not _is_older(facts, record):
        return Why.NEW, ()
    if record is None or facts is None:
        return Why.UNKNOWN, ()
    if record.desired_digest != _digest(item, autoscaled) or record.version != item.version:
        return Why.CHANGED, ()
    if item.tainted and record.masking is not Masking.ALL:
        return Why.CHANGED, ()  # what may be kept of it has changed
    if isinstance(facts, LiveFacts):
        if facts.deleting and not is_stale(record, facts):
            return Why.DRIFTED, ()
        if has_drifted(record, facts, autoscaled=autoscaled, merge=merge):
            return Why.DRIFTED, drifted(record, facts, autoscaled=autoscaled)
    return (Why.REQUESTED if requested else None), ()


def _digest(item: Desired, autoscaled: bool) -> str:
    """Differs when an autoscaler comes or goes, so that the replicas are handed over, or taken back."""
    return f"{item.digest}+autoscaled" if autoscaled and declares_replicas(item.manifest) else item.digest


def _is_older(facts: Absent, record: AppliedRecord | None) -> bool:
    return record is not None and bool(facts.as_of) and not newer(facts.as_of, record.resource_version)


def _opted_out(item: Desired, facts: LiveFacts | Absent | None, rules: SyncRules) -> Change | None:
    pairs = rules.opt_out.never_apply
    if _marked(item.manifest, pairs, rules):
        return _settled(item, Action.SKIPPED, "OptedOut", "its declaration says that it is not to be reconciled")
    if isinstance(facts, LiveFacts) and has_mark(
        pairs, facts.labels, facts.annotations, rules.opt_out.options_annotation
    ):
        return _settled(item, Action.SKIPPED, "OptedOut", "the live object says that it is not to be reconciled")
    return None


def _manifest(item: Desired, facts: LiveFacts | Absent | None, autoscaled: bool) -> tuple[Manifest, bool]:
    """What to send where an autoscaler decides the replicas, and whether to look at the live object first."""
    if not autoscaled or not declares_replicas(item.manifest) or isinstance(facts, Absent):
        return item.manifest, False
    if facts is None:
        return item.manifest, True
    return with_replicas(item.manifest, replicas_to_send(facts)), False


def replicas_to_send(facts: LiveFacts) -> int | None:
    """Left out once the autoscaler holds the field; until then leaving it out would reset it, so the live value goes."""
    return None if facts.replicas_foreign else facts.replicas


def _marked(manifest: Manifest, pairs: Pairs, rules: SyncRules) -> bool:
    return has_mark(pairs, labels_of(manifest), annotations_of(manifest), rules.opt_out.options_annotation)


def _is_others(rules: SyncRules, ref: ObjectRef, facts: LiveFacts) -> bool:
    return ownership(rules.owner, ref, facts.labels, facts.annotations) is Ownership.OTHERS


def _namespace_to_create(rules: SyncRules, sends: list[Send], live: LiveView) -> str:
    """Argo's CreateNamespace: only when something goes there, it is not declared, and it has not been seen."""
    name = rules.default_namespace
    if not rules.create_namespace or not name or not any(send.ref.namespace == name for send in sends):
        return ""
    ref = ObjectRef("", "Namespace", "", name)
    declared = any(send.ref == ref for send in sends)
    return "" if declared or isinstance(live.get(ref), LiveFacts) else name


def _settled(
    item: Desired, action: Action, reason: str = "", message: str = "", fields: tuple[FieldChange, ...] = ()
) -> Change:
    return Change(
        ref=item.ref,
        version=item.version,
        action=action,
        fields=fields,
        reason=reason,
        message=message,
        origin=item.origin,
    )


__all__ = ["Plan", "Prune", "Send", "SharedObjects", "Why", "WouldPruneAll", "make_plan", "replicas_to_send"]
