"""What of a client's words becomes an Application, and what becomes of its operation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.argo.kit import application
from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import BadQuery
from trueup.server.argo.changing import finalizers_for
from trueup.server.argo.syncing import RollbackBody, SyncBody, SyncItems, rollback_operation, sync_operation

CASCADE = "resources-finalizer.argocd.argoproj.io"


@pytest.mark.parametrize(
    ("before", "cascade", "propagation", "after"),
    [
        ([], True, "", [CASCADE]),
        (["x"], True, "background", ["x", CASCADE + "/background"]),
        ([CASCADE], True, "foreground", [CASCADE]),
        ([CASCADE + "/background"], True, "", [CASCADE + "/background"]),
        ([CASCADE + "/background", "x"], True, "foreground", ["x", CASCADE]),
        ([CASCADE, "x"], False, "", ["x"]),
    ],
)
def test_finalizers_say_whether_objects_go_too(
    before: list[str], cascade: bool, propagation: str, after: list[str]
) -> None:
    assert finalizers_for(before, cascade=cascade, propagation=propagation) == after


def test_a_sync_asks_for_no_more_than_was_said() -> None:
    assert sync_operation(application("web"), "ann", SyncBody()) == {"initiatedBy": {"username": "ann"}, "sync": {}}


def test_a_sync_asks_for_everything_that_was_said() -> None:
    body = SyncBody(
        revision="v2",
        prune=True,
        dry_run=True,
        strategy={"hook": {"force": True}},
        resources=({"group": "apps", "kind": "Deployment", "name": "web", "namespace": "shop"},),
        infos=({"name": "Reason", "value": "hotfix"},),
        retry_strategy={"limit": 3},
        sync_options=SyncItems(items=("CreateNamespace=true",)),
    )
    assert sync_operation(application("web"), "ann", body) == {
        "initiatedBy": {"username": "ann"},
        "info": [{"name": "Reason", "value": "hotfix"}],
        "retry": {"limit": 3},
        "sync": {
            "revision": "v2",
            "prune": True,
            "dryRun": True,
            "syncStrategy": {"hook": {"force": True}},
            "resources": [{"group": "apps", "kind": "Deployment", "name": "web", "namespace": "shop"}],
            "syncOptions": ["CreateNamespace=true"],
        },
    }


def automated(obj: dict[str, Any]) -> dict[str, Any]:
    obj["spec"]["syncPolicy"] = {"automated": {}}
    return obj


def test_an_application_that_syncs_by_itself_goes_to_no_other_revision() -> None:
    with pytest.raises(InvalidInput, match="Cannot sync to v2: auto-sync currently set to HEAD"):
        sync_operation(automated(application("web")), "ann", SyncBody(revision="v2"))
    assert sync_operation(automated(application("web")), "ann", SyncBody(revision="HEAD"))["sync"] == {
        "revision": "HEAD"
    }


def test_positions_say_of_which_sources_the_revisions_are() -> None:
    obj = application("web")
    obj["spec"]["sources"] = [{"repoURL": "a", "targetRevision": "main"}, {"repoURL": "b"}]
    body = SyncBody(revisions=("v2",), source_positions=("2",))
    assert sync_operation(obj, "ann", body)["sync"]["revisions"] == ["main", "v2"]
    for positions in (("3",), ("0",), ("1", "2"), ("x",)):
        with pytest.raises(BadQuery):
            sync_operation(obj, "ann", SyncBody(revisions=("v2",), source_positions=positions))


def test_a_rollback_repeats_revision_and_source_of_the_history() -> None:
    source = {"repoURL": "https://example.com/repo.git", "path": ".", "targetRevision": "v1"}
    obj = application("web", status={"history": [{"id": 0, "revision": "a" * 40, "source": source}, {"id": 1}]})
    made = rollback_operation(obj, "ann", RollbackBody(id="0", prune=True))["sync"]
    assert made == {"revision": "a" * 40, "source": source, "prune": True, "syncStrategy": {"apply": {}}}
    with pytest.raises(BadQuery, match="does not have deployment id 7"):
        rollback_operation(obj, "ann", RollbackBody(id=7))
    with pytest.raises(InvalidInput, match="auto-sync is enabled"):
        rollback_operation(automated(obj), "ann", RollbackBody(id=0))
