"""Pages of small lists: found by words, sorted, cut, and gone through without repeating or skipping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from trueup.server.api.paging import ListQuery, Page, page, sortable
from trueup.server.api.refusals import BadQuery


class Inner(Struct, frozen=True, rename="camel"):
    name: str
    made_at: datetime | None = None
    labels: dict[str, str] = {}


class Row(Struct, frozen=True):
    row: Inner
    apps: int = 0
    tags: tuple[str, ...] = ()


ROWS = [
    Row(Inner("shop", datetime(2026, 3, 1, tzinfo=UTC), {"team": "Red"}), 3, ("blue",)),
    Row(Inner("bank"), 10),
    Row(Inner("mail", datetime(2026, 1, 1, tzinfo=UTC)), 2),
    Row(Inner("apps"), 2),
]


def asked(rows: list[Row] = ROWS, **query: Any) -> Page:
    return page(rows, ListQuery(**query), lambda one: one.row.name)


def names(found: Page) -> list[str]:
    return [one.row.name for one in found.items]


def test_without_a_wish_all_come_by_their_names() -> None:
    found = asked()
    assert (names(found), found.total, found.next) == (["apps", "bank", "mail", "shop"], 4, "")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"search": "red"}, ["shop"]),
        ({"search": "BLUE sho"}, ["shop"]),
        ({"search": "blue bank"}, []),
        ({"sort": "apps"}, ["apps", "mail", "shop", "bank"]),
        ({"sort": "apps", "descending": True}, ["bank", "shop", "mail", "apps"]),
        ({"sort": "row.madeAt"}, ["apps", "bank", "mail", "shop"]),
    ],
)
def test_rows_are_found_by_words_and_sorted_by_a_field(query: dict[str, Any], wanted: list[str]) -> None:
    assert names(asked(**query)) == wanted


def test_a_field_that_there_is_not_is_named_with_those_that_there_are() -> None:
    assert sortable(Row) == ("row.name", "row.madeAt", "apps")
    with pytest.raises(BadQuery, match="no field 'tags'") as refused:
        asked(sort="tags")
    assert refused.value.hint == "there are: row.name, row.madeAt, apps"
    for cursor in ("nonsense", "bnVsbA", "W10"):
        with pytest.raises(BadQuery, match="no cursor"):
            asked(after=cursor)


@given(
    counts=st.lists(st.integers(0, 3), max_size=12),
    limit=st.integers(1, 5),
    sort=st.sampled_from(["", "apps", "row.name", "row.madeAt"]),
    descending=st.booleans(),
)
def test_going_through_pages_shows_each_row_once_in_the_order_of_the_whole(
    counts: list[int], limit: int, sort: str, descending: bool
) -> None:
    rows = [Row(Inner(f"n{number}"), count) for number, count in enumerate(counts)]
    whole = names(asked(rows, sort=sort, descending=descending))
    seen: list[str] = []
    after = ""
    while True:
        found = asked(rows, sort=sort, descending=descending, limit=limit, after=after)
        assert found.total == len(rows)
        seen += names(found)
        after = found.next
        if not after:
            break
    assert seen == whole
