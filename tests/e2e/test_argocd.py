"""Argo CD's Applications, as their users and clients use them: the project's own YAML first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.fixtures import drop_namespace, make_namespace
from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Repository, Stack, until

GUESTBOOK = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: guestbook
  namespace: argocd
spec:
  project: default
  source:
    repoURL: https://github.com/argoproj/argocd-example-apps.git
    targetRevision: HEAD
    path: guestbook
  destination:
    server: https://kubernetes.default.svc
    namespace: guestbook
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: guestbook-ui
spec:
  selector: {app: guestbook-ui}
  ports: [{port: 80, targetPort: 80}]
"""
REFRESH = "argocd.argoproj.io/refresh"
FINALIZER = "resources-finalizer.argocd.argoproj.io"


def application(namespace: str, url: str, path: str = ".", **spec: Any) -> dict[str, Any]:
    """An Application named after the namespace that it deploys into."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": namespace, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": path},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            **spec,
        },
    }


def automated(**fields: bool) -> dict[str, Any]:
    return {"automated": fields}


def until_status(stack: Stack, name: str, what: str, *, within: float = 90.0, **wanted: str) -> dict[str, Any]:
    """The status of an Application once all of `wanted` hold: sync, health, phase, revision."""

    def holds() -> dict[str, Any]:
        status = stack.status("application", name, "argocd")
        found = {
            "sync": status.get("sync", {}).get("status"),
            "revision": status.get("sync", {}).get("revision"),
            "health": status.get("health", {}).get("status"),
            "phase": status.get("operationState", {}).get("phase"),
        }
        return status if all(found[key] == value for key, value in wanted.items()) else {}

    try:
        return until(holds, within=within, what=what)
    except AssertionError as error:
        status = stack.status("application", name, "argocd")
        raise AssertionError(f"{what}: {wanted}; last: {json.dumps(status)}") from error


def row_of(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next((row for row in status.get("resources", []) if row["name"] == name), {})


@pytest.fixture
def guestbook(stack: Stack) -> Iterator[Repository]:
    """The repository that the project's example names; its namespace is asked for, as with the original."""
    files: dict[str, str | bytes | None] = {
        "guestbook/guestbook-ui-deployment.yaml": deployment("guestbook-ui"),
        "guestbook/guestbook-ui-svc.yaml": SERVICE,
    }
    make_namespace(stack, "guestbook")
    yield stack.repository("argoproj/argocd-example-apps", files, branch="master")
    drop_namespace(stack, "guestbook")


