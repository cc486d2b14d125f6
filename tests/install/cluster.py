"""A cluster to install into: the real `trueup` and kubectl as processes, and kubeconfigs of ServiceAccounts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.peers.kubectl import Kubectl


class Cluster:
    def __init__(self, kubeconfig: Path, kubectl: Kubectl, folder: Path) -> None:
        self.kubeconfig = Path(kubeconfig)
        self.folder = folder
        self.run_kubectl = kubectl

    def trueup(self, *arguments: str, code: int = 0, kubeconfig: Path | None = None) -> tuple[str, str]:
        """Standard output and error of the command, which must end with this code."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KUBECONFIG", "TRUEUP_"))}
        done = subprocess.run(
            [sys.executable, "-m", "trueup.cli.main", *arguments, "--kubeconfig", str(kubeconfig or self.kubeconfig)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env=environment | {"TRUEUP_HOME": str(self.folder / "home"), "TERM": "dumb", "COLUMNS": "200"},
            check=False,
        )
        assert done.returncode == code, f"{done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.run_kubectl(self.kubeconfig, *arguments, input=stdin).check().stdout

    def apply(self, *manifests: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        where = ["-n", namespace] if namespace else []
        done = self.run_kubectl(self.kubeconfig, "get", kind, name, *where, "-o", "json", "--ignore-not-found")
        if done.returncode != 0 and "the server doesn't have a resource type" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """A kubeconfig with the token of a ServiceAccount, as a pod has it."""
        token = self.kubectl("create", "token", account, "-n", namespace).strip()
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"] = [{"name": account, "user": {"token": token}}]
        for context in config["contexts"]:
            context["context"]["user"] = account
        path = self.folder / f"{account}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path


def workload(kind: str, name: str, namespace: str, labels: dict[str, str], replicas: int = 1) -> dict[str, Any]:
    """A Deployment or StatefulSet that looks like somebody's controller."""
    selector = {"app": name}
    container = {"name": "manager", "image": "registry.example/controller:v1"}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": selector},
        "template": {"metadata": {"labels": selector}, "spec": {"containers": [container]}},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
