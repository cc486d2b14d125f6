"""From rendered objects that are hooks to the runs of them that a sync or deletion makes. Pure.

A hook is told from an object that is kept by the dialect's annotations; it is normalised and marked like any other, and
gets a finalizer that keeps it until its end has been seen. Hooks belong to no inventory: nothing prunes or heals them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from trueup.model.app import SyncRules
from trueup.model.hook import DeletePolicy, Hook, Phase
from trueup.model.manifest import Declared, Manifest, annotations_of, metadata_of, name_of, ref_of
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.sync.canonical import keyed_digest
from trueup.sync.desired import Desired
from trueup.sync.hooks import HOOK_FINALIZER
from trueup.sync.marks import with_marks
from trueup.sync.normalise import Kind, normalise

PHASE_ORDER = {Phase.PRE_SYNC: 0, Phase.SYNC: 1, Phase.POST_SYNC: 2, Phase.SYNC_FAIL: 3}
"""The phases of a sync, in the order in which they run."""
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PLACEHOLDER = "0"


class DeclaredHook(Struct, frozen=True, kw_only=True):
    """One hook as a render gives it. `generate_name`: its name is made anew for each run; `desired` then holds a stand-in."""

    hook: Hook
    desired: Desired
    generate_name: str = ""


class HookTask(Struct, frozen=True, kw_only=True):
    """One run of a hook that is to come: `desired.manifest` is what is sent."""

    desired: Desired
    phase: Phase
    wave: int
    policies: frozenset[DeletePolicy]

    @property
    def ref(self) -> ObjectRef:
        return self.desired.ref

    @property
    def key(self) -> tuple[ObjectRef, Phase]:
        return (self.ref, self.phase)


class Parted(Struct, frozen=True):
    """A render's objects: to be kept, and to be run."""

    kept: tuple[Declared, ...]
    hooks: tuple[tuple[Declared, Hook], ...]
    notices: tuple[Notice, ...]


def part_hooks(objects: Iterable[Declared], read_hook: Callable[[Manifest], Hook | None]) -> Parted:
    """Hooks that never run here (tests, rollbacks) are left out; a type that nobody knows is told."""
    kept: list[Declared] = []
    hooks: list[tuple[Declared, Hook]] = []
    notices: list[Notice] = []
    for item in objects:
        hook = read_hook(item.manifest)
        if hook is None:
            kept.append(item)
            continue
        if hook.phases:
            hooks.append((item, hook))
        if hook.unknown:
            what = "it never runs" if not hook.phases else "the other types count"
            names = ", ".join(hook.unknown)
            notices.append(Notice("ExcludedResourceWarning", f"{item.ref}: there is no hook type {names}; {what}"))
    return Parted(tuple(kept), tuple(hooks), tuple(notices))


def declare_hooks(
    hooks: Iterable[tuple[Declared, Hook]],
    scopes: Mapping[Kind, Any],
    rules: SyncRules,
    *,
    secret_key: bytes,
    tainted: bool = False,
) -> tuple[DeclaredHook, ...]:
    """Normalised one by one, for two runs may share a name. Raises InvalidManifests."""
    rules = structs.replace(rules, create_namespace=False, namespace_metadata=None)
    found = []
    for item, hook in hooks:
        prefix = str(metadata_of(item.manifest).get("generateName") or "") if not name_of(item.manifest) else ""
        manifest = _held(item.manifest, f"{prefix}{_PLACEHOLDER}" if prefix else "")
        one = normalise(
            [structs.replace(item, manifest=manifest)], scopes, rules, secret_key=secret_key, tainted=tainted
        )
        found.append(DeclaredHook(hook=hook, desired=one.objects[0], generate_name=prefix))
    return tuple(found)


def sync_tasks(
    hooks: Iterable[DeclaredHook], rules: SyncRules, revision: Revision, started: datetime, secret_key: bytes
) -> tuple[HookTask, ...]:
    """The runs of one sync: one per hook and phase. The same revision and beginning give the same names."""
    tasks = []
    for item in hooks:
        wave = wave_of(annotations_of(item.desired.manifest), rules.wave_annotations)
        for phase in sorted(item.hook.phases & PHASE_ORDER.keys(), key=PHASE_ORDER.__getitem__):
            desired = item.desired
            if item.generate_name:
                stamp = f"{(revision.digest or revision.name)[:7]}-{phase}-{int(started.timestamp())}".lower()
                desired = _named(desired, f"{item.generate_name}{stamp}", rules, secret_key)
            tasks.append(HookTask(desired=desired, phase=phase, wave=wave, policies=item.hook.policies))
    return tuple(tasks)


def deletion_tasks(
    hooks: Iterable[DeclaredHook], phase: Phase, rules: SyncRules, stamp: str, secret_key: bytes
) -> tuple[HookTask, ...]:
    """The runs of a deletion's phase. `stamp` tells this deletion from others, for names that are generated."""
    tasks = []
    for item in hooks:
        if phase not in item.hook.phases:
            continue
        desired = item.desired
        if item.generate_name:
            desired = _named(desired, f"{item.generate_name}{phase}-{stamp}".lower(), rules, secret_key)
        wave = wave_of(annotations_of(desired.manifest), rules.wave_annotations)
        tasks.append(HookTask(desired=desired, phase=phase, wave=wave, policies=item.hook.policies))
    return tuple(tasks)


def wave_of(annotations: Mapping[str, Any], keys: Sequence[str]) -> int:
    """The first annotation that holds an integer says it; 0 by default."""
    for key in keys:
        text = annotations.get(key)
        if isinstance(text, str) and _INTEGER.fullmatch(text):
            return int(text)
    return 0


def _held(manifest: Manifest, name: str) -> Manifest:
    """With the finalizer, and a name where it has none. A manifest without metadata is left for `normalise` to refuse."""
    if not isinstance(manifest.get("metadata"), dict):
        return manifest
    metadata = dict(manifest["metadata"])
    said = metadata.get("finalizers")
    finalizers = [each for each in said if each != HOOK_FINALIZER] if isinstance(said, list) else []
    metadata["finalizers"] = [*finalizers, HOOK_FINALIZER]
    if name:
        metadata["name"] = name
    return manifest | {"metadata": metadata}


def _named(desired: Desired, name: str, rules: SyncRules, secret_key: bytes) -> Desired:
    ref = structs.replace(desired.ref, name=name)
    manifest = desired.manifest | {"metadata": {**desired.manifest["metadata"], "name": name}}
    manifest = with_marks(manifest, rules.owner, ref)
    assert ref_of(manifest) == ref
    return structs.replace(desired, ref=ref, manifest=manifest, digest=keyed_digest(manifest, secret_key))
