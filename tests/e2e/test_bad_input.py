"""Whatever is wrong in Git: said on the resource with file and line, nothing half applied in silence, and the next good
commit proceeds. Each case is a folder and an App of its own; they wait together."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Repository, Stack, git_repository, kustomization, until
from tests.peers.certs import Authority

GOOD = config("good")
BOMB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\ndata:\n" + "".join(
    f"  k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(10)
)


class Case(Struct, frozen=True):
    """`files` besides a good object; what the message says; whether the good object is applied all the same."""

    files: dict[str, str | bytes | None]
    says: tuple[str, ...]
    reason: str = "BuildFailed"
    applies_the_rest: bool = False
    path: str = ""
    whole: bool = False
    """The files are all there is."""


CASES = {
    "missing-path": Case({}, ("there-is-none",), path="./there-is-none"),
    "escaping-path": Case({}, ("../../etc", "outside the repository"), path="../../etc"),
    "syntax-error": Case({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\ndata: {}\n"}, ("bad.yaml:2",)),
    "duplicate-key": Case(
        {"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {}\nkind: Secret\n"},
        ("bad.yaml:5", "kind"),
    ),
    "tab": Case({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n"}, ("bad.yaml:4", "tab")),
    "not-utf8": Case({"bad.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \xff\xfe}\n"}, ("bad.yaml", "UTF-8")),
    "bomb": Case({"bad.yaml": BOMB}, ("bad.yaml",)),
    "no-kind": Case({"bad.yaml": "apiVersion: v1\nmetadata: {name: a}\n"}, ("bad.yaml", "kind")),
    "no-name": Case({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: {}\n"}, ("bad.yaml", "name")),
    "not-an-object": Case({"bad.yaml": "- just\n- words\n"}, ("bad.yaml",)),
    "twice": Case({"one.yaml": config("same"), "two.yaml": config("same", colour="red")}, ("one.yaml", "two.yaml", "same")),
    "broken-kustomization": Case(
        {"kustomization.yaml": "resources: [not-there.yaml]\n"}, ("not-there.yaml",)
    ),
    "remote-base": Case(
        {"kustomization.yaml": "resources: ['https://nowhere.invalid/podinfo.git//kustomize']\n"},
        ("nowhere.invalid/podinfo.git", "remote-base/kustomization.yaml:1"),
        reason="Unreachable",
    ),
    "base-outside": Case({"kustomization.yaml": "resources: [../../../etc]\n"}, ("../../../etc",)),
    "wrong-type": Case(
        {"bad.yaml": deployment().replace("replicas: 1", "replicas: many")},
        ("bad.yaml", "Deployment/", "spec.replicas"),
        reason="ReconciliationFailed",
        applies_the_rest=True,
    ),
    "unknown-field": Case(
        {"bad.yaml": deployment().replace("replicas: 1", "replics: 1")},
        ("bad.yaml", "spec.replics", "no such field"),
        reason="ReconciliationFailed",
        applies_the_rest=True,
    ),
    "bad-name": Case(
        {"bad.yaml": config("Bad_Name")}, ("bad.yaml", "Bad_Name"), reason="ReconciliationFailed", applies_the_rest=True
    ),
    "unknown-kind": Case(
        {"bad.yaml": manifest("nobody.example.com/v1", "Thing", "a")},
        ("bad.yaml", "nobody.example.com/v1", "Thing"),
        reason="ReconciliationFailed",
        applies_the_rest=True,
    ),
    "unknown-version": Case(
        {"bad.yaml": manifest("autoscaling/v1beta7", "HorizontalPodAutoscaler", "a", spec={})},
        ("bad.yaml", "autoscaling/v1beta7", "autoscaling/v2"),
        reason="ReconciliationFailed",
        applies_the_rest=True,
    ),
}  # fmt: skip


def test_every_broken_folder_says_what_is_wrong_and_where(stack: Stack, namespace: str) -> None:
    files: dict[str, str | bytes | None] = {}
    for name, case in CASES.items():
        files[f"{name}/good.yaml"] = GOOD.replace("good", f"good-{name}")
        files |= {f"{name}/{file}": content for file, content in case.files.items()}
    repo = stack.repository(namespace, files)
    apps = [kustomization(namespace, case.path or f"./{name}", name=name) for name, case in CASES.items()]
    stack.apply(git_repository(namespace, repo.url), *apps)
    problems: list[str] = []
    for name, case in CASES.items():
        try:
            row = stack.until_failed(namespace, name=name, within=40)
        except AssertionError as error:
            problems.append(f"{name}: {error}")
            continue
        missing = [text for text in case.says if text.lower() not in row["message"].lower()]
        if missing:
            problems.append(f"{name}: does not say {missing}: {row['message']}")
        if row["reason"] != case.reason:
            problems.append(f"{name}: reason {row['reason']}: {row['message']}")
        there = stack.get("configmap", f"good-{name}", namespace) is not None
        if there != case.applies_the_rest:
            problems.append(f"{name}: the good object is {'there' if there else 'missing'}")
    assert not problems, "\n".join(problems)

    mended: dict[str, str | bytes | None] = {}
    for name, case in CASES.items():
        mended |= {f"{name}/{file}": None for file in case.files}
    commit = repo.push(mended)
    for name, case in CASES.items():
        if not case.path:
            stack.until_applied(namespace, commit, name, within=60)


def test_a_symlink_that_leads_outside_is_refused(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    Path(repo.folder / "passwd.yaml").symlink_to("/etc/passwd")
    commit = repo.push({})
    stack.until_failed(namespace, "passwd.yaml", commit=commit)
    commit = repo.push({"passwd.yaml": None})
    stack.until_applied(namespace, commit)


@pytest.mark.slow
def test_a_file_of_a_hundred_megabytes_is_refused_quickly(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    commit = repo.push({"huge.yaml": b"# " + b"x" * 100_000_000 + b"\n"})
    row = stack.until_failed(namespace, "huge.yaml", commit=commit, within=60)
    assert "MiB" in row["message"] or "MB" in row["message"] or "bytes" in row["message"], row
    commit = repo.push({"huge.yaml": None})
    stack.until_applied(namespace, commit, within=60)


def test_a_broken_commit_prunes_nothing(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a"), "b.yaml": config("b")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    commit = repo.push({"a.yaml": None, "b.yaml": "kind: [\n"})
    stack.until_failed(namespace, "b.yaml", commit=commit)
    assert stack.get("configmap", "a", namespace) is not None
    assert stack.inventory(namespace) == {f"{namespace}_a__ConfigMap", f"{namespace}_b__ConfigMap"}
    # nor does an object that cannot be applied let others be deleted
    commit = repo.push({"b.yaml": config("Bad_Name")})
    stack.until_failed(namespace, "Bad_Name", commit=commit)
    assert stack.get("configmap", "a", namespace) is not None
    commit = repo.push({"b.yaml": config("c")})
    stack.until_applied(namespace, commit)
    until(lambda: stack.get("configmap", "a", namespace) is None and stack.get("configmap", "b", namespace) is None)


def test_an_object_stuck_on_a_finalizer_is_waited_for_and_healed_when_it_is_gone(stack: Stack, namespace: str) -> None:
    stuck = manifest("v1", "ConfigMap", {"name": "stuck", "finalizers": ["example.com/hold"]}, data={"a": "b"})
    repo = stack.repository(namespace, {"stuck.yaml": stuck, "settings.yaml": config()})
    stack.kustomization(namespace, repo.url, wait=True, timeout="5m")
    stack.until_applied(namespace)
    uid = stack.get("configmap", "stuck", namespace)["metadata"]["uid"]
    stack.kubectl("delete", "configmap", "stuck", "-n", namespace, "--wait=false")
    until(lambda: stack.get("configmap", "stuck", namespace)["metadata"].get("deletionTimestamp"))
    commit = repo.push({"settings.yaml": config(colour="red")})
    until(lambda: stack.get("configmap", "settings", namespace)["data"] == {"colour": "red"})
    until(lambda: commit in stack.status("kustomization", "app", namespace).get("lastAttemptedRevision", ""))
    stack.merge("configmap", "stuck", namespace, {"metadata": {"finalizers": None}})
    again = until(lambda: (o := stack.get("configmap", "stuck", namespace)) and o["metadata"]["uid"] != uid and o)
    assert again["data"] == {"a": "b"}
    stack.until_applied(namespace, commit)
    stack.merge("configmap", "stuck", namespace, {"metadata": {"finalizers": None}})


# sources


def bare(stack: Stack, name: str) -> str:
    folder = stack.folder / "git" / f"{name}.git"
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    return f"http://127.0.0.1:{stack.git_port}/{name}.git"


def test_every_source_that_cannot_be_had_says_why(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    repo.git("push", "-q", "origin", "HEAD:production")
    empty = bare(stack, f"{namespace}-empty")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong", "namespace": namespace}}
    stack.apply({**secret, "stringData": {"username": "somchai", "password": "not-my-password"}})
    cases: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "unreachable": ({"url": "http://127.0.0.1:1/a.git"}, ("127.0.0.1:1",)),
        "not-git": ({"url": f"http://127.0.0.1:{stack.http_port}/"}, (f"127.0.0.1:{stack.http_port}",)),
        "no-repository": ({"url": f"http://127.0.0.1:{stack.git_port}/nobody/nothing.git"}, ("nothing",)),
        "empty": ({"url": empty}, ("empty",)),
        "missing-branch": ({"url": repo.url, "ref": {"branch": "mian"}}, ("mian", "main", "production")),
        "missing-tag": ({"url": repo.url, "ref": {"tag": "v9"}}, ("v9",)),
        "missing-commit": ({"url": repo.url, "ref": {"commit": "0" * 40}}, ("0" * 40,)),
        "no-version-fits": ({"url": repo.url, "ref": {"semver": ">=9"}}, (">=9",)),
        "missing-secret": ({"url": repo.url, "secretRef": {"name": "not-there"}}, ("Secret/", "not-there")),
        "no-protocol": ({"url": "ext::sh -c touch% /tmp/owned"}, ("ext",)),
    }
    for name, (spec, _) in cases.items():
        obj = git_repository(namespace, **spec)
        obj["metadata"]["name"] = name
        code, text = stack.try_kubectl("apply", "-f", "-", stdin=json.dumps(obj))
        if code != 0:  # refused by the schema, with the reason: as good as a condition
            assert name == "no-protocol", text
    problems = []
    for name, (_, says) in cases.items():
        if stack.get("gitrepository", name, namespace) is None:
            continue
        row = until(lambda n=name: (c := stack.condition("gitrepository", n, namespace)).get("status") == "False" and c)
        missing = [text for text in says if text not in row["message"]]
        if missing:
            problems.append(f"{name}: does not say {missing}: {row}")
        if "not-my-password" in row["message"]:
            problems.append(f"{name}: tells the password")
    assert not problems, "\n".join(problems)
    assert not Path("/tmp/owned").exists()
    # a first commit, or a branch that comes, is all that is needed
    repo.git("push", "-q", "origin", "HEAD:mian")
    until(lambda: stack.condition("gitrepository", "missing-branch", namespace).get("status") == "True", within=20)


def test_an_app_on_a_broken_source_says_so_and_keeps_what_runs(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.apply(kustomization(namespace))
    row = stack.until_failed(namespace, f"GitRepository/{namespace}/repo", "not there")
    assert row["reason"] == "ArtifactFailed"
    stack.apply(git_repository(namespace, repo.url))
    stack.until_applied(namespace)
    stack.merge("gitrepository", "repo", namespace, {"spec": {"ref": {"branch": "gone"}}})
    until(lambda: stack.condition("gitrepository", "repo", namespace)["status"] == "False")
    stack.kubectl("delete", "configmap", "settings", "-n", namespace)
    until(lambda: stack.get("configmap", "settings", namespace), within=10, what="drift is healed all the same")


def test_a_force_push_is_followed(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config(), "more.yaml": config("more")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    repo.git("checkout", "-q", "--orphan", "again")
    repo.write({"more.yaml": None, "settings.yaml": config(colour="red")})
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "another history")
    repo.git("push", "-q", "--force", "origin", "HEAD:main")
    stack.until_applied(namespace, repo.git("rev-parse", "HEAD"))
    assert stack.get("configmap", "settings", namespace)["data"] == {"colour": "red"}
    until(lambda: stack.get("configmap", "more", namespace) is None)


def test_fields_that_are_not_built_yet_stop_a_kustomization(stack: Stack, namespace: str) -> None:
    repo: Repository = stack.repository(namespace, {"settings.yaml": config()})
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "ignore": ({"ignore": [{"paths": ["/spec/replicas"]}]}, "spec.ignore"),
        "decryption": ({"decryption": {"provider": "sops"}}, "spec.decryption"),
    }
    apps = [kustomization(namespace, name=name, **spec) for name, (spec, _) in cases.items()]
    stack.apply(git_repository(namespace, repo.url), *apps)
    for name, (_, says) in cases.items():
        row = stack.until_failed(namespace, says, name=name)
        assert row["reason"] == "NotBuiltYet"
        assert stack.condition("kustomization", name, namespace, "Stalled")["status"] == "True"
    assert stack.get("configmap", "settings", namespace) is None


def webhook(name: str, namespace: str, url: str, ca: bytes = b"") -> dict[str, Any]:
    """Asked about every ConfigMap of the namespace."""
    client: dict[str, Any] = {"url": url} | ({"caBundle": base64.b64encode(ca).decode()} if ca else {})
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "deny.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "failurePolicy": "Fail",
                "clientConfig": client,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": rules,
            }
        ],
    }


class Denier(http.server.BaseHTTPRequestHandler):
    """Denies what has the colour red."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        red = review["request"]["object"].get("data", {}).get("colour") == "red"
        response = {"uid": review["request"]["uid"], "allowed": not red, "status": {"message": "red is not allowed"}}
        body = json.dumps(
            {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def denier(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The URL of a webhook server, and the authority that vouches for it."""
    authority = Authority()
    certificate, key = authority.server("127.0.0.1").write(folder, "webhook")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denier)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/", authority.keys.certificate
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_a_webhook_that_denies_or_cannot_be_reached_is_named(stack: Stack, namespace: str, tmp_path: Path) -> None:
    name = f"deny-{uuid.uuid4().hex[:8]}"
    repo = stack.repository(namespace, {"red.yaml": config("red", colour="red"), "blue.yaml": config("blue")})
    with denier(tmp_path) as (url, ca):
        stack.apply(webhook(name, namespace, url, ca))
        try:
            stack.kustomization(namespace, repo.url, retryInterval="1s")
            stack.until_failed(namespace, "deny.example.com denied it", "red is not allowed", "red.yaml")
            until(lambda: stack.get("configmap", "blue", namespace))
            assert stack.get("configmap", "red", namespace) is None
            stack.apply(webhook(name, namespace, "https://127.0.0.1:1/"))
            repo.push({"blue.yaml": config("blue", colour="green")})
            stack.until_failed(namespace, "deny.example.com", "blue.yaml", "red.yaml", "is tried again")
        finally:
            stack.kubectl("delete", "validatingwebhookconfiguration", name)
    stack.until_applied(namespace)
    assert stack.get("configmap", "red", namespace) is not None
