"""What the pages ask of the lists beside their filters: a window anywhere, and Apps by their names."""

from __future__ import annotations

from tests.server.pages.stage.world import make_world
from trueup.server.world.listing import Sort, page_of
from trueup.server.world.searching import search

WORLD = make_world(120)
ROWS = [known.row for known in WORLD.apps]


def test_a_window_begins_anywhere_and_windows_together_are_the_whole_list() -> None:
    whole = [row.key for row in page_of(ROWS, sort=Sort.STATUS, limit=500).items]
    windows = [page_of(ROWS, sort=Sort.STATUS, limit=50, offset=begin) for begin in (0, 50, 100)]
    assert [row.key for page in windows for row in page.items] == whole
    assert [page.total for page in windows] == [120, 120, 120]
    assert windows[0].next
    assert not windows[2].next


def test_a_window_behind_the_end_is_empty() -> None:
    page = page_of(ROWS, limit=50, offset=1000)
    assert (page.items, page.total, page.next) == ((), 120, "")


def test_a_window_counts_from_where_a_page_ended() -> None:
    first = page_of(ROWS, limit=10)
    assert page_of(ROWS, limit=10, after=first.next, offset=5).items == page_of(ROWS, limit=10, offset=15).items


def test_apps_are_found_by_their_keys() -> None:
    fits = search("key:Kustomization/shop/web,kustomization/payments/web")
    assert sorted(row.key for row in ROWS if fits(row)) == ["Kustomization/payments/web", "Kustomization/shop/web"]
