"""A whole Trueup for end-to-end tests: a cluster, a Git server process, a controller process, and a user's own tools."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.e2e.api import PATHS, Api
from tests.peers.kubectl import Kubectl
from trueup.cli.install import apply_all
from trueup.cluster.config import load_config
from trueup.dialects.argocd.appproject import default_project
from trueup.dialects.registry import crds
from trueup.model.conditions import contradictions

T = TypeVar("T")
PUSH_TOKEN = "push-token-of-the-tests"
PLUGIN = """\
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: greeter}
spec:
  version: v1
  init: {command: [sh, -c, "cp greeting.txt prepared.txt"]}
  generate:
    command: [sh, -c]
    args:
      - |
        cat <<END
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: greeting}
        data: {text: "$(cat prepared.txt), ${PARAM_WHOM:-all} of $ARGOCD_APP_NAMESPACE", mood: "$ARGOCD_ENV_MOOD"}
        END
  discover: {fileName: greeting.txt}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_row_of_ports(count: int = 6) -> int:
    """The first of so many free ports in a row, below those that connections take: what is started later finds them free still."""
    while True:
        first = random.randrange(20_000, 30_000)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def until(condition: Callable[[], T], *, within: float = 90.0, what: str = "") -> T:
    """The first truthy answer; raises AssertionError with the last one when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}; last: {answer!r}")
        time.sleep(0.05)


class Process:
    """A child process with a log file."""

    def __init__(self, command: list[str], log_file: Path, environment: dict[str, str]) -> None:
        self.command = command
        self.log_file = log_file
        self.environment = environment
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_file.open("ab") as output:
            self.running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None

    def stop(self) -> int:
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        code = self.running.wait(20)
        self.running = None
        return code

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


class Repository:
    """A working copy that pushes to the stack's Git server."""

    def __init__(self, folder: Path, url: str, branch: str = "main") -> None:
        self.folder = folder
        self.url = url
        self.branch = branch

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Somchai", "-c", "user.email=somchai@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(self.folder), *identity, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """None removes the file."""
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def push(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        """Commits and pushes; gives the commit."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "origin", f"HEAD:{self.branch}")
        return self.git("rev-parse", "HEAD")


class ApiServer(Protocol):
    """What a test may do to the API server, besides asking it; both come back as they were."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


class Stack:
    """Everything of one backend. Tests share it: each works in a namespace and repository of its own."""

    def __init__(self, folder: Path, kubeconfig: Path, kubectl: Kubectl, api_server: ApiServer) -> None:
        self.folder = folder
        self.api_server = api_server
        self.database = folder / "records.sqlite"
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl
        self.api = Api(kubeconfig)
        self.http_port = free_port()
        self.git_port = free_port()
        environment = {"TRUEUP_PUSH_TOKEN": PUSH_TOKEN}
        hook = f"http://127.0.0.1:{self.http_port}/hooks/push"
        (folder / "git").mkdir(parents=True)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "greeter.yaml").write_text(PLUGIN)
        self.git_server = Process(
            [
                *_python("trueup.embedded.gitserver"),
                "--root",
                f"{folder}/git",
                f"--port={self.git_port}",
                "--notify",
                hook,
            ],
            folder / "git.log",
            environment,
        )
        instead_of = f"url.http://127.0.0.1:{self.git_port}/.insteadOf"
        self.controller = Process(
            [
                *_python("trueup.cli.main"),
                "run",
                f"--kubeconfig={kubeconfig}",
                f"--state-dir={folder}/state",
                "--http-host=127.0.0.1",
                f"--http-port={self.http_port}",
                "--allow-local-git",
                f"--plugins={folder}/plugins",
                f"--database=sqlite:///{self.database}",
            ],
            folder / "controller.log",
            {
                **environment,
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": instead_of,
                "GIT_CONFIG_VALUE_0": "https://github.com/",
            },
        )

    def start(self) -> None:
        self.git_server.start()
        self.define()
        self.controller.start()
        self.until_ready()

    def define(self) -> None:
        """What an installation brings before anything of it runs."""
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in ("trueup-system", "argocd")
        ]
        asyncio.run(apply_all(load_config(self.kubeconfig), [*namespaces, *crds(), default_project()]))

    def until_ready(self) -> None:
        try:
            until(lambda: self.get_http("/readyz")[0] == 200, within=60, what="controller ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.get_http('/readyz')}; its log:\n{self.controller.log}") from error

    def restart(self) -> None:
        """SIGKILL, then a new process with the same state folder."""
        self.controller.kill()
        self.controller.start()
        self.until_ready()

    def stop(self) -> None:
        self.controller.kill()
        self.git_server.kill()
        self.api.close()

    def get_http(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        _, text = self.get_http("/metrics")
        rows = [line for line in text.splitlines() if line.startswith(name)]
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)

    # the user's tools

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(self.kubeconfig, *arguments, input=stdin).check().stdout

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
        done = self._kubectl(self.kubeconfig, *arguments, input=stdin)
        return done.returncode, done.stdout + done.stderr

    def apply(self, *manifests: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(manifest) for manifest in manifests))

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """The object or None: a look of the test's own for kinds that it polls, kubectl for the rest."""
        if kind in PATHS:
            return self.api.get(kind, name, namespace)
        where = ["-n", namespace] if namespace else []
        code, text = self.try_kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
        assert code == 0, text
        return json.loads(text) if text.strip() else None

    def status(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        return (self.get(kind, name, namespace) or {}).get("status") or {}

    def condition(self, kind: str, name: str, namespace: str, type_: str = "Ready") -> dict[str, Any]:
        rows = self.status(kind, name, namespace).get("conditions") or []
        return next((row for row in rows if row["type"] == type_), {})

    def events(self, namespace: str, reason: str) -> list[dict[str, Any]]:
        return [event for event in self.api.list("event", namespace) if event.get("reason") == reason]

    # how an App fares

    def until_applied(
        self, namespace: str, commit: str = "", name: str = "app", within: float = 90.0
    ) -> dict[str, Any]:
        """The status of the Kustomization once it is Ready at this commit."""

        def applied() -> dict[str, Any]:
            status = self._sane_status(namespace, name)
            ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
            good = ready.get("status") == "True" and commit in status.get("lastAppliedRevision", "")
            return status if good else {}

        try:
            return until(applied, within=within)
        except AssertionError as error:
            status = self.status("kustomization", name, namespace)
            raise AssertionError(f"not ready at {commit or 'any commit'}: {json.dumps(status)}") from error

    def until_failed(
        self, namespace: str, *texts: str, commit: str = "", name: str = "app", within: float = 90.0
    ) -> dict[str, Any]:
        """The Ready condition of the Kustomization once it is False, at this commit, and says all these texts."""

        def failed() -> dict[str, Any]:
            status = self._sane_status(namespace, name)
            ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
            told = all(text in ready.get("message", "") for text in texts)
            good = ready.get("status") == "False" and told and commit in status.get("lastAttemptedRevision", "")
            return ready if good else {}

        try:
            return until(failed, within=within)
        except AssertionError as error:
            status = self.status("kustomization", name, namespace)
            raise AssertionError(f"does not fail with {texts}: {json.dumps(status)}") from error

    def _sane_status(self, namespace: str, name: str) -> dict[str, Any]:
        """Of a Kustomization; raises AssertionError when it contradicts itself, whatever else is waited for."""
        obj = self.get("kustomization", name, namespace) or {}
        status: dict[str, Any] = obj.get("status") or {}
        wrong = contradictions(status, obj.get("metadata", {}).get("generation"))
        assert not wrong, f"{wrong}: {json.dumps(status)}"
        return status

    def inventory(self, namespace: str, name: str = "app") -> set[str]:
        status = self.status("kustomization", name, namespace)
        return {entry["id"] for entry in (status.get("inventory") or {}).get("entries") or []}

    def annotate(self, kind: str, name: str, namespace: str, *pairs: str) -> None:
        self.kubectl("annotate", "--overwrite", kind, name, "-n", namespace, *pairs)

    def merge(self, kind: str, name: str, namespace: str, patch: dict[str, Any]) -> None:
        self.kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(patch))

    def repository(self, name: str, files: dict[str, str | bytes | None], branch: str = "main") -> Repository:
        """A new repository on the server, with a first commit."""
        bare = self.folder / "git" / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "init", "-q", "--bare", "-b", branch, str(bare)], check=True)
        url = f"http://127.0.0.1:{self.git_port}/{name}.git"
        work = self.folder / "work" / name
        subprocess.run(["git", "clone", "-q", url, str(work)], check=True, capture_output=True)
        repository = Repository(work, url, branch)
        repository.push(files, "first")
        return repository

    def kustomization(self, namespace: str, url: str, path: str = "./", **spec: Any) -> None:
        """A GitRepository `repo` and a Kustomization `app` in the namespace."""
        self.apply(git_repository(namespace, url), kustomization(namespace, path, **spec))


def git_repository(namespace: str, url: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "repo", "namespace": namespace},
        "spec": {"interval": "10m", "url": url, "ref": {"branch": "main"}, **spec},
    }


def kustomization(namespace: str, path: str = "./", name: str = "app", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "interval": "10m",
            "path": path,
            "prune": True,
            "targetNamespace": namespace,
            "sourceRef": {"kind": "GitRepository", "name": "repo"},
            **spec,
        },
    }


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]
