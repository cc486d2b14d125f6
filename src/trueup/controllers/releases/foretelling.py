"""What the next look at a Helm release would do: which action, with which objects and hooks. Asked, rendered and judged; nothing is done.

What is wanted, how the release stands and what comes next are found as for a sync, with a memory of their own, so that the
release's knows nothing of it. Where one action leads to another, it tells of the one that changes objects.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.controllers.content import Content
from trueup.controllers.releases.actions import inventory_of, rendered
from trueup.controllers.releases.applying import CRD, content_of, refuse_others
from trueup.controllers.releases.hooks import hook_objects
from trueup.controllers.releases.records import StoredRelease
from trueup.controllers.releases.valuechanges import value_changes, values_of
from trueup.controllers.releases.work import ReleaseWork
from trueup.model.change import FieldChange
from trueup.model.errors import TrueupError
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, ref_of
from trueup.model.release import CrdPolicy, DriftMode
from trueup.model.releaserecord import Hook, Release
from trueup.model.releasestate import ReleaseAction
from trueup.render.releases import Document
from trueup.sync.releases.decide import Next
from trueup.sync.releases.hookorder import HookEvent, hooks_at, is_chosen

NONE = "none"
_EVENTS = {
    ReleaseAction.INSTALL: (HookEvent.PRE_INSTALL, HookEvent.POST_INSTALL),
    ReleaseAction.UPGRADE: (HookEvent.PRE_UPGRADE, HookEvent.POST_UPGRADE),
    ReleaseAction.ROLLBACK: (HookEvent.PRE_ROLLBACK, HookEvent.POST_ROLLBACK),
    ReleaseAction.UNINSTALL: (HookEvent.PRE_DELETE, HookEvent.POST_DELETE),
}


class ForetoldHook(Struct, frozen=True, kw_only=True):
    event: str
    weight: int
    object: Manifest


class Foretold(Struct, frozen=True, kw_only=True):
    """`content` None: all objects of `inventory` are deleted. `definitions`: the chart's CRDs; `replace`: also those that are there.

    `heals`: whether what differs although no action is due is corrected. `tainted`: hooks may hold secrets.
    """

    action: str
    why: str
    current: str
    """Chart and version of the last record; empty: there is none."""
    wanted: str
    becomes: str
    """Chart and version of the record that the action makes; empty: it makes none."""
    record: int
    """The last record's number; 0: there is none."""
    next_record: int
    content: Content | None
    inventory: Inventory
    definitions: tuple[Manifest, ...] = ()
    replace: bool = False
    hooks: tuple[ForetoldHook, ...] = ()
    heals: bool = True
    tainted: bool = True
    values: tuple[FieldChange, ...] = ()
    """Which values the new record has other than the last one, those that may be a Secret's hidden."""
    notices: tuple[str, ...] = ()


async def foretell(
    work: ReleaseWork, found: Next, stored: StoredRelease | None, target: StoredRelease | None, first: tuple[str, ...]
) -> Foretold:
    """`found` is what comes next, `target` what a rollback goes to, `first` what happens before. Raises BuildFailed and its kinds."""
    action, inventory = found.action, work.memory.saved.inventory
    notices = [*first, *([found.stall] if found.stall else [])]
    if action is ReleaseAction.UNLOCK:
        notices.append(f"an action on it never ended, so it is unlocked first: {found.why}")
        action = ReleaseAction.UPGRADE
    if action in (ReleaseAction.UPGRADE, ReleaseAction.ROLLBACK, ReleaseAction.UNINSTALL):
        deployed = await work.records.deployed()
        for record in {one.ref: one for one in (*deployed[:1], stored) if one is not None}.values():
            inventory = inventory.union(await inventory_of(work, record))
    parts: dict[str, object] = {}
    newest = stored.release.version if stored is not None else 0
    becomes = ""
    values: tuple[FieldChange, ...] = ()
    content: Content | None = None
    match action:
        case ReleaseAction.INSTALL | ReleaseAction.UPGRADE:
            content, hooks, parts, values = await _released(work, action, stored, inventory, notices)
            becomes = str(work.chart)
        case ReleaseAction.ROLLBACK:
            assert target is not None
            content = await content_of(work, target.objects, tainted=True)
            hooks = await _hooks(work, target.release.hooks, action, enabled=work.spec.rollback.hooks)
            becomes, values = str(target.release.metadata), _changed(work, stored, target.release, target.config_digest)
        case ReleaseAction.UNINSTALL:
            hooks = await _hooks(
                work, stored.release.hooks if stored else (), action, enabled=work.spec.uninstall.hooks
            )
        case _:
            # Nothing, or tests: the objects are to be as the record says.
            content = await content_of(work, stored.objects if stored else (), tainted=True)
            tests = action is ReleaseAction.TEST and stored is not None
            hooks = await _tests(work, stored.release.hooks) if tests and stored is not None else ()
            parts = {"heals": work.spec.drift is DriftMode.ENABLED}
            inventory = Inventory.of(item.entry for item in content.desired.values())
    return Foretold(
        action=str(action) if action is not None else NONE,
        why=found.why,
        current=str(stored.release.metadata) if stored is not None else "",
        wanted=str(work.chart),
        becomes=becomes,
        record=newest,
        next_record=newest + 1 if becomes else newest,
        values=values,
        content=content,
        inventory=inventory,
        hooks=hooks,
        notices=tuple(notices),
        **parts,  # type: ignore[arg-type]
    )