def test_the_guestbook_works_exactly_as_it_stands(stack: Stack, guestbook: Repository) -> None:
    stack.kubectl("apply", "-f", "-", stdin=GUESTBOOK)
    status = until_status(stack, "guestbook", "first sync", sync="Synced", health="Healthy", phase="Succeeded")
    commit = guestbook.git("rev-parse", "HEAD")
    assert status["sync"]["revision"] == commit
    assert status["sync"]["comparedTo"]["source"]["path"] == "guestbook"
    assert [(row["kind"], row["namespace"], row["name"], row["status"]) for row in status["resources"]] == [
        ("Service", "guestbook", "guestbook-ui", "Synced"),
        ("Deployment", "guestbook", "guestbook-ui", "Synced"),
    ]
    assert all(row["health"]["status"] == "Healthy" for row in status["resources"])
    assert status["operationState"]["syncResult"]["revision"] == commit
    assert status["operationState"]["operation"]["initiatedBy"] == {"automated": True}
    assert status["operationState"]["finishedAt"]
    assert [row["revision"] for row in status["history"]] == [commit]
    assert status["sourceType"] == "Directory"
    assert status["summary"]["images"] == ["nginx:1.27"]
    assert "observedGeneration" not in status
    assert "conditions" not in status
    live = stack.get("deployment", "guestbook-ui", "guestbook")
    assert live is not None
    tracked = live["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
    assert tracked == "guestbook:apps/Deployment:guestbook/guestbook-ui"

    # self-heal
    stack.kubectl("scale", "deployment/guestbook-ui", "--replicas=3", "-n", "guestbook")
    until(lambda: stack.get("deployment", "guestbook-ui", "guestbook")["spec"]["replicas"] == 1, within=10)

    # prune
    commit = guestbook.push({"guestbook/guestbook-ui-svc.yaml": None})
    stack.annotate("application", "guestbook", "argocd", "argocd.argoproj.io/refresh=normal")
    status = until_status(stack, "guestbook", "pruned", sync="Synced", revision=commit)
    until(lambda: stack.get("service", "guestbook-ui", "guestbook") is None)
    assert [row["revision"] for row in stack.status("application", "guestbook", "argocd")["history"]][-1] == commit
    results = stack.status("application", "guestbook", "argocd")["operationState"]["syncResult"]["resources"]
    assert {row["name"]: row["status"] for row in results if row["kind"] == "Service"} == {"guestbook-ui": "Pruned"}

    # without the finalizer its objects outlive it, as with Argo CD
    stack.kubectl("delete", "application", "guestbook", "-n", "argocd", "--timeout=20s")
    stack.kubectl("scale", "deployment/guestbook-ui", "--replicas=2", "-n", "guestbook")
    neighbour = stack.repository("argoproj/neighbour", {"web.yaml": deployment()})
    app = application("guestbook", neighbour.url, syncPolicy=automated(selfHeal=True))
    app["metadata"]["name"] = "neighbour"
    stack.apply(app)
    until_status(stack, "neighbour", "first sync", sync="Synced")
    stack.kubectl("scale", "deployment/web", "--replicas=3", "-n", "guestbook")
    healed = "drift of a neighbour's Deployment that came later is healed"
    until(lambda: stack.get("deployment", "web", "guestbook")["spec"]["replicas"] == 1, within=10, what=healed)
    assert stack.get("deployment", "guestbook-ui", "guestbook")["spec"]["replicas"] == 2, "nobody heals it any more"


@pytest.mark.parametrize("kind", ["normal", "hard"])
def test_a_refresh_is_carried_out_and_its_annotation_removed(stack: Stack, namespace: str, kind: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.apply(application(namespace, repo.url, syncPolicy=automated()))
    before = until_status(stack, namespace, "first sync", sync="Synced")
    stack.annotate("application", namespace, "argocd", f"argocd.argoproj.io/refresh={kind}")
    after = until(
        lambda: (
            "annotations" not in (m := stack.get("application", namespace, "argocd"))["metadata"]
            or "argocd.argoproj.io/refresh" not in m["metadata"]["annotations"]
        )
    )
    assert after
    status = stack.status("application", namespace, "argocd")
    assert status["sync"]["status"] == "Synced"
    assert status["reconciledAt"] >= before["reconciledAt"]


def test_an_application_without_automation_shows_differences_and_syncs_when_asked(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config(), "web.yaml": deployment()})
    stack.apply(application(namespace, repo.url))
    status = until_status(stack, namespace, "compared", sync="OutOfSync", health="Missing")
    assert {row["name"]: row["status"] for row in status["resources"]} == {"settings": "OutOfSync", "web": "OutOfSync"}
    assert stack.get("configmap", "settings", namespace) is None
    assert "operationState" not in status

    stack.merge("app", namespace, "argocd", {"operation": {"sync": {}, "initiatedBy": {"username": "somchai"}}})
    status = until_status(stack, namespace, "synced", sync="Synced", health="Healthy", phase="Succeeded")
    commit = repo.git("rev-parse", "HEAD")
    obj = stack.get("application", namespace, "argocd")
    assert "operation" not in obj
    assert status["operationState"]["operation"] == {"sync": {}, "initiatedBy": {"username": "somchai"}}
    assert status["operationState"]["syncResult"]["revision"] == commit
    assert {row["name"]: row["status"] for row in status["operationState"]["syncResult"]["resources"]} == {
        "settings": "Synced",
        "web": "Synced",
    }
    assert [(row["revision"], row["initiatedBy"]) for row in status["history"]] == [(commit, {"username": "somchai"})]

    # drift and commits are shown, never acted on
    stack.kubectl("scale", "deployment/web", "--replicas=3", "-n", namespace)
    status = until_status(stack, namespace, "drift is shown", sync="OutOfSync")
    assert (row_of(status, "web")["status"], row_of(status, "settings")["status"]) == ("OutOfSync", "Synced")
    commit = repo.push({"settings.yaml": None, "more.yaml": config("more")})
    status = until_status(stack, namespace, "the commit is shown", sync="OutOfSync", revision=commit)
    assert row_of(status, "settings")["requiresPruning"] is True
    assert row_of(status, "more")["status"] == "OutOfSync"
    assert stack.get("configmap", "more", namespace) is None
    assert stack.get("deployment", "web", namespace)["spec"]["replicas"] == 3

    # a sync without prune leaves what is gone from Git, and says so
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {}}})
    until(lambda: stack.get("configmap", "more", namespace))
    until(lambda: stack.get("deployment", "web", namespace)["spec"]["replicas"] == 1)
    until(lambda: "operation" not in stack.get("application", namespace, "argocd"))
    status = until_status(stack, namespace, "not pruned", sync="OutOfSync", phase="Succeeded")
    assert row_of(status, "settings")["requiresPruning"] is True
    assert stack.get("configmap", "settings", namespace) is not None
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {"prune": True}}})
    until_status(stack, namespace, "pruned", sync="Synced", phase="Succeeded")
    until(lambda: stack.get("configmap", "settings", namespace) is None)


