"""Who changed what, when: facts of commits, and the commits between two revisions.

A mirror starts with one commit of history; more is fetched when somebody asks, step by step until the answer is there.
"""

from __future__ import annotations

import asyncio

from trueup.sources.gitcommand import Access, Git
from trueup.sources.gitobjects import CommitFacts, ObjectReader
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.mirror import WHOLE_HISTORY, Mirror

_STEPS = (50, 500, WHOLE_HISTORY)


async def describe(snapshot: GitSnapshot) -> CommitFacts:
    """The facts of a snapshot's own commit; no network."""
    return await asyncio.to_thread(snapshot.reader.facts, snapshot.commit)


async def commits_between(
    git: Git, mirror: Mirror, access: Access, before: str, after: GitSnapshot, *, limit: int
) -> tuple[CommitFacts, ...]:
    """The commits that `after` has and `before` has not, newest first, at most `limit`.

    After a forced push these are the commits since the two lines parted, as far as the old line is still known here;
    where it is not, older commits of the new line follow.
    """
    for step in (None, *_STEPS):
        async with mirror.fetching:
            reader = await mirror.prepare()
            if step is not None:
                await mirror.deepen(access, after.ref, step)
            old = await asyncio.to_thread(_known, reader, before)
            revisions = [after.commit, *(f"^{commit}" for commit in old)]
            arguments = ["rev-list", "--topo-order", f"--max-count={limit}", *revisions]
            printed = await git.run(arguments, deadline=access.deadline, directory=mirror.directory)
            listed = printed.decode().split()
            cut = await asyncio.to_thread(_shallow_commits, mirror)
        # Where no listed commit was cut off from its parents, more history cannot make the list longer or shorter.
        if len(listed) >= limit or not cut or (old and not cut.intersection(listed)):
            break
    return tuple(await asyncio.to_thread(lambda: [reader.facts(commit) for commit in listed]))


def _known(reader: ObjectReader, before: str) -> list[str]:
    """The commit and its own parents, as far as they are here: git itself does not look behind where history was cut."""
    if not reader.has(before):
        return []
    return [before, *(parent for parent in reader.facts(before).parents if reader.has(parent))]


def _shallow_commits(mirror: Mirror) -> frozenset[str]:
    try:
        return frozenset((mirror.directory / "shallow").read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()
