"""Commands against a cluster that has our resources and no controller: reading, asking, pinning, deleting.

Where a command waits for a controller, a few lines here play one.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.kit import COMMIT, OTHER, Ran, application, condition, kustomization
from tests.embedded.fixtures import EmbeddedCluster
from tests.support.golden import Golden
from trueup.cli.install import apply_all
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.dialects.registry import crds
from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Manifest, annotations_of, ref_of, status_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.records.record import Record, RecordKind
from trueup.records.store import Store

Trueup = Callable[..., Ran]
REVISION = f"main@sha1:{COMMIT}"
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "blue"}}


class Cluster:
    """The shared embedded cluster, one namespace of it, spoken to from plain tests."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.config = load_config(kubeconfig)
        self.namespace = namespace

    def __call__(self, work: Callable[[KubeClient], Any]) -> Any:
        async def run() -> Any:
            async with KubeClient(self.config) as client:
                return await work(client)

        return asyncio.run(run())

    def put(self, obj: Manifest) -> Manifest:
        """Creates the object with its status, in our namespace."""
        obj = {**obj, "metadata": {**obj["metadata"], "namespace": self.namespace}}

        async def work(client: KubeClient) -> Manifest:
            created = await client.apply({k: v for k, v in obj.items() if k != "status"}, manager="test")
            return await patch(client, created, {"status": obj["status"]}) if "status" in obj else created

        result: Manifest = self(work)
        return result

    def get(self, kind: str, name: str) -> Manifest | None:
        async def work(client: KubeClient) -> Manifest | None:
            return await client.get(await client.discovery.resolve(kind), name, self.namespace)

        found: Manifest | None = self(work)
        return found

    def playing(self, kind: str, name: str, answer: Callable[[Manifest], dict[str, Any] | None]) -> threading.Thread:
        """A controller for one object: `answer` gives the patch to send, or None to wait on."""

        def play() -> None:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                obj = self.get(kind, name)
                if obj is not None and (body := answer(obj)) is not None:
                    self(partial(patch, obj=obj, body=body))
                    return
                time.sleep(0.05)

        thread = threading.Thread(target=play, name="controller")
        thread.start()
        return thread


async def patch(client: KubeClient, obj: Manifest, body: dict[str, Any]) -> Manifest:
    """Merges `body`; what it says of the status goes where the kind keeps it."""
    ref = ref_of(obj)
    resource = await client.discovery.resource(ref.group, split_api_version(obj["apiVersion"])[1], ref.kind)
    where = "status" if "status" in resource.subresources else ""
    return await client.merge_patch(resource, ref.name, ref.namespace, body, subresource=where)


@pytest.fixture(scope="module")
def served(embedded_cluster: EmbeddedCluster) -> EmbeddedCluster:
    asyncio.run(apply_all(load_config(embedded_cluster.kubeconfig), crds()))
    return embedded_cluster


@pytest.fixture
def cluster(served: EmbeddedCluster, namespace_name: str, monkeypatch: pytest.MonkeyPatch, trueup: Trueup) -> Cluster:
    """With the environment of the commands pointing to it."""
    made = Cluster(served.kubeconfig, namespace_name)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_name}}
    made(lambda client: client.apply(namespace, manager="test"))
    monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
    return made


