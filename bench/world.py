"""The world of a measurement: N apps in one repository, a real control plane, a Git server, a controller process.

One app = ServiceAccount, Service, Deployment with zero replicas, Ingress; one directory and one Kustomization per app.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.peers.controlplane import ControlPlane
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.dialects.registry import crds
from trueup.embedded.gitserver.server import GitServer
from trueup.model.manifest import Manifest

NAMESPACE = "apps"


def app_objects(number: int, namespace: str = NAMESPACE, image: str = "nginx:1.27") -> list[Manifest]:
    """The four objects of one app."""
    name = f"app-{number:05d}"
    metadata = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"serviceAccountName": name, "containers": [{"name": "web", "image": image}]},
                },
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": {"rules": [{"host": f"{name}.example.com", "http": {"paths": [_path(name)]}}]},
        },
    ]


def _path(name: str) -> dict[str, Any]:
    return {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}


def write_repository(folder: Path, apps: int) -> None:
    """`apps/app-00000/app.yaml` and so on."""
    import yaml

    for number in range(apps):
        place = folder / "apps" / f"app-{number:05d}"
        place.mkdir(parents=True)
        (place / "app.yaml").write_text("---\n".join(yaml.safe_dump(obj) for obj in app_objects(number)))


def app_resources(url: str, apps: int) -> list[Manifest]:
    """One GitRepository and the Kustomizations."""
    return [source("repo", url), *(_app(f"app-{number:05d}", "repo") for number in range(apps))]


def own_resources(url_of: Callable[[str], str], apps: int) -> list[Manifest]:
    """A GitRepository for each Kustomization."""
    names = [f"app-{number:05d}" for number in range(apps)]
    sources = [source(name, url_of(name)) for name in names]
    return [*sources, *(_app(name, name) for name in names)]


def source(name: str, url: str) -> Manifest:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"url": url, "interval": "10m", "ref": {"branch": "main"}},
    }


def _app(name: str, origin: str) -> Manifest:
    return kustomization(name, origin, f"apps/{name}")


def kustomization(name: str, origin: str, path: str) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "interval": "10m",
            "path": f"./{path}",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": origin},
        },
    }


class ControllerProcess:
    """`trueup run` as users run it; its CPU and memory are read from the system, engines and git included."""

    def __init__(self, kubeconfig: Path, state: Path, log: Path) -> None:
        self.port = _free_port()
        self._command = [
            sys.executable, "-m", "trueup.cli.main", "run", f"--kubeconfig={kubeconfig}", f"--state-dir={state}",
            "--http-host=127.0.0.1", f"--http-port={self.port}", "--allow-local-git", f"--database=sqlite:///{state}/records.db",
        ]  # fmt: skip
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            environment = os.environ | {"TRUEUP_PUSH_TOKEN": "bench"}
            self.process = subprocess.Popen(self._command, stdout=output, stderr=output, env=environment)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def is_ready(self) -> bool:
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True

    def push(self, url: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/hooks/push",
            data=f'{{"url": "{url}"}}'.encode(),
            headers={"Authorization": "Bearer bench"},
        )
        urllib.request.urlopen(request, timeout=5).read()

    def metric(self, name: str) -> float:
        return sum(float(line.rsplit(" ", 1)[1]) for line in self._rows(name))

    def requests(self) -> dict[str, int]:
        """The controller's own requests by verb, watches left out."""
        counts: dict[str, int] = {}
        for line in self._rows("trueup_kubernetes_requests_total"):
            verb = line.split('verb="')[1].split('"')[0]
            if verb != "watch" and "leases" not in line:
                counts[verb] = counts.get(verb, 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts

    def _rows(self, name: str) -> list[str]:
        return [
            line
            for line in self.get("/metrics").splitlines()
            if line.startswith(name + "{") or line.startswith(name + " ")
        ]

    def cpu_seconds(self) -> float:
        """User and system time of the process, its living children, and the children it has waited for."""
        ticks = os.sysconf("SC_CLK_TCK")
        assert self.process is not None
        own = _stat(self.process.pid)
        total = sum(int(own[field]) for field in (11, 12, 13, 14))
        total += sum(int(stat[11]) + int(stat[12]) for stat in map(_stat, _children(self.process.pid)))
        return total / ticks

    def memory_mib(self) -> float:
        """Peak resident memory of the process and of its living engines."""
        assert self.process is not None
        return sum(_peak_kib(pid) for pid in (self.process.pid, *_children(self.process.pid))) / 1024


class World:
    """Started once per measurement of N apps; `folder` is thrown away afterwards."""

    def __init__(
        self,
        folder: Path,
        apps: int,
        *,
        own_repositories: bool = False,
        write: Callable[[Path, int], None] = write_repository,
        resources: Callable[[str, int], list[Manifest]] = app_resources,
    ) -> None:
        self._write, self._resources = write, resources
        self.folder = folder
        self.apps = apps
        self.own_repositories = own_repositories
        self.control_plane = ControlPlane()
        (folder / "git").mkdir()
        self.git = GitServer(folder / "git")
        self.url = ""
        self.controller: ControllerProcess

    async def start(self) -> None:
        seed = self.folder / "seed"
        await asyncio.to_thread(self._write, seed, self.apps)
        await self.control_plane.start()
        await self.git.start()
        await self.git.create_repository("repo", seed)
        self.url = self.git.url("repo")
        resources = self._resources(self.url, self.apps)
        if self.own_repositories:
            for number in range(self.apps):
                place = self.folder / "seeds" / str(number)
                app = f"apps/app-{number:05d}"
                await asyncio.to_thread(shutil.copytree, seed / app, place / app)
                await self.git.create_repository(f"app-{number:05d}", place)
            resources = own_resources(self.git.url, self.apps)
        kubeconfig = Path(self.control_plane.kubeconfig)
        self.controller = ControllerProcess(kubeconfig, self.folder / "state", self.folder / "controller.log")
        (self.folder / "state").mkdir()
        async with KubeClient(load_config(kubeconfig)) as client:
            for name in ("trueup-system", "argocd", NAMESPACE, "floor"):
                await client.apply(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="bench"
                )
            for crd in crds():
                await client.apply(crd, manager="bench")
            await self._served(client)
            await apply_many(client, resources)

    async def stop(self) -> None:
        if hasattr(self, "controller"):
            await asyncio.to_thread(self.controller.stop)
        await self.git.stop()
        await self.control_plane.stop()

    async def _served(self, client: KubeClient) -> None:
        kinds = (("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"), ("argoproj.io", "v1alpha1", "Application"))
        while True:
            catalog = await client.discovery.refresh()
            if all(catalog.find(*kind) is not None for kind in kinds):
                return
            await asyncio.sleep(0.1)  # the API server says no more than this


async def apply_many(client: KubeClient, manifests: list[Manifest], in_flight: int = 32) -> None:
    """A loop of server-side applies, so many in flight."""
    waiting: Iterator[Manifest] = iter(manifests)

    async def worker() -> None:
        for manifest in waiting:
            await client.apply(manifest, manager="bench")

    await asyncio.gather(*(worker() for _ in range(in_flight)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; 11 to 14 are utime, stime, cutime, cstime."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 50


def _children(pid: int) -> list[int]:
    """Of all its threads: engines are begun by threads of their own."""
    try:
        lists = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(text) for each in lists for text in each.split()]


def _peak_kib(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("VmHWM")), 0)
