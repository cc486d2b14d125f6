"""The pipe as engines/PROTOCOL.md tells it, spoken by hand to the real binary."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


class Pipe:
    """One engine process and its frames."""

    def __init__(self, binary: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(binary), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        assert self.process.stdin is not None
        text = json.dumps(header).encode()
        self.process.stdin.write(struct.pack(">II", len(text), len(blob)) + text + blob)
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        header, blob = struct.unpack(">II", self.process.stdout.read(8))
        message: dict[str, Any] = json.loads(self.process.stdout.read(header))
        self.process.stdout.read(blob)
        return message


@pytest.fixture
def pipe(binary: Path) -> Iterator[Pipe]:
    pipe = Pipe(binary)
    yield pipe
    pipe.close()


def absent(path: str) -> dict[str, Any]:
    return {"path": path, "is": "absent", "at": path}


def test_an_engine_says_hello_first(pipe: Pipe) -> None:
    hello = pipe.receive()

    assert (hello["type"], hello["protocol"], hello["engine"]) == ("hello", 1, "kustomize")
    assert hello["version"].startswith("v0.")


def test_an_engine_asks_for_each_path_once_and_tells_what_it_looked_at(pipe: Pipe) -> None:
    pipe.receive()
    pipe.send({"type": "request", "id": 1, "kind": "build", "params": {"path": "app"}})
    files = {
        "app": ({"is": "directory", "at": "app"}, b""),
        "app/kustomization.yaml": ({"is": "file", "at": "app/kustomization.yaml"}, b"resources: [a.yaml]\n"),
        "app/a.yaml": ({"is": "file", "at": "app/a.yaml"}, CONFIG),
    }
    asked = []
    while (message := pipe.receive())["type"] == "look":
        asked.append(message["path"])
        found, data = files.get(message["path"], (absent(message["path"]), b""))
        pipe.send({"type": "found", "id": 1, "files": [{**found, "path": message["path"], "size": len(data)}]}, data)

    assert len(asked) == len(set(asked))
    assert sorted(look["path"] for look in message["looked"]) == sorted(asked)
    assert [one["object"]["metadata"]["name"] for one in message["result"]["objects"]] == ["a"]
    assert (message["result"]["objects"][0]["path"], message["result"]["objects"][0]["line"]) == ("app/a.yaml", 1)


def test_files_sent_along_are_not_asked_for_and_count_only_when_used(pipe: Pipe) -> None:
    pipe.receive()
    blob = b"resources: [a.yaml]\n" + CONFIG + b"unused"
    pipe.send(
        {
            "type": "request",
            "id": 1,
            "kind": "build",
            "params": {"path": ""},
            "files": [
                {"path": "", "is": "directory", "at": ""},
                {"path": "kustomization.yaml", "is": "file", "at": "kustomization.yaml", "size": 20},
                {"path": "a.yaml", "is": "file", "at": "a.yaml", "size": len(CONFIG)},
                {"path": "unused.yaml", "is": "file", "at": "unused.yaml", "size": 6},
                absent("kustomization.yml"),
                absent("Kustomization"),
            ],
        },
        blob,
    )

    answer = pipe.receive()

    assert answer["type"] == "answer"
    assert {look["path"] for look in answer["looked"]} == {
        "",
        "kustomization.yaml",
        "kustomization.yml",
        "Kustomization",
        "a.yaml",
    }


def test_an_unknown_kind_of_request_is_refused_and_the_engine_goes_on(pipe: Pipe) -> None:
    pipe.receive()
    pipe.send({"type": "request", "id": 1, "kind": "dance", "params": {}})
    assert pipe.receive()["error"]["code"] == "UnknownRequest"

    pipe.send({"type": "request", "id": 2, "kind": "parse", "params": {"texts": ["a: 1", "a: ["]}})
    answer = pipe.receive()

    assert answer["result"]["objects"][0]["object"] == {"a": 1}
    assert answer["result"]["objects"][1]["error"]["line"] == 1


def test_an_engine_ends_with_its_input(pipe: Pipe) -> None:
    pipe.receive()
    assert pipe.process.stdin is not None
    pipe.process.stdin.close()

    assert pipe.process.wait(timeout=10) == 0


def test_a_build_that_changes_the_schema_asks_for_a_fresh_process(pipe: Pipe) -> None:
    pipe.receive()
    text = b"resources: [a.yaml]\ncrds: [crd.json]\n"
    pipe.send(
        {
            "type": "request",
            "id": 1,
            "kind": "build",
            "params": {"path": ""},
            "files": [
                {"path": "", "is": "directory", "at": ""},
                {"path": "kustomization.yaml", "is": "file", "at": "kustomization.yaml", "size": len(text)},
                {"path": "a.yaml", "is": "file", "at": "a.yaml", "size": len(CONFIG)},
                {"path": "crd.json", "is": "file", "at": "crd.json", "size": 2},
                absent("kustomization.yml"),
                absent("Kustomization"),
            ],
        },
        text + CONFIG + b"{}",
    )

    answer = pipe.receive()

    assert answer.get("error") is None
    assert answer["retire"] is True


def test_a_frame_that_is_too_large_ends_the_conversation(pipe: Pipe) -> None:
    pipe.receive()
    assert pipe.process.stdin is not None
    pipe.process.stdin.write(struct.pack(">II", 0xFFFFFFFF, 0))
    pipe.process.stdin.flush()

    assert pipe.process.wait(timeout=10) == 1


def test_the_environment_does_not_reach_a_generator(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    pipe = Pipe(binary)
    pipe.receive()
    text = b"configMapGenerator:\n- name: x\n  envs: [vars.env]\n"
    env = b"TOKEN\nHOME\nPLAIN=1\n"
    pipe.send(
        {
            "type": "request",
            "id": 1,
            "kind": "build",
            "params": {"path": ""},
            "files": [
                {"path": "", "is": "directory", "at": ""},
                {"path": "kustomization.yaml", "is": "file", "at": "kustomization.yaml", "size": len(text)},
                {"path": "vars.env", "is": "file", "at": "vars.env", "size": len(env)},
                absent("kustomization.yml"),
                absent("Kustomization"),
            ],
        },
        text + env,
    )

    answer = pipe.receive()
    pipe.close()

    assert answer["result"]["objects"][0]["object"]["data"] == {"TOKEN": "", "HOME": "", "PLAIN": "1"}


def test_an_engine_ends_when_its_parent_is_killed_though_its_input_stays_open(binary: Path) -> None:
    reader, writer = os.pipe()
    script = "import os, subprocess, sys; command = [sys.argv[1], '-parent', str(os.getpid())]"
    script += "; p = subprocess.Popen(command, stdin=int(sys.argv[2]), stdout=subprocess.DEVNULL)"
    script += "; print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(binary), str(reader)], stdout=subprocess.PIPE, pass_fds=(reader,)
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        assert is_alive(pid)
        parent.kill()
        parent.wait()

        deadline = time.monotonic() + 10
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_alive(pid)
    finally:
        parent.stdout.close()
        os.close(reader)
        os.close(writer)


def is_alive(pid: int) -> bool:
    """False also for a process that ended and that nobody has waited for."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return sys.platform != "linux"
