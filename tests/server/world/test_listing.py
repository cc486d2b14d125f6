"""Pages of lists: in order, none twice, none left out."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.world.kit import row
from trueup.apps.status import Status
from trueup.model.errors import InvalidInput
from trueup.server.world import listing
from trueup.server.world.listing import FACETS, Sort, page_of, sort_key
from trueup.server.world.rows import AppRow

ROWS = st.lists(
    st.builds(
        row,
        name=st.sampled_from("abc"),
        namespace=st.sampled_from("xyz"),
        minutes=st.integers(0, 3),
        status=st.sampled_from(Status),
        project=st.sampled_from("pq"),
    ),
    max_size=12,
    unique_by=lambda one: one.key,
)


@given(rows=ROWS, sort=st.sampled_from(Sort), descending=st.booleans(), limit=st.integers(1, 4))
def test_all_pages_together_are_the_whole_list_in_order(
    rows: list[AppRow], sort: Sort, descending: bool, limit: int
) -> None:
    found: list[AppRow] = []
    after = ""
    for _ in range(len(rows) + 1):
        page = page_of(rows, sort=sort, descending=descending, limit=limit, after=after)
        assert page.total == len(rows)
        found += page.items
        if not (after := page.next):
            break
    assert found == sorted(rows, key=sort_key(sort), reverse=descending)


@given(rows=ROWS, gone=st.integers(0, 11), sort=st.sampled_from(Sort))
def test_a_page_goes_on_behind_a_row_that_has_gone_meanwhile(rows: list[AppRow], gone: int, sort: Sort) -> None:
    first = page_of(rows, sort=sort, limit=2)
    left = [one for one in rows if one != first.items[-1]] if first.next else rows
    if first.next:
        rest = page_of(left, sort=sort, limit=100, after=first.next).items
        assert [*first.items, *rest] == sorted(rows, key=sort_key(sort))


def test_facets_count_what_fits_and_not_what_the_page_shows() -> None:
    rows = [row(str(number), status=Status.FAILED if number % 3 else Status.READY) for number in range(9)]
    page = page_of(rows, limit=2, facets=("status", "namespace"))
    assert page.facets == {"status": {"Failed": 6, "Ready": 3}, "namespace": {"shop": 9}}


def test_the_worst_come_first_when_sorted_by_status() -> None:
    rows = [row("a"), row("b", status=Status.PROGRESSING), row("c", status=Status.FAILED)]
    assert [one.name for one in page_of(rows, sort=Sort.STATUS).items] == ["c", "b", "a"]


def test_what_changed_last_comes_first_when_sorted_by_time_and_the_unknown_last() -> None:
    rows = [row("a", minutes=5), row("b", minutes=1), row("c", since=None)]
    assert [one.name for one in page_of(rows, sort=Sort.SINCE).items] == ["b", "a", "c"]


@pytest.mark.parametrize("after", ["x", "====", "eyJ9", "W10", "WyJh", "a" * 5000, "é"])
def test_a_cursor_that_is_none_is_refused_or_begins_somewhere_but_is_no_fault(after: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert page_of([row("a"), row("b")], after=after).total == 2


def test_a_cursor_of_another_order_is_refused() -> None:
    rows = [row("a"), row("b"), row("c")]
    with pytest.raises(InvalidInput, match="another sort order"):
        page_of(rows, sort=Sort.SINCE, after=page_of(rows, limit=1).next)


def test_a_page_looks_at_each_row_of_ten_thousand_once_and_makes_only_its_own() -> None:
    rows = [row(f"app-{number:05}") for number in range(10_000)]
    looked: list[str] = []
    FACETS["counted"] = lambda one: looked.append(one.name) or one.namespace  # type: ignore[func-returns-value]
    try:
        page = listing.page_of(rows, limit=50, facets=("counted",))
    finally:
        del FACETS["counted"]
    assert (len(page.items), page.total, len(looked)) == (50, 10_000, 10_000)
