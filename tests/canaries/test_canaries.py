"""Canary secrets are planted everywhere that a controller reads one, all of it is made to work and to fail, and then everything
that left the process or touched the disk is searched."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.canaries import places
from tests.canaries.birds import Canary, escaped, make
from tests.e2e.fixtures import make_namespace
from tests.e2e.stack import Process, Stack, free_port, git_repository, kustomization, until
from tests.e2e.test_helmreleases import CONFIG, helm_release
from tests.embedded.fixtures import running_cluster
from tests.peers.kubectl import Kubectl
from trueup.cluster.config import load_config

pytestmark = [pytest.mark.timeout(300), pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("canaries")]

NAMESPACE = "birds"
LIVE = "cluster/"
MIRROR = "state/mirrors/"
ARTIFACT = "state/artifacts/"
"""What Git holds, packed for whoever fetches sources; Git's own content is the user's to keep secrets out of."""
GIT_PASSWORD = make("git-password", f"{LIVE}Secret/")
BAD_PASSWORD = make("refused-git-password", f"{LIVE}Secret/")
URL_PASSWORD = Canary(name="url-password", value="kanari0url0password0q7Zx93Vw", may_be=())
DECLARED = make("declared-secret", MIRROR, ARTIFACT, f"{LIVE}Secret/")
REFUSED = Canary(name="refused-secret", value="kanari refused secret q7Zx93Vw!", may_be=(MIRROR, ARTIFACT))
GREETING = f"api GET /api/trueup/v1/apps/Kustomization/{NAMESPACE}/good/object?group=&kind=ConfigMap&"
"""The live ConfigMap that Git says a Secret's value goes into: whoever may read it sees it, as with kubectl."""
VARIABLE = make("variable", f"{LIVE}Secret/", f"{LIVE}ConfigMap/{NAMESPACE}/greeting", GREETING)
REFUSED_VARIABLE = Canary(name="refused-variable", value="kanari-refused-variable-q7Zx93Vw", may_be=(f"{LIVE}Secret/",))
HELM_VALUE = make("helm-value", f"{LIVE}Secret/", f"{LIVE}ConfigMap/{NAMESPACE}/web-config")
DRIFTED = make("drifted-secret", f"{LIVE}Secret/")
WEBHOOK = make("webhook-secret", f"{LIVE}Secret/")
CLUSTER_TOKEN = make("token-of-another-cluster", f"{LIVE}Secret/")
ARGO_PASSWORD = make("argo-repository-password", f"{LIVE}Secret/")
AUDIT_HOOK = make("audit-webhook-secret")
STORE_KEY = make("audit-store-key")
PUSH_TOKEN = make("push-token")
DATABASE_PASSWORD = Canary(name="database-password", value="kanari0database0password0q7Zx", may_be=())
ALL = [value for value in list(globals().values()) if isinstance(value, Canary)]


