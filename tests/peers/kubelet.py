"""What simulated nodes of a real control plane serve, as kubelets do: containers' logs, and ports of pods.

kwok plays the kubelet, and kube-apiserver reaches it on this machine. Logs are files in the format of the container runtime
interface; a forwarded port leads to a server of the test's own. Pure but for `write`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

CONFIG = "kubelet.yaml"
Lines = Sequence[tuple[str, str]]
"""Time (RFC 3339) and text of each."""


class ContainerLog(msgspec.Struct, frozen=True):
    """The logs of all containers of this name: of the instance that runs, and of the one before."""

    lines: Lines
    previous: Lines = ()


class Kubelet(msgspec.Struct, frozen=True):
    """What is served for the pods of these namespaces."""

    namespaces: Sequence[str]
    logs: Mapping[str, ContainerLog] = {}
    """By the container's name."""
    ports: Mapping[int, int] = {}
    """A pod's port -> the port of 127.0.0.1 behind it; no other port leads anywhere."""

    def write(self, folder: Path) -> Path:
        """The configuration for kwok, with its log files, in this folder."""
        logs = []
        for name, log in self.logs.items():
            files = {"logsFile": log.lines, "previousLogsFile": log.previous}
            for key, lines in files.items():
                (folder / f"{name}-{key}").write_text(_in_runtime_format(lines), encoding="utf-8")
            logs.append({"containers": [name], **{key: str(folder / f"{name}-{key}") for key in files}})
        forwards = [
            {"ports": [port], "target": {"address": "127.0.0.1", "port": local}} for port, local in self.ports.items()
        ]
        path = folder / CONFIG
        path.write_text(
            yaml.safe_dump_all(
                [self._rule("ClusterLogs", {"logs": logs}), self._rule("ClusterPortForward", {"forwards": forwards})]
            ),
            encoding="utf-8",
        )
        return path

    def _rule(self, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": "all"},
            "spec": {"selector": {"matchNamespaces": list(self.namespaces)}, **spec},
        }


def _in_runtime_format(lines: Lines) -> str:
    # https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
    return "".join(f"{time} stdout F {text}\n" for time, text in lines)
