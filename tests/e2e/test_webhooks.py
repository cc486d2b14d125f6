"""A forge's webhook, end to end: signed, it brings a commit at once that polling would bring in ten minutes; forged, nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.e2e.stack import Repository, Stack, until

SECRET = "sesame"


def deliver(stack: Stack, url: str, ref: str, *, secret: str = SECRET, identity: str) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"ref": ref, "repository": {"clone_url": url, "default_branch": "main"}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.http_port}/api/webhook",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": identity,
            "X-Hub-Signature-256": f"sha256={signature}",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def push_unnoticed(stack: Stack, repository: Repository, name: str, files: dict[str, str | bytes | None]) -> None:
    """Into the repository's folder, so that its server notices nothing and tells nobody."""
    repository.write(files)
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "unnoticed")
    repository.git("push", "-q", str(stack.folder / "git" / f"{name}.git"), "HEAD:main")


def colour(value: str) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": value}}
    )


def colour_of(stack: Stack, namespace: str) -> str:
    live = stack.get("configmap", "settings", namespace)
    return live["data"]["colour"] if live else ""


def test_a_signed_delivery_brings_the_commit_and_no_other_one_does(stack: Stack, namespace: str) -> None:
    stack.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", "namespace": "argocd"},
            "stringData": {"webhook.github.secret": SECRET},
        }
    )
    repository = stack.repository(namespace, {"settings.yaml": colour("blue")})
    stack.kustomization(namespace, repository.url)
    until(lambda: colour_of(stack, namespace) == "blue", what="first sync")
    push_unnoticed(stack, repository, namespace, {"settings.yaml": colour("red")})

    def told(ref: str, **how: str) -> tuple[int, int]:
        status, answer = deliver(stack, repository.url, ref, **{"identity": f"{namespace}-{ref}", **how})
        return status, answer.get("sources", 0)

    assert told("refs/heads/main", secret="open") == (401, 0)
    assert told("refs/heads/other") == (202, 0), "nobody follows that branch"
    assert colour_of(stack, namespace) == "blue"
    assert told("refs/heads/main") == (202, 1)
    until(lambda: colour_of(stack, namespace) == "red", within=10, what="the commit that was told of")
    assert told("refs/heads/main") == (409, 0), "the same delivery again"
    # Even who knows the secret has the controller call no place of their own choice: only what sources name is fetched.
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(1.0)
        address = f"127.0.0.1:{place.getsockname()[1]}"
        for number, url in enumerate(
            (f"http://{address}/app.git", f"http://{address}@127.0.0.1/x", "http://169.254.169.254/x")
        ):
            status, answer = deliver(stack, url, "refs/heads/main", identity=f"{namespace}-elsewhere-{number}")
            assert (status, answer.get("sources", 0)) in ((202, 0), (400, 0)), url
        with pytest.raises(TimeoutError):
            place.accept()