@pytest.fixture(scope="module")
def aviary(kubectl: Kubectl) -> Iterator[Stack]:
    """A controller that says all it can, with every kind of credential."""
    with (
        running_cluster() as cluster,
        tempfile.TemporaryDirectory(prefix="trueup-canaries-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="trueup-credentials-") as credentials,
    ):
        stack = Stack(Path(folder), cluster.kubeconfig, kubectl, cluster)
        secrets = Path(credentials)
        (secrets / "hook").write_text(AUDIT_HOOK.value)
        (secrets / "store").write_text(STORE_KEY.value)
        nobody = "127.0.0.1:9"
        settings = {
            "destinations": [
                {"name": "hook", "webhook": {"url": f"http://{nobody}/", "secretFile": str(secrets / "hook")}},
                {
                    "name": "store",
                    "s3": {
                        "endpoint": nobody,
                        "bucket": "audit",
                        "insecure": True,
                        "accessKeyFile": str(secrets / "store"),
                        "secretKeyFile": str(secrets / "store"),
                    },
                },
            ]
        }
        (secrets / "audit.yaml").write_text(json.dumps(settings))
        stack.controller.command += [
            "--log-level=debug",
            "--serve-artifacts",
            f"--audit-settings={secrets / 'audit.yaml'}",
        ]
        stack.controller.environment["TRUEUP_PUSH_TOKEN"] = PUSH_TOKEN.value
        private = Process(
            [
                *stack.git_server.command[:3],
                f"--root={folder}/git",
                f"--port={stack.git_port + 0}",
                "--private",
                f"--reader=robot:{GIT_PASSWORD.value}",
            ],
            stack.git_server.log_file,
            stack.git_server.environment,
        )
        stack.git_server = private
        try:
            stack.start()
            make_namespace(stack, NAMESPACE)
            yield stack
        finally:
            stack.stop()


def secret(name: str, namespace: str = NAMESPACE, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def bare(stack: Stack, name: str, files: dict[str, str]) -> str:
    """A repository that was filled past the server, which wants a password."""
    path, work = stack.folder / "git" / f"{name}.git", stack.folder / "work" / name
    identity = ["-c", "user.name=S", "-c", "user.email=s@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    subprocess.run(["git", "clone", "-q", str(path), str(work)], check=True, capture_output=True)
    for file, content in files.items():
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        (work / file).write_text(content)
    subprocess.run(["git", "-C", str(work), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(work), *identity, "commit", "-q", "-m", "first"], check=True)
    subprocess.run(["git", "-C", str(work), "push", "-q", "origin", "HEAD:main"], check=True)
    return f"http://127.0.0.1:{stack.git_port}/{name}.git"


def manifest(kind: str, name: str, **rest: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **rest})


def plant(stack: Stack) -> None:
    """Everything that holds a secret, working and not."""
    encoded = base64.b64encode(DECLARED.value.encode()).decode()
    url = bare(
        stack,
        "birds",
        {
            "good/secret.yaml": manifest("Secret", "declared", data={"a": encoded}, stringData={"b": DECLARED.value}),
            "good/greeting.yaml": manifest("ConfigMap", "greeting", data={"text": "${WORD}"}),
            "refused/secret.yaml": manifest("Secret", "refused", data={"password": REFUSED.value}),
            "variable/service.yaml": manifest(
                "Service", "refused", spec={"ports": [{"port": 80, "name": "${WRONG}"}], "type": "${WRONG}"}
            ),
            "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
            "charts/web/values.yaml": "text: default\n",
            "charts/web/templates/config.yaml": CONFIG,
            "charts/web/templates/secret.yaml": (
                "apiVersion: v1\nkind: Secret\nmetadata: {name: of-chart}\nstringData: {x: {{ .Values.text | quote }}}\n"
            ),
        },
    )
    variables = {"substituteFrom": [{"kind": "Secret", "name": "variables"}]}
    stack.apply(
        secret("git", username="robot", password=GIT_PASSWORD.value),
        secret("bad-git", username="robot", password=BAD_PASSWORD.value),
        secret("variables", WORD=VARIABLE.value, WRONG=REFUSED_VARIABLE.value),
        secret("values", **{"values.yaml": f"text: {HELM_VALUE.value}\n"}),
        secret("argocd-secret", "argocd", **{"webhook.github.secret": WEBHOOK.value}),
        secret(
            "repo",
            "argocd",
            {"argocd.argoproj.io/secret-type": "repository"},
            url=f"{url}-none",
            username="robot",
            password=ARGO_PASSWORD.value,
        ),
        git_repository(NAMESPACE, url, secretRef={"name": "git"}),
        _named(git_repository(NAMESPACE, url, secretRef={"name": "bad-git"}), "refused"),
        _named(git_repository(NAMESPACE, url.replace("://", f"://robot:{URL_PASSWORD.value}@")), "inurl"),
        kustomization(NAMESPACE, "./good", "good", postBuild=variables, retryInterval="1s"),
        kustomization(NAMESPACE, "./refused", "refused", retryInterval="2s"),
        kustomization(NAMESPACE, "./variable", "variable", postBuild=variables, retryInterval="2s"),
        helm_release(NAMESPACE, valuesFrom=[{"kind": "Secret", "name": "values"}]),
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "birds", "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": {"repoURL": f"{url}-none", "path": "good"},
                "destination": {"name": "in-cluster", "namespace": NAMESPACE},
                "syncPolicy": {"automated": {}},
            },
        },
    )


