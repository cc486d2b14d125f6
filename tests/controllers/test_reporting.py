"""What a status tells: the deployments that it remembers."""

from __future__ import annotations

from datetime import UTC, datetime

from trueup.controllers.reporting import with_deployment
from trueup.model.outcome import HistoryEntry
from trueup.model.revision import git_revision

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def deployed(results: list[bool], limit: int) -> tuple[HistoryEntry, ...]:
    """One deployment per result, each of another revision."""
    history: tuple[HistoryEntry, ...] = ()
    for number, succeeded in enumerate(results):
        history = with_deployment(
            history,
            revision=git_revision("main", f"{number:040x}"),
            digest=str(number),
            succeeded=succeeded,
            started=NOW,
            finished=NOW,
            initiated_by="",
            limit=limit,
        )
    return history


def test_as_many_deployments_are_remembered_as_asked() -> None:
    assert [entry.id for entry in deployed([True] * 30, 25)] == list(range(5, 30))
    assert [entry.id for entry in deployed([True] * 5, 2)] == [3, 4]


def test_failures_push_no_success_out() -> None:
    history = deployed([True, True, *[False] * 20], 3)
    assert [entry.id for entry in history if entry.succeeded] == [0, 1]
    assert [entry.id for entry in history if not entry.succeeded] == [19, 20, 21]


def test_the_numbers_go_on_where_nothing_is_to_be_remembered() -> None:
    assert [entry.id for entry in deployed([True] * 4, 0)] == [3]
