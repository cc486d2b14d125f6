"""Apps by environment and team: as their labels say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.server.argo.kit import application
from tests.server.world.kit import row
from trueup.dialects.registry import all_dialects
from trueup.model.manifest import ref_of
from trueup.server.world.listing import FACETS
from trueup.server.world.overview import overview_of
from trueup.server.world.rows import app_row
from trueup.server.world.searching import search


@pytest.mark.parametrize(
    ("labels", "environment", "team"),
    [
        ({}, "", ""),
        ({"env": "prod", "owner": "shop"}, "prod", "shop"),
        ({"environment": "test", "env": "prod", "team": "bank", "owner": "shop"}, "test", "bank"),
        ({"trueup.dev/environment": "dev", "environment": "test", "trueup.dev/team": ""}, "dev", ""),
    ],
)
def test_an_app_says_by_its_labels_for_whom_it_is(labels: dict[str, str], environment: str, team: str) -> None:
    obj = application("web", labels=labels)
    dialect = next(one for one in all_dialects() if one.app_kind.kind == ref_of(obj).kind)
    found = app_row(obj, dialect, datetime(2026, 3, 1, tzinfo=UTC))
    assert (found.environment, found.team) == (environment, team)


def test_groups_of_environments_and_teams_are_there_once_somebody_says_one() -> None:
    rows = [row("a", environment="prod", team="shop"), row("b", environment="prod"), row("c")]
    found = overview_of(rows)
    assert {group.name: group.total for group in found.environments} == {"prod": 2, "": 1}
    assert {group.name: group.total for group in found.teams} == {"shop": 1, "": 2}
    nothing = overview_of([row("c")])
    assert (nothing.environments, nothing.teams) == ((), ())


def test_they_are_searched_and_counted_as_fields() -> None:
    rows = [row("a", environment="prod", team="shop"), row("b", team="bank")]
    assert [one.name for one in rows if search("environment:prod")(one)] == ["a"]
    assert [one.name for one in rows if search("team:shop,bank -environment:prod")(one)] == ["b"]
    assert [FACETS["team"](one) for one in rows] == ["shop", "bank"]
