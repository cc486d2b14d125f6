"""What a source's own resource is told: its status, the artifact that it offers, and an Event when there is news."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trueup.controllers.events import Event, EventWriter
from trueup.controllers.feeds import Feed
from trueup.controllers.status import StatusWriter
from trueup.dialects.dialect import Dialect
from trueup.model.errors import Terminal
from trueup.model.manifest import Manifest, generation_of
from trueup.model.outcome import Artifact, SourceStatus, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.model.source import Source
from trueup.sources.treesnapshot import TreeSnapshot


class Packer(Protocol):
    """Makes the tarball of a snapshot; only with `--serve-artifacts`."""

    async def pack(self, ref: ObjectRef, snapshot: TreeSnapshot, source: Source) -> Artifact: ...

    async def keep_only(self, refs: Set[ObjectRef]) -> None:
        """Removes what was made for sources that are gone."""
        ...


@dataclass(slots=True)
class SourceReporter:
    """The one writer of sources' statuses."""

    writer: StatusWriter
    events: EventWriter
    clock: Callable[[], datetime]
    artifact_url: str
    packer: Packer | None = None

    async def stalled(self, feed: Feed, obj: Manifest, dialect: Dialect) -> None:
        """The resource cannot be read, or asks for what is not built."""
        await self._report(feed, obj, dialect, State.STALLED)

    async def looked(
        self, feed: Feed, obj: Manifest, dialect: Dialect, *, token: str, parents: Sequence[Feed] = ()
    ) -> None:
        """The outcome of a look at the remote. `token`: the request that it answers; `parents`: what it is made of."""
        ready = feed.problem is None
        state = State.READY if ready else (State.STALLED if isinstance(feed.problem, Terminal) else State.RETRYING)
        included = tuple(parent.artifact for parent in parents if parent.artifact is not None)
        await self._report(feed, obj, dialect, state, token=token, included=included)

    async def without_content(self, ref: ObjectRef, obj: Manifest, dialect: Dialect) -> None:
        """A source of which there is no snapshot is ready as soon as it is read; no Event tells of it."""
        status = SourceStatus(state=State.READY, reason="", message="", observed_generation=generation_of(obj))
        await self.writer.write(ref, lambda current: dialect.source_status_patch(current, status, self.clock()))

    async def _report(
        self,
        feed: Feed,
        obj: Manifest,
        dialect: Dialect,
        state: State,
        *,
        token: str = "",
        included: tuple[Artifact, ...] = (),
    ) -> None:
        ref, old = feed.key, feed.status
        assert isinstance(ref, ObjectRef)
        if feed.snapshot is not None:
            made_of = f"{feed.snapshot.revision} {feed.snapshot.id}"  # an include may move under an equal revision
            if feed.artifact is None or feed.artifact_of != made_of:
                feed.artifact, feed.artifact_of = await self._artifact(feed, ref, feed.snapshot), made_of
        if feed.problem is None and feed.artifact is not None:
            message, reason = f"stored artifact for revision '{feed.artifact.revision}'", "Succeeded"
        else:
            message, reason = str(feed.problem), getattr(feed.problem, "reason", "Failed")
        status = SourceStatus(
            state=state,
            reason=reason,
            message=message,
            observed_generation=generation_of(obj),
            artifact=feed.artifact,
            details=feed.snapshot.details if feed.snapshot is not None else Details(),
            included=included,
            handled_request=token,
            fetch_failed=feed.problem is not None,
        )
        feed.status = status
        # After a restart we have said nothing yet; what the stored status says already is no news all the same.
        told = old is None and dialect.source_status_patch(obj, status, self.clock()) is None
        await self.writer.write(ref, lambda current: dialect.source_status_patch(current, status, self.clock()))
        if not told and (old is None or (old.message, old.state) != (message, state)):
            news = Event(
                reason="NewArtifact" if state is State.READY else reason,
                message=message,
                warning=state is not State.READY,
            )
            self.events.emit(obj, news)

    async def _artifact(self, feed: Feed, ref: ObjectRef, snapshot: TreeSnapshot) -> Artifact:
        assert feed.source is not None
        if self.packer is not None:
            return await self.packer.pack(ref, snapshot, feed.source)
        path = artifact_path(ref, snapshot.revision)
        return Artifact(
            revision=snapshot.revision,
            path=path,
            url=f"{self.artifact_url}/artifacts/{path}",
            digest=f"gittree:{snapshot.id}",
            size=None,
            last_update=self.clock(),
            metadata=snapshot.details.metadata,
        )


def artifact_path(ref: ObjectRef, revision: Revision) -> str:
    """Below `/artifacts/`, as Flux has it."""
    return f"{ref.kind.lower()}/{ref.namespace}/{ref.name}/{revision.digest or revision.name}.tar.gz"
