"""What the tests of the command line share: running a command in this process, and resources to look at."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from trueup.cli import console
from trueup.cli.main import main

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COMMIT = "1a2b3c4d5e6f70819293a4b5c6d7e8f901234567"
OTHER = "fedcba98765432100123456789abcdef01234567"
BEFORE = "aaaabbbbccccddddeeeeffff0000111122223333"


class Ran(Struct, frozen=True):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: bytes = b"", capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: Any) -> Ran:
    """One command, as from a shell whose output is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    for name in ("out", "err"):
        monkeypatch.setattr(getattr(console, name), "_width", 200, raising=False)
    code = 0
    try:
        main(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    out, err = capsysbinary.readouterr()
    return Ran(code, out.decode(), err.decode())


def plain(lines: list[Text]) -> str:
    """The lines as a pipe gets them."""
    buffer = io.StringIO()
    paper = Console(file=buffer, width=400, soft_wrap=True, highlight=False, color_system=None)
    for line in lines:
        paper.print(line)
    return buffer.getvalue()


def kustomization(name: str = "web", namespace: str = "shop", **parts: Any) -> dict[str, Any]:
    """A Kustomization that is ready at COMMIT; `status`, `spec`, `annotations`, `metadata` go on top."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "generation": 1,
        "creationTimestamp": "2026-11-23T10:00:00Z",
        "annotations": parts.get("annotations", {}),
        **parts.get("metadata", {}),
    }
    revision = f"main@sha1:{COMMIT}"
    status = {
        "observedGeneration": 1,
        "conditions": [condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}")],
        "lastAppliedRevision": revision,
        "lastAttemptedRevision": revision,
    }
    spec = {
        "interval": "10m",
        "path": "./apps/web",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": "shop"},
    }
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": metadata,
        "spec": spec | parts.get("spec", {}),
        "status": status | parts.get("status", {}),
    }


def application(name: str = "guestbook", namespace: str = "argocd", **parts: Any) -> dict[str, Any]:
    """An Application that is synced at COMMIT and healthy."""
    status = {
        "sync": {"status": "Synced", "revision": COMMIT},
        "health": {"status": "Healthy"},
        "operationState": {
            "phase": "Succeeded",
            "message": "successfully synced (all tasks run)",
            "operation": {"sync": {}},
            "startedAt": "2026-11-23T10:59:00Z",
        },
        "history": [{"id": 1, "revision": COMMIT, "deployedAt": "2026-11-23T11:00:00Z"}],
    }
    spec = {
        "project": "default",
        "source": {"repoURL": "https://git.example.com/apps.git", "path": "guestbook", "targetRevision": "HEAD"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "guestbook"},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "annotations": parts.get("annotations", {}),
            **parts.get("metadata", {}),
        },
        "spec": spec | parts.get("spec", {}),
        "status": status | parts.get("status", {}),
        **parts.get("more", {}),
    }


def condition(type_: str, status: str, reason: str, message: str = "", generation: int = 1) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-11-23T11:00:00Z",
    }
