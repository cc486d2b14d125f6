"""In which group of a sync each object and hook has its turn: phase by phase, wave by wave. Pure.

Facts: Argo CD's sync waves. A namespace or CRD comes no later than the first that needs it; prunes go in the mirrored
order of their waves, or after all waves with `PruneLast=true`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from trueup.model.app import SyncRules
from trueup.model.hook import Phase
from trueup.model.manifest import annotations_of, name_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.sync import order
from trueup.sync.desired import Desired
from trueup.sync.facts import LiveFacts
from trueup.sync.hooktasks import PHASE_ORDER, HookTask, wave_of
from trueup.sync.optout import has_mark
from trueup.sync.plan import Plan
from trueup.sync.prunes import Prune, PrunePlan


class _Referring(Protocol):
    @property
    def ref(self) -> ObjectRef: ...


_Item = TypeVar("_Item", bound=_Referring)


class Group(Struct, frozen=True, kw_only=True):
    """What goes together. `objects` are all that are declared for it, whether they are sent or not."""

    phase: Phase
    wave: int
    objects: frozenset[ObjectRef] = frozenset()
    prunes: frozenset[ObjectRef] = frozenset()
    hooks: tuple[HookTask, ...] = ()

    @property
    def at(self) -> tuple[int, int]:
        return (PHASE_ORDER[self.phase], self.wave)


def groups_of(
    desired: Collection[Desired], prunes: Iterable[Prune], hooks: Iterable[HookTask], rules: SyncRules
) -> tuple[Group, ...]:
    """In the order in which they run; SyncFail hooks come last, and only when the sync has failed."""
    tasks = [*hooks]
    places = _places(desired, tasks, rules)
    last = max((wave for phase, wave in places.values() if phase is Phase.SYNC), default=0)
    removals = _prune_waves(list(prunes), last, rules)
    found: dict[tuple[Phase, int], Group] = {}

    def group(phase: Phase, wave: int) -> Group:
        return found.get((phase, wave)) or Group(phase=phase, wave=wave)

    for ref, (phase, wave) in places.items():
        of = group(phase, wave)
        found[phase, wave] = structs.replace(of, objects=of.objects | {ref})
    for ref, wave in removals.items():
        of = group(Phase.SYNC, wave)
        found[Phase.SYNC, wave] = structs.replace(of, prunes=of.prunes | {ref})
    for task in tasks:
        of = group(task.phase, task.wave)
        found[task.phase, task.wave] = structs.replace(of, hooks=(*of.hooks, task))
    return tuple(
        structs.replace(item, hooks=_sorted(item.hooks, rules)) for item in sorted(found.values(), key=lambda g: g.at)
    )


def sliced(plan: Plan, group: Group) -> Plan:
    """The part of a plan that this group carries out. What is settled is nobody's part: there is nothing to do about it."""
    prunes = structs.replace(
        plan.prunes,
        stages=_only(plan.prunes.stages, group.prunes),
        settled=(),
    )
    return structs.replace(plan, stages=_only(plan.stages, group.objects), prunes=prunes, settled=())


def _only(
    stages: tuple[tuple[tuple[_Item, ...], ...], ...], refs: frozenset[ObjectRef]
) -> tuple[tuple[tuple[_Item, ...], ...], ...]:
    """The same stages and ranks with only these objects; empty ones are left out."""
    kept = (
        tuple(some for rank in stage if (some := tuple(item for item in rank if item.ref in refs))) for stage in stages
    )
    return tuple(stage for stage in kept if stage)


def remaining_prunes(prunes: PrunePlan) -> tuple[Prune, ...]:
    return tuple(prune for stage in prunes.stages for rank in stage for prune in rank)


def _places(
    desired: Collection[Desired], hooks: Sequence[HookTask], rules: SyncRules
) -> dict[ObjectRef, tuple[Phase, int]]:
    """Where each declared object goes, once namespaces and CRDs have moved before whoever needs them."""
    waves = {item.ref: wave_of(annotations_of(item.manifest), rules.wave_annotations) for item in desired}
    first: dict[str, tuple[int, int]] = {}
    users = [(item.ref, (PHASE_ORDER[Phase.SYNC], waves[item.ref])) for item in desired]
    users.extend(
        (task.ref, (PHASE_ORDER[task.phase], task.wave)) for task in hooks if task.phase is not Phase.SYNC_FAIL
    )
    for ref, at in users:
        for need in (f"namespace/{ref.namespace}", f"kind/{ref.group}/{ref.kind}"):
            first[need] = min(first.get(need, at), at)
    phases = {number: phase for phase, number in PHASE_ORDER.items()}
    places: dict[ObjectRef, tuple[Phase, int]] = {}
    for item in desired:
        own = (PHASE_ORDER[Phase.SYNC], waves[item.ref])
        at = min(own, first.get(_gives(item), own))
        places[item.ref] = (phases[at[0]], at[1])
    return places


def _gives(item: Desired) -> str:
    """What others may need of this object; empty: nothing."""
    if item.ref.group_kind == order.NAMESPACE:
        return f"namespace/{name_of(item.manifest)}"
    if item.ref.group_kind == order.CRD:
        spec = spec_of(item.manifest)
        names = spec.get("names")
        return f"kind/{spec.get('group')}/{names.get('kind')}" if isinstance(names, dict) else ""
    return ""


def _prune_waves(prunes: Sequence[Prune], last: int, rules: SyncRules) -> dict[ObjectRef, int]:
    """The waves of what is pruned, mirrored: what came last goes first. An object that was not seen counts as wave 0."""
    own = {prune.ref: _live_wave(prune, rules) for prune in prunes}
    waves = sorted(set(own.values()))
    mirrored = dict(zip(waves, reversed(waves), strict=True))
    result = {ref: mirrored[wave] for ref, wave in own.items()}
    end = max([0, last, *result.values()]) + 1
    for prune in prunes:
        if rules.prune_last or _is_last(prune.live, rules):
            result[prune.ref] = end
    return result


def _live_wave(prune: Prune, rules: SyncRules) -> int:
    return wave_of(prune.live.annotations, rules.wave_annotations) if prune.live is not None else 0


def _is_last(live: LiveFacts | None, rules: SyncRules) -> bool:
    opt_out = rules.opt_out
    return live is not None and has_mark(opt_out.prune_last, live.labels, live.annotations, opt_out.options_annotation)


def _sorted(hooks: Sequence[HookTask], rules: SyncRules) -> tuple[HookTask, ...]:
    return tuple(sorted(hooks, key=lambda task: order.sort_key(task.ref, rules.kind_order)))
