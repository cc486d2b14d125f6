"""What a status remembers is read back: inventories, histories, revisions; also as the originals wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.history import history_limit, history_of, history_rows
from trueup.dialects.argocd.history import inventory_of as resources_of
from trueup.dialects.flux.inventory import history_of as flux_history_of
from trueup.dialects.flux.inventory import history_rows as flux_history_rows
from trueup.dialects.flux.inventory import inventory_of, inventory_rows
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.outcome import HistoryEntry
from trueup.model.refs import ObjectRef

LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
RBAC_NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.:]{0,12}[a-z0-9])?", fullmatch=True)
KIND = st.from_regex(r"[A-Z][A-Za-z]{1,10}", fullmatch=True)
REFS = st.builds(
    ObjectRef,
    st.one_of(st.just(""), LABEL.map(lambda part: f"{part}.example.com")),
    KIND,
    st.one_of(st.just(""), LABEL),
    RBAC_NAME,
)
INVENTORIES = st.lists(st.builds(InventoryEntry, REFS, st.sampled_from(["v1", "v1beta1"])), max_size=8).map(
    Inventory.of
)
START = datetime(2026, 11, 23, 7, tzinfo=UTC)


@settings(deadline=None)  # the machine may be busy
@given(inventory=INVENTORIES)
def test_a_flux_inventory_is_read_back(inventory: Inventory) -> None:
    assert inventory_of({"status": {"inventory": {"entries": inventory_rows(inventory)}}}) == inventory


def test_rows_that_name_nothing_are_left_out() -> None:
    rows = [{"id": "nonsense", "v": "v1"}, {"id": "shop_web_apps_Deployment", "v": "v1"}, "x"]
    found = inventory_of({"status": {"inventory": {"entries": rows}}})
    assert [str(entry.ref) for entry in found.entries] == ["Deployment/shop/web"]
    assert len(inventory_of({"status": {"inventory": None}})) == 0


def test_an_argocd_inventory_is_its_resources_without_hooks() -> None:
    rows = [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "status": "Synced",
        },
        {"version": "v1", "kind": "Namespace", "name": "shop", "status": "Synced"},
        {"group": "batch", "version": "v1", "kind": "Job", "namespace": "shop", "name": "migrate", "hook": True},
    ]
    found = resources_of({"status": {"resources": rows}})
    assert sorted(str(entry.ref) for entry in found.entries) == ["Deployment/shop/web", "Namespace/shop"]


def entry(number: int, **more: Any) -> HistoryEntry:
    at = START + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": number,
        "revision": f"main@sha1:{number:040x}",
        "digest": f"sha256:{number}",
        "first_at": at,
        "last_at": at,
        "duration": timedelta(seconds=2),
        "succeeded": True,
    }
    return HistoryEntry(**(values | more))


def test_flux_shows_the_five_newest_first() -> None:
    rows = flux_history_rows(entry(number) for number in range(7))
    assert [row["digest"] for row in rows] == [f"sha256:{number}" for number in (6, 5, 4, 3, 2)]


def test_a_flux_history_that_was_read_back_is_written_as_it_was() -> None:
    rows = flux_history_rows([entry(0), entry(1, succeeded=False), entry(2, count=3)])
    back = flux_history_of({"status": {"history": rows}})
    assert flux_history_rows(back) == rows
    assert [item.id for item in back] == [1, 2, 3]


def test_argocd_remembers_successes_with_the_source_of_their_time() -> None:
    app = {"spec": {"source": {"path": "new"}, "revisionHistoryLimit": 2}, "status": {}}
    old = {"id": 1, "revision": f"{1:040x}", "deployedAt": "2026-11-23T07:01:00Z", "source": {"path": "old"}}
    app["status"] = {"history": [old]}
    rows = history_rows(app, [entry(0), entry(1), entry(2, succeeded=False), entry(3, initiated_by="jane")])
    assert rows[0] == old
    assert rows[1]["source"] == {"path": "new"}
    assert (rows[1]["id"], rows[1]["revision"], rows[1]["initiatedBy"]) == (3, f"{3:040x}", {"username": "jane"})
    assert len(rows) == 2
    back = history_of({"status": {"history": rows}})
    assert [(item.id, item.initiated_by) for item in back] == [(1, ""), (3, "jane")]


def test_no_history_is_kept_when_none_is_wanted() -> None:
    assert history_rows({"spec": {"revisionHistoryLimit": 0}}, [entry(0)]) == []
    assert history_limit({"spec": {}}) == 10


def test_a_history_longer_than_usual_is_kept_and_one_beyond_all_bounds_is_cut_and_said() -> None:
    long = {"metadata": {"name": "a", "namespace": "argocd"}, "spec": {"revisionHistoryLimit": 40}}
    assert len(history_rows(long, [entry(number) for number in range(60)])) == 40
    assert ArgoCdDialect().read_notices(long) == ()
    endless = {"metadata": {"name": "a", "namespace": "argocd"}, "spec": {"revisionHistoryLimit": 5000}}
    assert len(history_rows(endless, [entry(number) for number in range(120)])) == 100
    notices = ArgoCdDialect().read_notices(endless)
    assert [notice.type for notice in notices] == ["HistoryLimitWarning"]
    assert "spec.revisionHistoryLimit is 5000" in notices[0].message