def test_automation_without_self_heal_shows_drift_and_leaves_it(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.apply(application(namespace, repo.url, syncPolicy=automated()))
    until_status(stack, namespace, "first sync", sync="Synced")
    stack.merge("configmap", "settings", namespace, {"data": {"colour": "red"}})
    until_status(stack, namespace, "drift is shown", sync="OutOfSync")
    assert stack.get("configmap", "settings", namespace)["data"]["colour"] == "red"
    # nor does automation without prune delete
    commit = repo.push({"settings.yaml": None, "more.yaml": config("more")})
    status = until_status(stack, namespace, "next commit", sync="OutOfSync", revision=commit)
    until(lambda: stack.get("configmap", "more", namespace))
    status = until(lambda: row_of(s := stack.status("application", namespace, "argocd"), "settings") and s)
    assert row_of(status, "settings")["requiresPruning"] is True
    assert stack.get("configmap", "settings", namespace) is not None


def test_a_dry_run_changes_nothing(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.apply(application(namespace, repo.url))
    until_status(stack, namespace, "compared", sync="OutOfSync")
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {"dryRun": True}}})
    until_status(stack, namespace, "dry run", sync="OutOfSync", phase="Succeeded")
    assert "operation" not in stack.get("application", namespace, "argocd")
    assert stack.get("configmap", "settings", namespace) is None


def test_the_finalizer_takes_the_objects_along(stack: Stack, namespace: str) -> None:
    keep = config("kept", annotations={"argocd.argoproj.io/sync-options": "Delete=false"})
    repo = stack.repository(namespace, {"settings.yaml": config(), "web.yaml": deployment(), "kept.yaml": keep})
    app = application(namespace, repo.url, syncPolicy=automated())
    app["metadata"]["finalizers"] = [FINALIZER]
    stack.apply(app)
    until_status(stack, namespace, "first sync", sync="Synced", health="Healthy")
    stack.kubectl("delete", "application", namespace, "-n", "argocd", "--timeout=30s")
    assert stack.get("configmap", "settings", namespace) is None
    assert stack.get("deployment", "web", namespace) is None
    assert stack.get("configmap", "kept", namespace) is not None


