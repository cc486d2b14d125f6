"""Which resources are watched for the objects of Apps, and what the watches know. An adapter over the live view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog

from trueup.controllers.managed import Kept, ManagedObjects
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.manifest import Manifest, api_version_of, ref_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.sync.drift import has_drifted
from trueup.sync.facts import Absent, AppliedRecord, LiveFacts

log = structlog.get_logger(__name__)


class Watches(Protocol):
    """The cluster's live view by kinds, as `controllers.wiring` adapts it."""

    async def follow(self, group: str, version: str, kind: str) -> None:
        """Returns when all objects of the kind have been seen. Raises KindNotServed or ApiError."""
        ...

    def is_complete(self, group_kind: GroupKind, version: str = "") -> bool:
        """Without a version: in any."""
        ...

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        """As seen in that version, where all of it has been seen; else in any."""
        ...

    def observe(self, answer: Manifest) -> None:
        """An answer to our own write."""
        ...


class Tracking:
    """Follows kinds as Apps come to need them, and answers what is known of objects."""

    def __init__(self, watches: Watches, managed: ManagedObjects) -> None:
        self._watches = watches
        self._managed = managed
        self._followed: set[tuple[GroupKind, str]] = set()
        self._refused: dict[GroupKind, str] = {}

    async def follow(self, kinds: Iterable[tuple[str, str, str]]) -> None:
        """Watches every (group, version, kind): each version that Apps declare, for fields are compared in their own.

        A kind that is not served or not allowed is left for the apply to tell."""
        for group, version, kind in kinds:
            group_kind = GroupKind(group, kind)
            if (group_kind, version) in self._followed and self._watches.is_complete(group_kind, version):
                continue
            try:
                await self._watches.follow(group, version, kind)
                self._followed.add((group_kind, version))
                self._managed.watched(group_kind, version)
                self._refused.pop(group_kind, None)
            except KindNotServed:
                self._managed.unwatched(group_kind, version)
            except ApiError as error:
                if self._refused.get(group_kind) != error.message:
                    self._refused[group_kind] = error.message
                    log.warning("kind not watched: its drift is not seen", kind=str(group_kind), error=error.message)

    def facts(self, refs: Iterable[ObjectRef]) -> Mapping[ObjectRef, LiveFacts | Absent]:
        return self._managed.facts(refs, self)

    def drifting(self, records: Mapping[ObjectRef, AppliedRecord]) -> set[ObjectRef]:
        """What is gone, or differs from what was applied, as seen now: in memory alone."""
        facts = self.facts(records)
        found = set()
        for ref, record in records.items():
            fact, scaled = facts.get(ref), ref in self._managed.scaled
            if isinstance(fact, Absent) or (fact is not None and has_drifted(record, fact, autoscaled=scaled)):
                found.add(ref)
        return found

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        return self._watches.get(ref, version)

    def knows(self, ref: ObjectRef) -> bool:
        return self._watches.is_complete(ref.group_kind)

    def observe(self, answer: Manifest) -> None:
        self._watches.observe(answer)
        ref = ref_of(answer)
        _, version = split_api_version(api_version_of(answer))
        self._managed.foresee(ref, self._watches.get(ref, version))