def test_get_shows_both_dialects_and_their_sources(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    cluster.put(application())
    cluster.put(git_repository())
    ran = trueup("get", "-n", cluster.namespace)
    assert ran.code == 0, ran.stderr
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert rows[0] == ["NAMESPACE", "NAME", "STATUS", "HEALTH", "REVISION", "AGE", "MESSAGE"]
    assert rows[1][1:4] == ["ks/web", "Ready", "main@1a2b3c4"]
    assert rows[2][1:5] == ["app/guestbook", "Ready", "Healthy", "1a2b3c4"]
    assert rows[5][1:3] == ["gitrepo/shop", "Unknown"]


def test_get_gives_scripts_resources_and_names(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    where = ("-n", cluster.namespace)
    one = yaml.safe_load(trueup("get", "ks", "web", "-o", "yaml", *where).stdout)
    assert (one["kind"], one["metadata"]["name"]) == ("Kustomization", "web")
    assert "managedFields" not in one["metadata"]
    many = json.loads(trueup("get", "ks", "-o", "json", *where).stdout)
    assert [item["metadata"]["name"] for item in many["items"]] == ["web"]
    assert trueup("get", "apps", "-o", "name", *where).stdout == f"Kustomization/{cluster.namespace}/web\n"


def test_a_name_of_two_apps_says_which(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization("guestbook"))
    cluster.put(application("guestbook"))
    ran = trueup("tree", "guestbook", "-n", cluster.namespace)
    assert ran.code == 1
    assert f"Kustomization/{cluster.namespace}/guestbook" in ran.stderr
    assert f"Application/{cluster.namespace}/guestbook" in ran.stderr
    assert trueup("tree", f"ks/{cluster.namespace}/guestbook").code == 0


def test_an_unknown_name_suggests_a_near_one(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    ran = trueup("describe", "wep", "-n", cluster.namespace)
    assert (ran.code, ran.stdout) == (1, "")
    assert f"Kustomization/{cluster.namespace}/web" in ran.stderr


def test_a_type_that_is_none_names_those_there_are(cluster: Cluster, trueup: Trueup) -> None:
    ran = trueup("get", "pods")
    assert ran.code == 1
    assert "types are all, app" in ran.stderr


def test_a_tree_tells_what_is_there_and_what_is_missing(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(SETTINGS)
    entries = [{"id": f"{cluster.namespace}_{name}__ConfigMap", "v": "v1"} for name in ("settings", "gone")]
    cluster.put(kustomization(status={"inventory": {"entries": entries}}))
    data = json.loads(trueup("tree", "web", "-n", cluster.namespace, "-o", "json").stdout)
    assert [(row["name"], row["sync"], row["kstatus"]) for row in data["objects"]] == [
        ("gone", "OutOfSync", "NotFound"),
        ("settings", "Synced", "Current"),
    ]
    rows = trueup("health", "web", "-n", cluster.namespace, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(row)["name"] for row in rows] == ["gone", "settings"]


def test_describe_holds_everything_on_one_page(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(SETTINGS)
    entries = [{"id": f"{cluster.namespace}_settings__ConfigMap", "v": "v1"}]
    cluster.put(kustomization(status={"inventory": {"entries": entries}, "history": [history_row(COMMIT)]}))
    cluster(lambda client: client.create_event(event(cluster.namespace, "ks-event", "DriftCorrected")))
    page = trueup("describe", "web", "-n", cluster.namespace).stdout
    for part in (REVISION, "GitRepository/", "./apps/web", "Ready=True", "settings", "1a2b3c4", "DriftCorrected"):
        assert part in page


def test_events_are_those_of_the_app_and_its_objects(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    cluster(lambda client: client.create_event(event(cluster.namespace, "one", "DriftCorrected")))
    cluster(lambda client: client.create_event(event(cluster.namespace, "two", "Unrelated", name="other")))
    ran = trueup("events", "web", "-n", cluster.namespace)
    assert "DriftCorrected" in ran.stdout
    assert "Unrelated" not in ran.stdout
    assert "Unrelated" in trueup("events", "-n", cluster.namespace).stdout, "without a name: all that Trueup wrote"


def test_sync_waits_for_the_answer_to_its_own_request(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization(status={"lastHandledReconcileAt": "an older request"}))

    def answer(obj: Manifest) -> dict[str, Any] | None:
        token = annotations_of(obj).get("reconcile.fluxcd.io/requestedAt")
        new = f"main@sha1:{OTHER}"
        status = {"lastHandledReconcileAt": token, "lastAppliedRevision": new, "lastAttemptedRevision": new}
        return {"status": status} if token else None

    playing = cluster.playing("ks", "web", answer)
    ran = trueup("sync", "web", "-n", cluster.namespace, "--timeout", "20s")
    playing.join()
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr
    assert "synced at main@fedcba9" in ran.stderr


def test_a_sync_that_fails_says_which_object_and_why(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(application(spec={"syncPolicy": {"automated": {"prune": True}}}))
    asked: list[dict[str, Any]] = []

    def answer(obj: Manifest) -> dict[str, Any] | None:
        if "operation" not in obj:
            return None
        asked.append(obj["operation"])
        row = {"kind": "Deployment", "namespace": "shop", "name": "web", "status": "SyncFailed", "message": "immutable"}
        full = {"group": "apps", "version": "v1", **row}
        state = {
            "phase": "Failed",
            "message": "1 object",
            "operation": obj["operation"],
            "startedAt": "2026-11-23T10:00:00Z",
            "syncResult": {"revision": COMMIT, "resources": [full]},
        }
        return {"operation": None, "status": {"operationState": state}}

    playing = cluster.playing("app", "guestbook", answer)
    ran = trueup("sync", "guestbook", "-n", cluster.namespace, "--timeout", "20s")
    playing.join()
    assert ran.code == 1
    assert "Deployment/shop/web: immutable" in ran.stderr
    assert asked[0]["sync"]["prune"] is True


def test_a_sync_that_nobody_answers_ends_with_what_was_seen_last(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization(status={"conditions": [condition("Ready", "Unknown", "Progressing", "rendering")]}))
    ran = trueup("sync", "web", "-n", cluster.namespace, "--timeout", "500ms")
    assert ran.code == 1
    assert "no outcome within 0s; last seen: Progressing: rendering" in ran.stderr
    assert "is a controller running?" in ran.stderr


def test_a_suspended_app_is_not_synced_and_says_how_to_go_on(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    where = ("-n", cluster.namespace)
    assert trueup("suspend", "web", *where).code == 0
    assert "Suspended" in trueup("get", "apps", *where).stdout
    assert "is suspended already" in trueup("suspend", "web", *where).stderr
    ran = trueup("sync", "web", *where)
    assert ran.code == 1
    assert f"trueup resume Kustomization/{cluster.namespace}/web" in ran.stderr
    assert trueup("resume", "web", "--no-wait", *where).code == 0
    live = cluster.get("ks", "web")
    assert live is not None
    assert live["spec"]["suspend"] is False


def test_a_source_is_suspended_by_its_kind(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(git_repository())
    assert trueup("suspend", f"gitrepo/{cluster.namespace}/shop").code == 0
    live = cluster.get("gitrepository", "shop")
    assert live is not None
    assert live["spec"]["suspend"] is True


def test_rollback_pins_with_who_why_and_until_when(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization(status={"history": [history_row(COMMIT), history_row(OTHER)]}))
    where = ("-n", cluster.namespace)
    ran = trueup(
        "rollback", "web", "--by", "somchai", "--reason", "checkout is broken", "--until", "2h", "--no-wait", *where
    )
    assert ran.code == 0, ran.stderr
    live = cluster.get("ks", "web")
    assert live is not None
    pinned = annotations_of(live)
    assert pinned["trueup.dev/pin"] == f"main@sha1:{OTHER}"
    assert (pinned["trueup.dev/pin-by"], pinned["trueup.dev/pin-reason"]) == ("somchai", "checkout is broken")
    assert pinned["trueup.dev/pin-until"].endswith("Z")
    assert "(pinned)" in trueup("get", "apps", *where).stdout
    assert trueup("rollback", "web", "--off", *where).code == 0
    live = cluster.get("ks", "web")
    assert live is not None
    assert not [key for key in annotations_of(live) if key.startswith("trueup.dev/pin")]


def test_rollback_waits_until_the_revision_runs(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization(status={"history": [history_row(COMMIT), history_row(OTHER)]}))

    def answer(obj: Manifest) -> dict[str, Any] | None:
        pin = annotations_of(obj).get("trueup.dev/pin")
        return {"status": {"lastAppliedRevision": pin, "lastAttemptedRevision": pin}} if pin else None

    playing = cluster.playing("ks", "web", answer)
    ran = trueup("rollback", "web", OTHER[:7], "--timeout", "20s", "-n", cluster.namespace)
    playing.join()
    assert ran.code == 0, ran.stderr
    assert "runs main@fedcba9" in ran.stderr


def test_history_without_a_database_is_that_of_the_status(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization(status={"history": [history_row(COMMIT), history_row(OTHER)]}))
    where = ("-n", cluster.namespace)
    rows = json.loads(trueup("history", "web", "-o", "json", *where).stdout)
    assert [row["revision"] for row in rows] == [REVISION, f"main@sha1:{OTHER}"]
    ran = trueup("history", "web", "--database", "sqlite:////nowhere/trueup.db", *where)
    assert (ran.code, ran.stderr.count("this is what its status remembers")) == (0, 1)


def test_history_reads_the_records(cluster: Cluster, trueup: Trueup, tmp_path: Path, golden: Golden) -> None:
    app = ref_of(cluster.put(kustomization()))
    url = f"sqlite:///{tmp_path}/trueup.db"
    web = ObjectRef("apps", "Deployment", "shop", "web")
    drift = FieldChange("spec.replicas", "5", "2")
    store = Store(url)
    store.open()
    store.write(
        [
            Record(
                kind=kind,
                app=app,
                dialect="flux",
                at=datetime.now(UTC) - timedelta(hours=5 - number, minutes=1),
                took=timedelta(milliseconds=40),
                revision=f"main@sha1:{commit}",
                result=result,
                message=message,
                initiated_by=by,
                changes=tuple(Change(ref=web, version="v1", action=action, fields=(drift,)) for action in actions),
            )
            for number, (kind, commit, result, message, by, actions) in enumerate(
                [
                    (RecordKind.SYNC, OTHER, "succeeded", "", "somchai", [Action.CREATED]),
                    (RecordKind.SYNC, COMMIT, "succeeded", "", "", [Action.CONFIGURED, Action.UNCHANGED]),
                    (RecordKind.HEAL, COMMIT, "succeeded", "", "", [Action.CONFIGURED]),
                    (RecordKind.FAILURE, COMMIT, "failed", "apps/web.yaml:3: tab", "", []),
                ]
            )
        ]
    )
    store.close()
    where = ("-n", cluster.namespace, "--database", url)
    golden("history.txt", trueup("history", "web", "--changes", *where).stdout)
    assert [
        row["kind"] for row in json.loads(trueup("history", "web", "--kind", "heal", "-o", "json", *where).stdout)
    ] == ["heal"]
    ran = trueup("rollback", "web", "--no-wait", *where)
    assert f"pinned at main@{OTHER[:7]}" in ran.stderr, "the last other revision that worked"


def test_delete_says_what_becomes_of_the_objects_and_asks(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(kustomization())
    where = ("-n", cluster.namespace)
    ran = trueup("delete", "web", *where)
    assert ran.code == 2, "nobody is there to ask"
    assert "0 objects will be deleted" in ran.stderr
    assert cluster.get("ks", "web") is not None
    assert trueup("delete", "web", "--yes", "--timeout", "10s", *where).code == 0
    assert cluster.get("ks", "web") is None


def test_delete_can_leave_the_objects(cluster: Cluster, trueup: Trueup) -> None:
    cluster.put(application(metadata={"finalizers": ["resources-finalizer.argocd.argoproj.io"]}))
    ran = trueup("delete", "guestbook", "--keep-objects", "--yes", "--timeout", "10s", "-n", cluster.namespace)
    assert ran.code == 0, ran.stderr
    assert "stay as they are" in ran.stderr
    assert cluster.get("app", "guestbook") is None, "no finalizer waits for anybody"


def test_create_applies_and_says_what_is_wrong(cluster: Cluster, trueup: Trueup) -> None:
    def answer(obj: Manifest) -> dict[str, Any] | None:
        if status_of(obj).get("conditions"):
            return None
        stalled = [
            condition("Stalled", "True", "InvalidInput", "no such branch"),
            condition("Ready", "False", "InvalidInput"),
        ]
        return {"status": {"observedGeneration": 1, "conditions": stalled}}

    playing = cluster.playing("gitrepository", "podinfo", answer)
    ran = trueup(
        *("create", "source", "git", "podinfo", "--url", "https://example.com/podinfo", "-n", cluster.namespace),
        *("--timeout", "20s"),
    )
    playing.join()
    assert ran.code == 1
    assert f"GitRepository/{cluster.namespace}/podinfo created: no such branch" in ran.stderr


@pytest.mark.parametrize("place", ["trueup-home/kubeconfig", "home/.kube/config"])
def test_without_being_told_it_is_the_cluster_of_trueup_up_then_that_of_kubectl(
    cluster: Cluster,
    trueup: Trueup,
    tmp_path: Path,
    served: EmbeddedCluster,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    cluster.put(kustomization())
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(served.kubeconfig.read_text())
    assert (
        trueup("get", "ks", "-n", cluster.namespace, "-o", "name").stdout == f"Kustomization/{cluster.namespace}/web\n"
    )


def test_an_unreachable_cluster_is_told_in_two_lines(trueup: Trueup, tmp_path: Path, served: EmbeddedCluster) -> None:
    lost = tmp_path / "kubeconfig"
    lost.write_text(served.kubeconfig.read_text().replace(served.url.rpartition(":")[2], "1"))
    ran = trueup("get", "--kubeconfig", str(lost))
    assert ran.code == 1
    assert "error:" in ran.stderr
    assert "Traceback" not in ran.stderr


def git_repository() -> Manifest:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "shop"},
        "spec": {"interval": "1m", "url": "https://git.example.com/shop.git"},
    }


def history_row(commit: str) -> dict[str, Any]:
    return {
        "digest": f"sha256:{commit}",
        "firstReconciled": "2026-11-23T09:00:00Z",
        "lastReconciled": "2026-11-23T10:00:00Z",
        "lastReconciledDuration": "1.5s",
        "lastReconciledStatus": "ReconciliationSucceeded",
        "totalReconciliations": 1,
        "metadata": {"revision": f"main@sha1:{commit}"},
    }


def event(namespace: str, event_name: str, reason: str, name: str = "web") -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event_name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "namespace": namespace,
            "name": name,
        },
        "reason": reason,
        "message": "spec.replicas: 5 -> 2",
        "type": "Normal",
        "reportingComponent": "trueup",
        "reportingInstance": "trueup",
        "source": {"component": "trueup"},
        "firstTimestamp": "2026-11-23T10:00:00Z",
        "lastTimestamp": "2026-11-23T10:00:00Z",
        "count": 1,
    }