def test_the_namespace_is_made_when_the_options_ask(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    made = f"{namespace}-made"
    app = application(namespace, repo.url, syncPolicy={**automated(), "syncOptions": ["CreateNamespace=true"]})
    app["spec"]["destination"]["namespace"] = made
    stack.apply(app)
    try:
        until_status(stack, namespace, "first sync", sync="Synced", phase="Succeeded")
        assert stack.get("configmap", "settings", made) is not None
    finally:
        drop_namespace(stack, made)


def test_the_namespace_keeps_the_labels_and_annotations_that_the_application_gives_it(
    stack: Stack, namespace: str
) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    made = f"{namespace}-made"
    managed = {"labels": {"team": "checkout"}, "annotations": {"example.com/cost": "7"}}
    policy = {
        "automated": {"prune": True, "selfHeal": True},
        "syncOptions": ["CreateNamespace=true"],
        "managedNamespaceMetadata": managed,
    }
    app = application(namespace, repo.url, syncPolicy=policy)
    app["spec"]["destination"]["namespace"] = made
    app["metadata"]["finalizers"] = [FINALIZER]
    stack.apply(app)
    try:
        status = until_status(stack, namespace, "first sync", sync="Synced", phase="Succeeded")
        assert status["operationState"]["syncResult"]["managedNamespaceMetadata"] == managed
        live = stack.get("namespace", made)
        assert live is not None
        assert live["metadata"]["labels"]["team"] == "checkout"
        assert live["metadata"]["annotations"] == {"example.com/cost": "7"}
        stack.kubectl("label", "--overwrite", "namespace", made, "team=others", "own=yes")
        until(lambda: stack.get("namespace", made)["metadata"]["labels"]["team"] == "checkout", within=10)
        assert stack.get("namespace", made)["metadata"]["labels"]["own"] == "yes"
        # as with Argo CD it outlives the Application and its objects
        stack.kubectl("delete", "application", namespace, "-n", "argocd", "--timeout=30s")
        assert stack.get("configmap", "settings", made) is None
        assert "deletionTimestamp" not in stack.get("namespace", made)["metadata"]
    finally:
        drop_namespace(stack, made)


def test_ignored_differences_are_left_and_stay_when_the_rest_is_sent(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment("web"), "settings.yaml": config(colour="blue")})
    ignored = [
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        {"kind": "ConfigMap", "jqPathExpressions": ['.data | select(has("colour")).colour']},
    ]
    policy = {**automated(selfHeal=True), "syncOptions": ["RespectIgnoreDifferences=true"]}
    stack.apply(application(namespace, repo.url, syncPolicy=policy, ignoreDifferences=ignored))
    until_status(stack, namespace, "first sync", sync="Synced", phase="Succeeded")
    stack.kubectl("scale", "deployment/web", "--replicas=3", "-n", namespace)
    stack.merge("configmap", "settings", namespace, {"data": {"colour": "red"}})
    commit = repo.push({"web.yaml": deployment("web", image="nginx:1.28")})
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "the image alone", sync="Synced", phase="Succeeded", revision=commit)
    live = until(
        lambda: found if "1.28" in json.dumps(found := stack.get("deployment", "web", namespace)) else {},
        what="new image",
    )
    assert live["spec"]["replicas"] == 3
    settings = stack.get("configmap", "settings", namespace)
    assert settings is not None
    assert settings["data"] == {"colour": "red"}