def plant_clusters(stack: Stack) -> None:
    """Apps that name other clusters, none of which takes us: what refuses a credential must not tell it."""
    token = CLUSTER_TOKEN.value
    server = load_config(stack.kubeconfig).server
    users = {
        "refused": {"token": token},
        "command": {
            "exec": {"apiVersion": "v1", "command": "x", "args": [token], "env": [{"name": "T", "value": token}]}
        },
        "proxied": {"token": token},
        "wrong": {"token": {"a": token}},
    }
    for name, user in users.items():
        cluster = {"server": server, "certificate-authority-data": authority(stack)}
        if name == "proxied":
            cluster["proxy-url"] = f"http://robot:{token}@127.0.0.1:1"
        text = json.dumps(
            {
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )
        app = kustomization(NAMESPACE, "./good", f"there-{name}", kubeConfig={"secretRef": {"name": f"there-{name}"}})
        stack.apply(secret(f"there-{name}", value=text), app)
    broken = secret("there-broken", value=f'"{token}: {{\n  {token}')
    app = kustomization(NAMESPACE, "./good", "there-broken", kubeConfig={"secretRef": {"name": "there-broken"}})
    label = {"argocd.argoproj.io/secret-type": "cluster"}
    registered = secret("there", "argocd", label, server=server, config=f'{{"bearerToken": "{token}')
    registered["stringData"]["name"] = "there"
    far = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "far-birds", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": f"http://127.0.0.1:{stack.git_port}/none", "path": "good"},
            "destination": {"name": "there", "namespace": NAMESPACE},
        },
    }
    stack.apply(broken, app, registered, far)
    for name in (*users, "broken"):
        stack.until_failed(NAMESPACE, "", name=f"there-{name}", within=60)
    until(lambda: stack.status("application", "far-birds", "argocd").get("conditions"), within=60, what="application")


def authority(stack: Stack) -> str:
    return base64.b64encode(load_config(stack.kubeconfig).tls.ca).decode()


def _named(resource: dict[str, Any], name: str) -> dict[str, Any]:
    return resource | {"metadata": resource["metadata"] | {"name": name}}


def deliver(stack: Stack, key: str) -> int:
    """A webhook, signed."""
    body = json.dumps({"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example.com/a.git"}}).encode()
    proof = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.http_port}/api/webhook",
        data=body,
        headers={"X-GitHub-Event": "push", "X-GitHub-Delivery": key[:6], "X-Hub-Signature-256": f"sha256={proof}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def work(stack: Stack) -> None:
    """Syncs, failures, drift and its healing, webhooks, a restart."""
    plant(stack)
    plant_clusters(stack)
    stack.until_applied(NAMESPACE, name="good", within=60)
    stack.until_failed(NAMESPACE, "refused", name="refused")
    stack.until_failed(NAMESPACE, "refused", name="variable")
    until(lambda: stack.status("application", "birds", "argocd").get("conditions"), within=60, what="application")
    other = base64.b64encode(DRIFTED.value.encode()).decode()
    stack.merge("secret", "declared", NAMESPACE, {"data": {"a": other}})
    until(lambda: stack.events(NAMESPACE, "DriftCorrected"), what="healed")
    stack.merge("secret", "variables", NAMESPACE, {"stringData": {"WORD": VARIABLE.value + "2"}})
    stack.annotate("kustomization", "good", NAMESPACE, "reconcile.fluxcd.io/requestedAt=now")
    assert deliver(stack, "wrong" + WEBHOOK.value) == 401
    assert deliver(stack, WEBHOOK.value) == 202
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.http_port}/hooks/push",
        data=b"{}",
        headers={"Authorization": f"Bearer {PUSH_TOKEN.value}"},
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=10)
    stack.restart()
    stack.until_applied(NAMESPACE, name="good")


def a_database_that_is_not_there(stack: Stack) -> bytes:
    """What a controller says of a database whose URL has a password."""
    command = [*stack.controller.command]
    command = [part for part in command if not part.startswith(("--database", "--state-dir", "--http-port"))]
    url = f"postgresql://trueup:{DATABASE_PASSWORD.value}@127.0.0.1:1/trueup"
    log_file = stack.folder / "other.log"
    other = Process(
        [*command, f"--database={url}", f"--state-dir={stack.folder}/other", "--http-port=0", "--adopt"],
        log_file,
        stack.controller.environment,
    )
    other.start()
    try:
        until(lambda: "audit entries cannot be stored" in other.log, what="the problem is said")
    finally:
        other.kill()
    return log_file.read_bytes()


