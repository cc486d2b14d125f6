"""The main job, as a user sees it: push, drift, prune, revert, broken commits, and the two dialects' own YAML."""

from __future__ import annotations

from tests.e2e.stack import Stack, kustomization, until
from trueup.model.conditions import contradictions

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: "{image}"
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: blue
"""


def deployment(replicas: int = 1, image: str = "nginx:1.27") -> str:
    return DEPLOYMENT.format(replicas=replicas, image=image)


def image_of(stack: Stack, namespace: str) -> str:
    live = stack.get("deployment", "web", namespace)
    return live["spec"]["template"]["spec"]["containers"][0]["image"] if live else ""


def until_ready(stack: Stack, namespace: str, commit: str = "") -> None:
    def ready() -> bool:
        status = stack.status("kustomization", "app", namespace)
        row = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
        return row.get("status") == "True" and commit in status.get("lastAppliedRevision", "")

    until(ready, what=f"ready at {commit}: {stack.status('kustomization', 'app', namespace)}")


def test_a_push_is_live_and_a_revert_takes_it_back(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(), "settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    commit = repo.push({"web.yaml": deployment(image="nginx:1.28")})
    until(lambda: image_of(stack, namespace) == "nginx:1.28")  # known by the push: the next poll is ten minutes away
    until_ready(stack, namespace, commit)
    repo.git("revert", "--no-edit", "HEAD")
    repo.git("push", "-q", "origin", "HEAD:main")
    until(lambda: image_of(stack, namespace) == "nginx:1.27")
    status = stack.status("kustomization", "app", namespace)
    assert not contradictions(status)
    assert {entry["id"] for entry in status["inventory"]["entries"]} == {
        f"{namespace}_web_apps_Deployment",
        f"{namespace}_settings__ConfigMap",
    }


def test_drift_by_scale_and_by_delete_is_healed_and_told(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(), "settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    stack.kubectl("scale", "deployment/web", "--replicas=5", "-n", namespace)
    until(lambda: (stack.get("deployment", "web", namespace) or {})["spec"]["replicas"] == 1, within=10)
    stack.kubectl("delete", "configmap", "settings", "-n", namespace)
    until(lambda: stack.get("configmap", "settings", namespace), within=10)
    messages = until(
        lambda: [m for e in stack.events(namespace, "DriftCorrected") if "spec.replicas" in (m := e["message"])]
    )
    assert "spec.replicas: 5 -> 1" in messages[0]
    assert "kubectl" in messages[0]


def test_a_file_that_goes_takes_its_objects_along(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(), "settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    repo.push({"settings.yaml": None})
    until(lambda: stack.get("configmap", "settings", namespace) is None, within=10)
    assert stack.get("deployment", "web", namespace) is not None
    until(
        lambda: len(stack.status("kustomization", "app", namespace)["inventory"]["entries"]) == 1,
        what="the inventory forgets what was pruned",
    )


def test_a_broken_commit_changes_nothing_and_the_next_good_one_proceeds(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(), "settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    repo.push({"web.yaml": deployment(image="nginx:9") + "\tbroken: [\n"})
    row = until(
        lambda: (c := stack.condition("kustomization", "app", namespace)).get("status") == "False" and c,
        what="the broken commit is reported",
    )
    assert row["reason"] == "BuildFailed"
    assert "web.yaml" in row["message"]
    assert image_of(stack, namespace) == "nginx:1.27"
    commit = repo.push({"web.yaml": deployment(image="nginx:1.29")})
    until_ready(stack, namespace, commit)
    assert image_of(stack, namespace) == "nginx:1.29"


def test_one_bad_object_does_not_stop_the_others(stack: Stack, namespace: str) -> None:
    bad = CONFIG.replace("settings", "Bad_Name")
    repo = stack.repository(namespace, {"bad.yaml": bad, "web.yaml": deployment()})
    stack.kustomization(namespace, repo.url)
    until(lambda: image_of(stack, namespace) == "nginx:1.27")
    row = until(lambda: (c := stack.condition("kustomization", "app", namespace)).get("status") == "False" and c)
    assert "Bad_Name" in row["message"]
    assert "bad.yaml" in row["message"]


def test_suspending_stops_healing_and_resuming_brings_it_back(stack: Stack, namespace: str) -> None:
    """A neighbour on the same source tells that the controller has heard of the drift and of the push."""
    files: dict[str, str | bytes | None] = {
        "app/settings.yaml": CONFIG,
        "neighbour/seen.yaml": CONFIG.replace("settings", "seen"),
    }
    repo = stack.repository(namespace, files)
    stack.kustomization(namespace, repo.url, "./app")
    stack.apply(kustomization(namespace, "./neighbour", name="neighbour"))
    until_ready(stack, namespace)
    stack.until_applied(namespace, name="neighbour")
    patch = '{"spec":{"suspend":true}}'
    stack.kubectl("patch", "kustomization", "app", "-n", namespace, "--type=merge", "-p", patch)
    stack.kubectl("delete", "configmap", "settings", "-n", namespace)
    stack.kubectl("delete", "configmap", "seen", "-n", namespace)
    until(lambda: stack.get("configmap", "seen", namespace), what="drift of the same kind that came later is healed")
    commit = repo.push(
        {
            "app/more.yaml": CONFIG.replace("settings", "more"),
            "neighbour/seen.yaml": CONFIG.replace("settings", "seen").replace("blue", "green"),
        }
    )
    stack.until_applied(namespace, commit, name="neighbour")
    assert stack.get("configmap", "settings", namespace) is None
    assert stack.get("configmap", "more", namespace) is None
    patch = '{"spec":{"suspend":false}}'
    stack.kubectl("patch", "kustomization", "app", "-n", namespace, "--type=merge", "-p", patch)
    until(lambda: stack.get("configmap", "more", namespace))
    until(lambda: stack.get("configmap", "settings", namespace))


def test_a_push_is_known_by_the_address_that_git_is_led_to(stack: Stack, namespace: str) -> None:
    """The source names the public host, git goes elsewhere by insteadOf, and the notice names that place."""
    repo = stack.repository(f"{namespace}/shop", {"settings.yaml": CONFIG})
    stack.kustomization(namespace, f"https://github.com/{namespace}/shop")
    until_ready(stack, namespace)
    commit = repo.push({"settings.yaml": CONFIG.replace("blue", "green")})
    stack.until_applied(namespace, commit, within=10)


def test_deleting_the_resource_prunes_its_objects(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    stack.kubectl("delete", "kustomization", "app", "-n", namespace, "--timeout=20s")
    until(lambda: stack.get("configmap", "settings", namespace) is None)


def test_a_request_is_answered_with_its_token(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": CONFIG})
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    token = "2026-11-23T07:00:00.123456789Z"
    for kind in ("gitrepository/repo", "kustomization/app"):
        stack.kubectl("annotate", kind, "-n", namespace, f"reconcile.fluxcd.io/requestedAt={token}")
    until(lambda: stack.status("gitrepository", "repo", namespace).get("lastHandledReconcileAt") == token)
    until(lambda: stack.status("kustomization", "app", namespace).get("lastHandledReconcileAt") == token)


def test_a_dependency_goes_first(stack: Stack, namespace: str) -> None:
    from tests.e2e.stack import git_repository, kustomization

    repo = stack.repository(namespace, {"a/web.yaml": deployment(), "b/settings.yaml": CONFIG})
    stack.apply(
        git_repository(namespace, repo.url),
        kustomization(namespace, "./b", name="second", dependsOn=[{"name": "app"}]),
    )
    row = until(lambda: (c := stack.condition("kustomization", "second", namespace)).get("reason") and c)
    assert row["reason"] == "DependencyNotReady"
    assert stack.get("configmap", "settings", namespace) is None
    stack.apply(kustomization(namespace, "./a", wait=True))
    until(lambda: stack.condition("kustomization", "second", namespace).get("status") == "True")
    assert stack.condition("kustomization", "app", namespace)["status"] == "True"


def test_an_object_that_moves_between_apps_is_never_deleted(stack: Stack, namespace: str) -> None:
    from tests.e2e.stack import git_repository, kustomization

    repo = stack.repository(
        namespace, {"a/settings.yaml": CONFIG, "a/web.yaml": deployment(), "b/x.yaml": CONFIG.replace("settings", "x")}
    )
    stack.apply(
        git_repository(namespace, repo.url), kustomization(namespace, "./a"), kustomization(namespace, "./b", name="b")
    )
    until_ready(stack, namespace)
    until(lambda: stack.condition("kustomization", "b", namespace).get("status") == "True")
    uid = stack.get("configmap", "settings", namespace)["metadata"]["uid"]
    commit = repo.push({"a/settings.yaml": None, "b/settings.yaml": CONFIG})
    until_ready(stack, namespace, commit)
    until(lambda: commit in stack.status("kustomization", "b", namespace).get("lastAppliedRevision", ""))
    until(lambda: len(stack.status("kustomization", "app", namespace)["inventory"]["entries"]) == 1)
    moved = stack.get("configmap", "settings", namespace)
    assert moved["metadata"]["uid"] == uid
    assert moved["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == "b"


def test_a_broken_neighbour_does_not_keep_objects_from_being_pruned(stack: Stack, namespace: str) -> None:
    from tests.e2e.stack import git_repository, kustomization

    files: dict[str, str | bytes | None] = {"a/web.yaml": deployment(), "a/x.yaml": CONFIG, "b/y.yaml": "a: [\n"}
    repo = stack.repository(namespace, files)
    stack.apply(
        git_repository(namespace, repo.url),
        kustomization(namespace, "./a"),
        kustomization(namespace, "./b", name="b"),
    )
    until_ready(stack, namespace)
    until(lambda: stack.condition("kustomization", "b", namespace).get("reason") == "BuildFailed")
    repo.push({"a/x.yaml": None})
    until(lambda: stack.get("configmap", "settings", namespace) is None, within=20)