def test_what_is_not_built_yet_stops_the_application_and_is_named(stack: Stack, namespace: str) -> None:
    """One Application per field; all of them at once, for each only waits."""
    marked = config("marked", annotations={"argocd.argoproj.io/ignore-restart-policy": "true"})
    files: dict[str, str | bytes | None] = {
        "plain/settings.yaml": config(),
        "marked/marked.yaml": marked,
    }
    repo = stack.repository(namespace, files)
    source = {"repoURL": repo.url, "path": "plain"}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "project": ({"project": "shop"}, "spec.project=shop"),
        "jq": (
            {"ignoreDifferences": [{"kind": "ConfigMap", "jqPathExpressions": ["[range(1000000000)]"]}]},
            "may not be used here",
        ),
        "server": (
            {"destination": {"server": "https://elsewhere.example.com", "namespace": namespace}},
            "the cluster https://elsewhere.example.com is not registered for the project 'default'",
        ),
        "plugin": ({"source": {**source, "plugin": {"name": "x"}}}, "there is no plugin named x"),
        "option": (
            {"syncPolicy": {**automated(), "syncOptions": ["Frobnicate=true"]}},
            "spec.syncPolicy.syncOptions=Frobnicate=true",
        ),
        "mark": ({"source": {**source, "path": "marked"}}, "argocd.argoproj.io/ignore-restart-policy"),
    }
    apps = []
    for name, (spec, _) in cases.items():
        app = application(namespace, repo.url, "plain", **{"syncPolicy": automated(), **spec})
        app["metadata"]["name"] = f"{namespace}-{name}"
        apps.append(app)
    stack.apply(*apps)
    for name, (_, text) in cases.items():
        rows = until(lambda n=name: stack.status("application", f"{namespace}-{n}", "argocd").get("conditions"))
        assert text in rows[0]["message"], (name, rows)
        assert rows[0]["type"] in ("InvalidSpecError", "ComparisonError"), rows
        stack.api.delete("application", f"{namespace}-{name}", "argocd")
    assert [c["metadata"]["name"] for c in stack.api.list("configmap", namespace)] in ([], ["kube-root-ca.crt"])


def test_a_broken_path_is_an_error_that_the_next_good_commit_ends(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"app/settings.yaml": config()})
    stack.apply(application(namespace, repo.url, "app", syncPolicy=automated(prune=True)))
    until_status(stack, namespace, "first sync", sync="Synced")
    repo.push({"app/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"})
    rows = until(lambda: stack.status("application", namespace, "argocd").get("conditions"))
    assert rows[0]["type"] == "ComparisonError", rows
    assert "app/settings.yaml" in rows[0]["message"]
    status = until_status(stack, namespace, "unknown", sync="Unknown")
    assert row_of(status, "settings"), "what is owned stays listed"
    commit = repo.push({"app/settings.yaml": config(colour="green")})
    status = until_status(stack, namespace, "healed", sync="Synced", revision=commit)
    assert "conditions" not in status
    assert stack.get("configmap", "settings", namespace)["data"] == {"colour": "green"}


def test_a_client_terminates_a_sync_that_is_tried_again_and_again(stack: Stack, namespace: str) -> None:
    """`argocd app terminate-op` writes the phase; the controller obeys, ends the operation and does not overwrite it.

    An equal sync that nobody ends tells when the ended one would have been tried again.
    """
    missing = manifest("v1", "ConfigMap", {"name": "lost", "namespace": f"{namespace}-missing"})
    nowhere = manifest("v1", "ConfigMap", {"name": "lost", "namespace": f"{namespace}-nowhere"})
    repo = stack.repository(namespace, {"ended/lost.yaml": missing, "equal/lost.yaml": nowhere})
    retry = {"limit": -1, "backoff": {"duration": "1s", "maxDuration": "1s"}}
    equal = application(namespace, repo.url, "equal")
    equal["metadata"]["name"] = f"{namespace}-equal"
    stack.apply(application(namespace, repo.url, "ended"), equal)
    for name in (namespace, f"{namespace}-equal"):
        until_status(stack, name, "compared", sync="OutOfSync")
        stack.merge("app", name, "argocd", {"operation": {"sync": {}, "retry": retry}})

    def tries(name: str) -> int:
        return int(stack.status("application", name, "argocd").get("operationState", {}).get("retryCount", 0))

    until_status(stack, namespace, "tried again", phase="Running")
    until(lambda: tries(namespace) >= 1)
    stack.merge("app", namespace, "argocd", {"status": {"operationState": {"phase": "Terminating"}}})
    status = until_status(stack, namespace, "terminated", phase="Failed")
    assert "terminated" in status["operationState"]["message"].lower()
    assert "operation" not in stack.get("application", namespace, "argocd")
    make_namespace(stack, f"{namespace}-missing")
    try:
        before = tries(f"{namespace}-equal")
        until(lambda: tries(f"{namespace}-equal") >= before + 3, what="the equal sync is tried again, three times")
        assert stack.get("configmap", "lost", f"{namespace}-missing") is None, "it was ended, and nobody asked again"
    finally:
        stack.merge("app", f"{namespace}-equal", "argocd", {"status": {"operationState": {"phase": "Terminating"}}})
        drop_namespace(stack, f"{namespace}-missing")