class Asked:
    """An API server beside the controller, and everything that it answers its first admin."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._port = free_port()
        self.log_file = stack.folder / "server.log"
        self.answers: list[tuple[str, bytes]] = []
        self.secrets: list[Canary] = []
        self._process = Process(
            [
                *stack.controller.command[:3],
                "server",
                f"--kubeconfig={stack.kubeconfig}",
                f"--state-dir={stack.folder}/server",
                "--host=127.0.0.1",
                f"--port={self._port}",
                "--insecure",
                f"--database=sqlite:///{stack.database}",
                "--log-level=debug",
            ],
            self.log_file,
            {},
        )

    def work(self) -> None:
        self._process.start()
        try:
            until(lambda: self._ask("GET", "/api/version")[0] == 200, what=f"the server answers: {self._process.log}")
            found = self._stack.api.get("secret", "trueup-initial-admin-secret", "argocd")
            assert found is not None
            password = base64.b64decode(found["data"]["password"]).decode()
            self._ask("POST", "/api/v1/session", {"username": "admin", "password": "wrong" + password})
            status, body = self._ask("POST", "/api/v1/session", {"username": "admin", "password": password}, keep=False)
            assert status == 200, body
            token = json.loads(body)["token"]
            self.secrets = [
                Canary(name="admin-password", value=password, may_be=(f"{LIVE}Secret/",)),
                Canary(name="session-token", value=token, may_be=("never",)),
            ]
            _, document = self._ask("GET", "/api/trueup/v1/openapi.json", token=token)
            assert b"paths" in document, self._process.log[-3000:]
            for path, methods in sorted(json.loads(document)["paths"].items()):
                if "get" in methods:
                    self._walk(path, token)
            self._ask("POST", f"/api/trueup/v1/apps/Kustomization/{NAMESPACE}/good/sync", {}, token=token, key="sync")
            # Told once: the database remembers that it was made, and a repeat does not get it either.
            tokens = "/api/trueup/v1/accounts/admin/tokens"
            may = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"accounts.admin": "apiKey, login"}}
            labels = {"app.kubernetes.io/part-of": "argocd"}
            self._stack.apply(may | {"metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": labels}})

            keys = (f"token-{number}" for number in itertools.count())

            def made() -> tuple[str, bytes] | None:
                key = next(keys)
                status, body = self._ask("POST", tokens, {}, token=token, key=key, keep=False)
                return (key, body) if status == 201 else None

            key, body = until(made, what="the server knows that admin may have tokens") or ("", b"")
            self.secrets.append(Canary(name="made-token", value=json.loads(body)["token"], may_be=("never",)))
            assert b"AnswerNotKept" in self._ask("POST", tokens, {}, token=token, key=key)[1]
        finally:
            self._process.stop()

    def _walk(self, path: str, token: str) -> None:
        """The path with every object that a canary is in or about."""
        rows = [
            {
                "kind": kind,
                "namespace": NAMESPACE,
                "name": name,
                "appKind": app,
                "appNamespace": NAMESPACE,
                "appName": owner,
            }
            for app, owner, kind, name in (
                ("Kustomization", "good", "Secret", "declared"),
                ("Kustomization", "good", "ConfigMap", "greeting"),
                ("HelmRelease", "web", "Secret", "of-chart"),
                ("Kustomization", "good", "Kustomization", "good"),
                ("HelmRelease", "web", "HelmRelease", "web"),
                ("Kustomization", "refused", "GitRepository", "inurl"),
            )
        ]
        fixed = {"group": "core", "version": "v1", "project": "default", "role": "x", "resource": "applications"}
        for row in rows:
            asked = re.sub(r"\{(\w+)[^}]*\}", lambda found: {**fixed, **row}.get(found[1], "x"), path)  # noqa: B023
            if path.endswith("/object"):
                asked += f"?group=&kind={row['kind']}&namespace={NAMESPACE}&name={row['name']}"
            self._ask("GET", asked, token=token)

    def _ask(
        self, method: str, path: str, body: Any = None, token: str = "", *, key: str = "", keep: bool = True
    ) -> tuple[int, bytes]:
        """Of a stream what comes in a second."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        headers |= {"Idempotency-Key": key} if key else {}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, headers, method=method)
        status, read = 0, b""
        try:
            with urllib.request.urlopen(request, timeout=1) as answer:
                status = answer.status
                while piece := answer.read1():
                    read += piece
        except urllib.error.HTTPError as error:
            status, read = error.code, error.read()
        except OSError:
            pass  # a stream has no end, and a server that starts no answer yet
        if keep:
            self.answers.append((f"api {method} {path} {status}", read))
        return status, read


