"""`trueup sandbox` as people and scripts use it: a process of its own, its exit code, what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers.kubectl import Kubectl

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: not-a-crd}
"""
# What a script does with the KUBECONFIG that it is given, without any other tool: asks for a path, prints the answer.
ASK = """
import asyncio, sys
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
async def ask():
    async with KubeClient(load_config()) as client:
        print((await client.raw("GET", sys.argv[1])).body.decode())
asyncio.run(ask())
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trueup.cli.main", "sandbox", *arguments]


def trueup(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False)


def asked(path: str, *options: str) -> str:
    done = trueup(*options, "--exec", sys.executable, "-c", ASK, path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox that says that it is ready, and what it said."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C stops it." in line:
                break
        yield process, said
    finally:
        process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> str:
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("test -s $KUBECONFIG", 0)]
)
def test_it_ends_with_the_exit_code_of_the_command_that_it_runs(script: str, code: int) -> None:
    assert trueup("--exec", "sh", "-c", script).returncode == code


def test_options_of_the_command_are_the_commands_own() -> None:
    done = trueup("--exec", "echo", "--nodes", "-h", "--")
    assert (done.returncode, done.stdout) == (0, "--nodes -h --\n")


def test_a_command_that_is_not_there_is_an_error_with_a_hint() -> None:
    done = trueup("--exec", "no-such-command")
    assert done.returncode == 1
    assert "there is no command no-such-command" in done.stderr


@pytest.mark.parametrize("arguments", [["--exec"], ["kubectl"], ["--port", "70000"], ["--nodes", "-1"]])
def test_a_wrong_command_line_is_refused_before_anything_starts(arguments: list[str]) -> None:
    assert trueup(*arguments).returncode == 2


def test_there_are_as_many_nodes_as_asked_for() -> None:
    nodes = json.loads(asked("/api/v1/nodes", "--nodes", "3"))["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["trueup-node-1", "trueup-node-2", "trueup-node-3"]


def test_the_crds_of_a_folder_are_served_and_nothing_else_of_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "crd.yaml").write_text(CRD)
    done = trueup("--crds", str(tmp_path), "--exec", sys.executable, "-c", ASK, "/apis/shop.example/v1")
    assert [each["kind"] for each in json.loads(done.stdout)["resources"]] == ["Widget"]
    maps = asked("/api/v1/namespaces/default/configmaps", "--crds", str(tmp_path / "below" / "crd.yaml"))
    assert "not-a-crd" not in maps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", "there is no CustomResourceDefinition"),
        ("kind: CustomResourceDefinition\na: [", "crd.yaml:2"),
    ],
)
def test_crds_that_cannot_be_found_or_read_are_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "crd.yaml").write_text(text)
    done = trueup("--crds", str(tmp_path), "--exec", "true")
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_leaves_nothing(number: signal.Signals) -> None:
    with started() as (process, said):
        kubeconfig = re.search(r"KUBECONFIG=(\S+)", said)
        assert kubeconfig is not None
        folder = Path(kubeconfig[1]).parent
        assert Path(kubeconfig[1]).stat().st_mode & 0o077 == 0
        assert "stopped" in stopped(process, number)
    assert not folder.exists()


def test_a_signal_reaches_the_command_and_its_end_is_told() -> None:
    with subprocess.Popen(
        command("--exec", "sh", "-c", "echo begun; exec sleep 60"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


def test_a_data_folder_keeps_what_was_written_and_the_kubeconfig_stands_where_it_was_asked_for(tmp_path: Path) -> None:
    kept = ["--data-dir", str(tmp_path / "data"), "--kubeconfig", str(tmp_path / "here")]
    (tmp_path / "crd.yaml").write_text(CRD)
    assert (
        trueup(*kept, "--crds", str(tmp_path / "crd.yaml"), "--exec", "test", "-s", str(tmp_path / "here")).returncode
        == 0
    )
    assert "Widget" in asked("/apis/shop.example/v1", *kept)


def test_one_data_folder_is_for_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with started("--data-dir", str(tmp_path)):
        done = trueup("--data-dir", str(tmp_path), "--exec", "true")
        assert done.returncode == 1
        assert f"another sandbox runs in {tmp_path}" in done.stderr
    assert trueup("--data-dir", str(tmp_path), "--exec", "true").returncode == 0, "one that was killed holds nothing"


def test_a_data_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = trueup("--data-dir", str(tmp_path / "file" / "below"), "--exec", "true")
    assert done.returncode == 1
    assert "cannot be used: Not a directory" in done.stderr


def test_a_port_that_is_taken_is_an_error_with_a_hint() -> None:
    with started() as (_, said):
        port = re.search(r"https://127\.0\.0\.1:(\d+)", said)
        assert port is not None
        done = trueup("--port", port[1], "--exec", "true")
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.real
def test_what_it_says_to_try_works(kubectl: Kubectl) -> None:
    with started("--drive-time") as (_, said):
        lines = [line.strip() for line in said.splitlines() if line.startswith("     ")]
        assert len(lines) == 6
        script = "\n".join(["set -e", *lines, "kubectl rollout status deployment/web --timeout=60s"])
        environment = {**os.environ, "PATH": f"{kubectl.program.parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "deployment.apps/web rolled back" in done.stdout
    assert '"advanced":"10m0s"' in done.stdout
    assert 'deployment "web" successfully rolled out' in done.stdout


def test_a_stand_in_that_names_no_local_port_is_refused_before_anything_starts() -> None:
    for wrong in ("shop/web:80", "shop/web:80=192.168.1.1:80"):
        done = trueup("--stand-in", wrong)
        assert done.returncode == 2
        assert "write NAMESPACE/NAME:PORT=LOCAL_PORT" in done.stderr
