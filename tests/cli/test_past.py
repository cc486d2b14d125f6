"""Which revision to go back to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cli.kit import BEFORE, COMMIT, NOW, OTHER
from trueup.cli.past import NoSuchRevision, PastRow, choose_revision, summarise
from trueup.model.change import Action, Change
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision

CURRENT = Revision("main", "sha1", COMMIT)


def row(id_: int, commit: str, result: str = "succeeded") -> PastRow:
    return PastRow(
        id=id_, at=NOW - timedelta(minutes=10 - id_), kind="sync", revision=f"main@sha1:{commit}", result=result
    )


NEWEST_FIRST = [row(4, COMMIT), row(3, OTHER, "failed"), row(2, BEFORE), row(1, COMMIT)]


def test_without_a_wish_it_is_the_last_other_revision_that_worked() -> None:
    assert choose_revision(NEWEST_FIRST, "", CURRENT).digest == BEFORE


@pytest.mark.parametrize("wanted", ["2", BEFORE, BEFORE[:7], f"main@{BEFORE[:7]}", f"main@sha1:{BEFORE}"])
def test_a_revision_is_named_by_id_or_commit_as_history_shows_it(wanted: str) -> None:
    assert choose_revision(NEWEST_FIRST, wanted, CURRENT) == Revision("main", "sha1", BEFORE)


def test_a_whole_revision_need_not_be_recorded() -> None:
    assert choose_revision([], f"main@sha1:{OTHER}", CURRENT) == Revision("main", "sha1", OTHER)


@pytest.mark.parametrize("wanted", ["99", OTHER[:7], "abc", "zzzzzzz"])
def test_what_never_worked_names_what_did(wanted: str) -> None:
    with pytest.raises(NoSuchRevision, match=r"there were main@1a2b3c4, main@aaaabbb"):
        choose_revision(NEWEST_FIRST, wanted, CURRENT)


def test_nothing_to_go_back_to_is_said() -> None:
    with pytest.raises(NoSuchRevision, match="no other revision"):
        choose_revision([row(1, COMMIT)], "", CURRENT)


def test_a_beginning_of_two_commits_asks_for_more() -> None:
    rows = [row(1, COMMIT), row(2, COMMIT[:8] + BEFORE[8:])]
    with pytest.raises(NoSuchRevision, match="beginning of 2"):
        choose_revision(rows, COMMIT[:7], None)


def test_changes_in_few_words() -> None:
    web = ObjectRef("apps", "Deployment", "shop", "web")
    actions = (Action.CREATED, Action.CREATED, Action.PRUNED, Action.UNCHANGED, Action.SKIPPED)
    assert summarise([Change(ref=web, version="v1", action=action) for action in actions]) == "2 created, 1 pruned"