def places_of(stack: Stack) -> list[places.Place]:
    """Everything that is searched. Whatever else leaves a process one day is added here."""

    def objects() -> Iterator[dict[str, Any]]:
        kinds = (
            "events,configmaps,secrets,kustomizations,gitrepositories,helmreleases,helmcharts,applications,appprojects"
        )
        for kind in kinds.split(","):
            yield from json.loads(stack.kubectl("get", kind, "-A", "-o", "json"))["items"]

    def command(*arguments: str) -> places.Place:
        def run() -> bytes:
            done = subprocess.run(
                [sys.executable, "-m", "trueup.cli.main", *arguments],
                env={**os.environ, "KUBECONFIG": str(stack.kubeconfig), "TRUEUP_HOME": str(stack.folder / "home")},
                capture_output=True,
                check=False,
                timeout=30,
            )
            return done.stdout + done.stderr

        return places.text(f"trueup {' '.join(arguments)}", run)

    base = f"--database=sqlite:///{stack.database}"
    apps = ("good", "refused", "variable", "web")
    return [
        places.folder("state", stack.folder / "state"),
        places.folder("other", stack.folder / "other"),
        places.database("records", stack.database),
        places.text("controller.log", stack.controller.log_file.read_bytes),
        places.text("other.log", lambda: (stack.folder / "other.log").read_bytes()),
        places.cluster("cluster", objects),
        command("audit", "export", base),
        command("audit", "export", "--format=cef", base),
        command("get", "apps", "-A"),
        *(command("describe", f"{NAMESPACE}/{name}", base) for name in apps),
        *(command("history", f"{NAMESPACE}/{name}", "--changes", base) for name in apps),
        *(command("diff", f"{NAMESPACE}/{name}") for name in apps),
    ]


def test_no_canary_leaves_its_cage(aviary: Stack) -> None:
    metrics: list[str] = []
    aviary_places = places_of(aviary)
    work_and_listen(aviary, metrics)
    a_database_that_is_not_there(aviary)
    asked = Asked(aviary)
    asked.work()
    statuses = [label.rsplit(" ", 1)[1] for label, _ in asked.answers]
    assert "500" not in statuses, [label for label, _ in asked.answers]
    assert statuses.count("200") > 20, statuses
    for name in ("declared", "of-chart"):
        assert any(label.endswith(f"name={name} 200") for label, _ in asked.answers), f"the Secret {name} was not seen"
    aviary_places += [
        places.text("metrics", lambda: "\n".join(metrics)),
        places.text("server.log", asked.log_file.read_bytes),
        places.folder("server", aviary.folder / "server"),
        lambda: iter(asked.answers),
    ]
    labels, found = 0, []
    for place in aviary_places:
        for label, data in place():
            labels += 1
            found += list(escaped(ALL + asked.secrets, label, data))
    assert not found, "\n".join(found)
    assert labels > 200, "the places were not all there"
    secrets = [label for place in aviary_places[:1] for label, data in place() if DECLARED.value.encode() in data]
    assert secrets, "the search does not even find what Git's mirror holds"


def work_and_listen(stack: Stack, metrics: list[str]) -> None:
    original = stack.restart

    def restart() -> None:
        metrics.append(stack.get_http("/metrics")[1])
        original()

    stack.restart = restart  # type: ignore[method-assign]
    work(stack)
