"""The command line as a user's own process beside a whole Trueup: a cluster, a Git server, a controller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Repository, Stack, until

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "IMAGE"}]}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
"""
TOKEN = """\
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {password: VALUE}
"""


class Cli:
    """`trueup ...` in a process of its own, with the stack's cluster."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(stack.kubeconfig),
            "TRUEUP_HOME": str(home),
            "TRUEUP_RENDER_CACHE": str(home / "kept"),
            "NO_COLOR": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "trueup.cli.main", *arguments]

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json").stdout)


def begin(stack: Stack, namespace: str) -> Repository:
    repo = stack.repository(namespace, files("web:1", "hunter2"))
    stack.kustomization(namespace, repo.url, targetNamespace=namespace)
    stack.until_applied(namespace)
    return repo


def files(image: str, password: str) -> dict[str, str | bytes | None]:
    return {
        "web.yaml": DEPLOYMENT.replace("IMAGE", image),
        "settings.yaml": SETTINGS,
        "token.yaml": TOKEN.replace("VALUE", password),
    }


def test_a_change_is_seen_before_it_is_pushed_and_after(stack: Stack, namespace: str, tmp_path: Path) -> None:
    repo, cli = begin(stack, namespace), Cli(stack, tmp_path)
    app = f"Kustomization/{namespace}/app"
    assert "no differences" in cli("diff", app, "--exit-code").stderr

    repo.write({**files("web:2", "correct horse"), "settings.yaml": None})
    done = cli("diff", app, "--path", str(repo.folder), "--exit-code", code=3)
    assert "- web:1" in done.stdout
    assert "+ web:2" in done.stdout
    assert f"- ConfigMap/{namespace}/settings" in done.stdout
    assert f"~ Secret/{namespace}/token" in done.stdout
    for secret in ("hunter2", "correct horse", "aHVudGVyMg", "Y29ycmVjdCBob3JzZQ"):
        assert secret not in done.stdout + done.stderr
    of_the_tree = cli("diff", "--path", str(repo.folder), "-n", namespace, "--exit-code", code=3)
    assert of_the_tree.stdout == done.stdout, "the App is found by the repository that the tree is a clone of"
    assert stack.get("configmap", "settings", namespace), "a diff changes nothing"
    explained = cli.json("build", app, "--path", str(repo.folder), "--explain")
    assert explained["cache"]["reason"] in ("secret", "cold")
    assert {"look": "file", "path": "web.yaml"} in [
        {"look": row["look"], "path": row["path"]} for row in explained["inputs"]
    ]

    commit = repo.push({})
    stack.until_applied(namespace, commit)
    row = cli.json("get", "ks", "app", "-n", namespace)
    assert commit in row["status"]["lastAppliedRevision"]
    refs = cli("tree", app, "-o", "name").stdout.split()
    assert f"Deployment/{namespace}/web" in refs
    assert f"ConfigMap/{namespace}/settings" not in refs


def test_what_a_sync_would_do_and_what_it_did(stack: Stack, namespace: str, tmp_path: Path) -> None:
    begin(stack, namespace)
    cli = Cli(stack, tmp_path)
    app = f"ks/{namespace}/app"
    assert "nothing was changed" in cli("sync", app, "--dry-run").stderr
    done = cli("sync", app, "--with-source", "--timeout", "60s")
    assert "synced at main@" in done.stderr
    page = cli("describe", app).stdout
    assert "Ready=True" in page
    assert f"Deployment/{namespace}/web" in page
    assert "ReconciliationSucceeded" in cli("events", app).stdout


def test_a_rollback_holds_until_it_is_taken_off(stack: Stack, namespace: str, tmp_path: Path) -> None:
    repo, cli = begin(stack, namespace), Cli(stack, tmp_path)
    first = repo.git("rev-parse", "HEAD")
    second = repo.push(files("web:2", "hunter2"))
    stack.until_applied(namespace, second)
    app = f"ks/{namespace}/app"
    done = cli("rollback", app, "--reason", "web:2 is broken", "--until", "1h", "--timeout", "60s")
    assert "web:2 is broken" in done.stderr
    stack.until_applied(namespace, first)
    third = repo.push({"settings.yaml": SETTINGS.replace("blue", "green")})
    assert "(pinned)" in cli("get", "ks", "-n", namespace).stdout
    cli("rollback", app, "--off")
    stack.until_applied(namespace, third)


def test_a_suspended_app_is_left_alone_until_it_is_resumed(stack: Stack, namespace: str, tmp_path: Path) -> None:
    begin(stack, namespace)
    cli = Cli(stack, tmp_path)
    app = f"ks/{namespace}/app"
    cli("suspend", app)
    stack.merge("configmap", "settings", namespace, {"data": {"colour": "red"}})
    assert "is suspended" in cli("sync", app, code=1).stderr
    cli("resume", app, "--timeout", "60s")

    def colour() -> bool:
        live = stack.get("configmap", "settings", namespace)
        return bool(live) and live["data"]["colour"] == "blue"

    until(colour, what="what changed meanwhile is taken back")


def test_an_application_is_created_synced_and_deleted_by_hand(stack: Stack, namespace: str, tmp_path: Path) -> None:
    repo = stack.repository(namespace, files("web:1", "hunter2"))
    cli = Cli(stack, tmp_path)
    app = f"app/{namespace}/guestbook"
    cli(
        *("create", "application", "guestbook", "--repo", repo.url, "--manual", "--cascade", "--no-wait"),
        *("--dest-namespace", namespace, "-n", namespace),
    )
    until(lambda: "OutOfSync" in cli("get", "app", "-n", namespace).stdout, what="compared")
    assert f"+ Deployment/{namespace}/web" in cli("diff", app, "--exit-code", code=3).stdout
    assert "synced at" in cli("sync", app, "--timeout", "60s").stderr
    assert stack.get("configmap", "settings", namespace)
    assert "3 objects will be deleted" in cli("delete", app, "--yes", "--timeout", "60s").stderr
    assert not stack.get("configmap", "settings", namespace)


@pytest.mark.parametrize(
    "words", [("get", "ks/NS/app"), ("tree", "ks/NS/app"), ("events", "ks/NS/app")], ids=lambda w: w[0]
)
def test_watching_shows_each_change(stack: Stack, namespace: str, tmp_path: Path, words: tuple[str, str]) -> None:
    repo, cli = begin(stack, namespace), Cli(stack, tmp_path)
    seen = tmp_path / "seen"
    with seen.open("wb") as output:
        command = cli.command(words[0], words[1].replace("NS", namespace), "--watch")
        watching = subprocess.Popen(command, env=cli.environment, stdout=output, stderr=output)
    try:
        until(lambda: "app" in seen.read_text(), what="what is there")
        commit = repo.push(files("web:2", "hunter2"))
        until(lambda: commit[:7] in seen.read_text(), what=f"the change: {seen.read_text()}")
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 130, seen.read_text()
    assert "Traceback" not in seen.read_text()


def test_the_server_is_asked_before_a_push(stack: Stack, namespace: str, tmp_path: Path) -> None:
    repo, cli = begin(stack, namespace), Cli(stack, tmp_path)
    good = {"kustomization.yaml": f"namespace: {namespace}\nresources: [web.yaml, settings.yaml]\n"}
    repo.write(good)
    cli("validate", str(repo.folder), "--server")
    repo.write({"web.yaml": DEPLOYMENT.replace("replicas: 1", "replicas: -1")})
    done = cli("validate", str(repo.folder), "--server", code=1)
    assert "web.yaml:1" in done.stdout
    assert "spec.replicas" in done.stdout