async def _released(
    work: ReleaseWork,
    action: ReleaseAction,
    stored: StoredRelease | None,
    inventory: Inventory,
    notices: list[str],
) -> tuple[Content, tuple[ForetoldHook, ...], dict[str, object], tuple[FieldChange, ...]]:
    """As an install or an upgrade would render it; the CRDs of the chart apart, which come first and are never pruned."""
    upgrades = action is ReleaseAction.UPGRADE
    rules = work.spec.upgrade if upgrades else work.spec.install
    keeps = upgrades and work.spec.upgrade.preserve_values
    deployed = await work.records.deployed() if keeps else []
    previous = (deployed[0] if deployed else stored) if keeps else None
    version = stored.release.version + 1 if stored is not None else 1
    prepared, content = await rendered(
        work, action, rules.validate_values, version, previous.release if previous is not None else None
    )
    definitions: tuple[Manifest, ...] = ()
    if rules.crds is not CrdPolicy.SKIP:
        job = work.job
        assert job is not None
        assert job.snapshot is not None
        documents = await work.shell.releases.engine.definitions(job.snapshot, work.chart_path)
        found = await hook_objects(work, documents) if documents else ()
        definitions = tuple(manifest for manifest in found if ref_of(manifest).group_kind == CRD)
    if definitions:
        notices.append("the chart's CRDs come first: what its templates make of them, they may make only then")
    if not rules.take_ownership:
        try:
            await refuse_others(work, content, inventory)
        except TrueupError as error:
            notices.append(f"it would fail: {work.masker.text(error.message)}")
    notices += [notice.message for notice in content.notices]
    hooks = await _hooks(work, prepared.release.hooks, action, enabled=rules.hooks)
    if work.spec.test.enable:
        hooks += await _tests(work, prepared.release.hooks)
    replaces = rules.crds is CrdPolicy.CREATE_REPLACE
    changed = _changed(work, stored, prepared.release, prepared.config_digest)
    return content, hooks, {"definitions": definitions, "replace": replaces, "tainted": prepared.tainted}, changed


def _changed(work: ReleaseWork, stored: StoredRelease | None, made: Release, digest: str) -> tuple[FieldChange, ...]:
    """From the last record's values to those of the one that would be made, whose values have this digest."""
    before, after = values_of(stored.release.config) if stored is not None else {}, values_of(made.config)
    saved = work.memory.saved
    known = [work.spec.values]
    if stored is not None and stored.config_digest in saved.plain_values:
        known.append(before)
    if digest in saved.plain_values:
        known.append(after)
    return value_changes(before, after, known, work.shell.secret_key, saved.said_values)


async def _hooks(
    work: ReleaseWork, hooks: tuple[Hook, ...] | None, action: ReleaseAction, *, enabled: bool
) -> tuple[ForetoldHook, ...]:
    if not enabled:
        return ()
    return tuple([one for event in _EVENTS[action] for one in await _told(work, hooks_at(hooks or (), event), event)])


async def _tests(work: ReleaseWork, hooks: tuple[Hook, ...] | None) -> tuple[ForetoldHook, ...]:
    chosen = tuple(hook for hook in hooks or () if hook.is_test and is_chosen(hook, work.spec.test.filters))
    return tuple(await _told(work, hooks_at(chosen, HookEvent.TEST), HookEvent.TEST))


async def _told(work: ReleaseWork, hooks: tuple[Hook, ...], event: HookEvent) -> list[ForetoldHook]:
    return [
        ForetoldHook(event=str(event), weight=hook.weight, object=obj)
        for hook in hooks
        for obj in await hook_objects(work, (Document(hook.manifest, hook.path),))
    ]


__all__ = ["NONE", "Foretold", "ForetoldHook", "foretell"]
