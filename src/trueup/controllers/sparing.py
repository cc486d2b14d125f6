"""Heals that leave the fields alone which the resource says are to be ignored: they are sent as they are live."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from trueup.model.release import IgnoreRule
from trueup.sync.applier import Applier
from trueup.sync.plan import Plan, Send
from trueup.sync.releases.ignoring import ignored_paths, with_live_values


async def sparing_ignored(plan: Plan, rules: Iterable[IgnoreRule], applier: Applier) -> Plan:
    """One more read per object that a rule picks; the others stay as they are."""
    rules = tuple(rules)
    spared = {send.ref: await _spared(send, rules, applier) for send in plan.sends}
    stages = tuple(tuple(tuple(spared[send.ref] for send in rank) for rank in stage) for stage in plan.stages)
    return structs.replace(plan, stages=stages)


async def _spared(send: Send, rules: tuple[IgnoreRule, ...], applier: Applier) -> Send:
    pointers = ignored_paths(rules, send.manifest)
    live = await applier.get(send.ref, send.desired.version) if pointers else None
    if live is None:
        return send
    return structs.replace(send, manifest=with_live_values(send.manifest, live, pointers))