def test_a_refresh_is_answered_while_the_repository_cannot_be_reached(stack: Stack, namespace: str) -> None:
    url = f"http://127.0.0.1:{stack.git_port}/{namespace}-lost.git"
    stack.apply(application(namespace, url, syncPolicy=automated()))
    until(lambda: stack.status("application", namespace, "argocd").get("conditions"))
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until(lambda: REFRESH not in (stack.get("application", namespace, "argocd")["metadata"].get("annotations") or {}))
    status = stack.status("application", namespace, "argocd")
    assert [row["type"] for row in status["conditions"]] == ["ComparisonError"]
    assert status["sync"]["status"] == "Unknown"
    repo = stack.repository(f"{namespace}-lost", {"settings.yaml": config()})
    repo.push({"settings.yaml": config(colour="green")})
    status = until_status(stack, namespace, "the repository came", sync="Synced")
    assert "conditions" not in status


def test_a_sync_at_an_older_commit_is_a_rollback(stack: Stack, namespace: str) -> None:
    """`argocd app rollback` asks for the revision of a history row."""
    repo = stack.repository(namespace, {"settings.yaml": config(colour="blue")})
    first = repo.git("rev-parse", "HEAD")
    stack.apply(application(namespace, repo.url))
    until_status(stack, namespace, "compared", sync="OutOfSync")
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {}}})
    until_status(stack, namespace, "first", sync="Synced", phase="Succeeded")
    second = repo.push({"settings.yaml": config(colour="red")})
    until_status(stack, namespace, "seen", sync="OutOfSync", revision=second)
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {}}})
    until_status(stack, namespace, "second", sync="Synced", revision=second)
    stack.merge("app", namespace, "argocd", {"operation": {"sync": {"revision": first}}})
    until(lambda: stack.get("configmap", "settings", namespace)["data"] == {"colour": "blue"})
    status = until_status(stack, namespace, "older than Git", sync="OutOfSync", phase="Succeeded")
    assert status["operationState"]["syncResult"]["revision"] == first
    assert status["history"][-1]["revision"] == first


INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge, annotations: {argocd.argoproj.io/ignore-healthcheck: "true"}}
spec:
  ingressClassName: nobodys
  rules: [{host: shop.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
"""


def test_objects_may_stay_out_of_the_health_and_the_sync_status_of_their_application(
    stack: Stack, namespace: str
) -> None:
    mark = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
    left = config("left", annotations=mark, colour="blue")
    repo = stack.repository(
        namespace, {"app/edge.yaml": INGRESS, "app/left.yaml": left, "app/kept.yaml": config("kept", colour="red")}
    )
    stack.apply(application(namespace, repo.url, "app", syncPolicy={"automated": {}}))
    status = until_status(stack, namespace, "first sync", sync="Synced", health="Healthy", phase="Succeeded")
    # It waits for an address, which the simulation may have given by now; either way it is left out.
    assert row_of(status, "edge")["health"]["status"] in ("Progressing", "Healthy")

    repo.push({"app/left.yaml": None, "app/kept.yaml": config("kept", colour="green")})
    status = until_status(
        stack, namespace, "what left makes no difference", sync="Synced", revision=repo.git("rev-parse", "HEAD")
    )
    assert (row_of(status, "left")["status"], row_of(status, "left")["requiresPruning"]) == ("OutOfSync", True)
    assert stack.get("configmap", "left", namespace) is not None
