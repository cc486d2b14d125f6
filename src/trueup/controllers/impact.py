"""A source at a revision that people ask about: fetched, held while it is looked at, and given up; whom it concerns, and who made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from trueup.apps.comparison import CommitRow, Impact
from trueup.apps.pins import Pin
from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.model.errors import InvalidInput, Transient
from trueup.model.refs import ObjectRef
from trueup.model.source import SourceKey
from trueup.render.readers import InputIndex
from trueup.sources.gitobjects import CommitFacts
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.history import describe
from trueup.sources.treediff import diff
from trueup.sources.treesnapshot import TreeSnapshot

LONGEST_REVISION = 300
LONGEST_MESSAGE = 4096

Readers = Mapping[SourceKey, InputIndex]


@asynccontextmanager
async def at(shell: AppShell, feed: Feed, revision: str | Pin) -> AsyncIterator[TreeSnapshot]:
    """A text names a branch, tag, commit or version, of several sources one each with commas; empty: what the source has now.

    Raises InvalidInput and SourceError.
    """
    own = feed.snapshot
    if isinstance(revision, Pin):
        snapshot = await shell.sources.at_revision(feed, revision.revision, revision.parts)
    elif len(revision) > LONGEST_REVISION or not (revision.isprintable() or not revision):
        raise InvalidInput("is no revision", field="revision", hint="name a branch, a tag or a commit")
    elif "," in revision:
        snapshot = await shell.sources.at_expressions(feed, [part.strip() for part in revision.split(",")])
    elif revision:
        snapshot = await shell.sources.at_expression(feed, revision)
    elif own is None:
        raise Transient(f"{feed.label} has not been fetched yet", hint="look at the source")
    else:
        snapshot = own
    try:
        yield snapshot
    finally:
        if snapshot is not own and snapshot is not feed.snapshot:
            snapshot.release()


async def commit_of(snapshot: TreeSnapshot) -> CommitRow | None:
    """Without asking a remote: the commit is here, for its files are."""
    if not isinstance(snapshot, GitSnapshot):
        return None
    return commit_row(await describe(snapshot), snapshot.details.verified)


def commit_row(facts: CommitFacts, verified: str = "") -> CommitRow:
    return CommitRow(
        commit=facts.commit,
        author=facts.author,
        email=facts.email,
        at=facts.authored,
        message=facts.message.strip()[:LONGEST_MESSAGE],
        signed=facts.signed,
        verified=verified,
    )


async def impact_of(
    source: ObjectRef, feed: Feed, after: TreeSnapshot, memories: Mapping[ObjectRef, AppMemory], readers: Readers
) -> Impact:
    """Costs follow what differs between the two revisions, not how many Apps there are. Nothing is rendered."""
    before = feed.snapshot
    index = readers.get(feed.key)
    if before is None:
        concerned = set(feed.users)
    else:
        changes = tuple(await asyncio.to_thread(lambda: list(diff(before, after))))
        concerned = (index.concerned(changes, after) if index is not None else set()) & feed.users
        concerned |= {ref for ref in feed.users if _is_unknown(memories.get(ref))}
    return Impact(
        source=source,
        revision=after.revision.short,
        full_revision=str(after.revision),
        concerned=tuple(sorted(concerned)),
        notices=_notices(feed),
        commit=await commit_of(after),
    )


def _is_unknown(memory: AppMemory | None) -> bool:
    """It was never rendered, so that nobody can tell what it reads."""
    return memory is None or memory.saved.inputs is None


def _notices(feed: Feed) -> tuple[str, ...]:
    if not feed.children:
        return ()
    number = len(feed.children)
    made = "another source is made of this one too" if number == 1 else f"{number} sources are made of this one too"
    return (f"{made}: ask for what a revision does to the Apps of {'that' if number == 1 else 'those'}",)
