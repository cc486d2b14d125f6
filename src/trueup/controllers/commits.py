"""Who made the revisions that an App's history names: read from the mirror, and of a few that are not there, asked of the remote.

A mirror holds the commits that were fetched as long as they are in use; a shallow one has no others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from trueup.apps.comparison import CommitRow, Commits
from trueup.controllers.feeds import Feed
from trueup.controllers.impact import at, commit_of, commit_row
from trueup.controllers.shell import AppShell
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.revision import Revision, parse_revision
from trueup.sources.gitobjects import ObjectReader
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.giturl import mask_url

MOST = 50
"""Revisions that may be asked for at once."""
FETCHED = 5
"""Of those, how many the remote is asked for; the others come with the next question."""


async def commits_of(shell: AppShell, feeds: Sequence[Feed], revisions: Sequence[str]) -> Commits:
    """Of the Git repositories among the feeds, whichever has them. Raises InvalidInput."""
    if len(revisions) > MOST:
        raise InvalidInput(f"are {len(revisions)} revisions", field="revisions", hint=f"ask for at most {MOST} at once")
    repositories = [(feed, one) for feed in feeds if isinstance(one := feed.snapshot, GitSnapshot)]
    wanted = {text: parsed for text in revisions if (parsed := parse_revision(text)) is not None and parsed.digest}
    items: dict[str, CommitRow] = {}
    for _, snapshot in repositories:
        items = await asyncio.to_thread(_here, snapshot.reader, wanted) | items
    for feed, _ in repositories:
        for text in [text for text in wanted if text not in items][:FETCHED]:
            try:
                async with at(shell, feed, wanted[text].digest) as fetched:
                    found = await commit_of(fetched)
            except TrueupError:
                continue  # rewritten, or the remote gives no single commits: nobody can tell who made it
            if found is not None:
                items[text] = found
    return Commits(url=mask_url(repositories[0][1].url) if len(repositories) == 1 else "", items=items)


def _here(reader: ObjectReader, wanted: dict[str, Revision]) -> dict[str, CommitRow]:
    return {
        text: commit_row(reader.facts(revision.digest))
        for text, revision in wanted.items()
        if reader.is_commit(revision.digest)
    }
