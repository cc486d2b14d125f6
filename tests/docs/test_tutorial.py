"""The tutorial as a newcomer types it: every command of it, in one shell, in a home of its own, with a real kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, fences
from tests.e2e.stack import free_row_of_ports
from tests.peers.kubectl import Kubectl

DONE_BY_US = ("make up", ". .venv/bin/activate", "trueup down")
"""Starting and stopping; the test does it in a home and on ports of its own."""


SETTLE = """
settle() {
  for _ in $(seq 300); do
    test "$(trueup get ks 2>/dev/null | grep -cE "$(git rev-parse --short=7 HEAD)|Stalled")" = 3 && return
    sleep 0.2
  done
  trueup get; exit 1
}
"""
"""A person looks before typing on: all three Apps of the sample are at the pushed revision, or say why not."""


class Newcomer:
    """A shell with the program, git and kubectl, in an empty folder."""

    def __init__(self, folder: Path, port: int, kubectl: Path) -> None:
        self.folder, self.port, self.home = folder, port, folder / "home"
        tools = folder / "tools"
        tools.mkdir()
        (tools / "trueup").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trueup.cli.main "$@"\n')
        (tools / "trueup").chmod(0o755)
        (tools / "kubectl").symlink_to(kubectl)
        person = {"NAME": "Somchai", "EMAIL": "somchai@example.com"}
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "TRUEUP_", "GIT_"))},
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()},
            "PATH": f"{tools}:{os.environ['PATH']}",
            "TRUEUP_HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def types(self, script: str) -> str:
        """What the commands print; fails when one of them fails."""
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=360,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def newcomer(tmp_path: Path, kubectl: Kubectl) -> Iterator[Newcomer]:
    port = free_row_of_ports()
    person = Newcomer(tmp_path, port, Path(kubectl.program))
    person.types(f"trueup up --detach --port {port}")
    try:
        yield person
    finally:
        person.types("trueup down")


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_command_of_the_tutorial_works_in_its_order(newcomer: Newcomer) -> None:
    ports = json.loads((newcomer.home / "up.json").read_text())
    script = "".join(fence.text for fence in fences(ROOT / "docs/tutorial.md") if fence.language == "sh")
    typed = [line for line in script.splitlines() if not line.startswith(DONE_BY_US)]
    lines = [f"{line}\nsettle" if line.endswith("git push") else line for line in typed]
    printed = newcomer.types(SETTLE + "\n".join(lines).replace(":6441/", f":{ports['git_port']}/"))
    assert "1 to configure" in printed, "the diff before the second push"
    assert "(pinned)" in printed
    assert "apps/guestbook/frontend.yaml:" in printed, "the broken commit is reported with its file and line"
    deadline = time.monotonic() + 90
    while not _is_well(newcomer) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _is_well(newcomer), newcomer.types("trueup get")
    history = newcomer.types("trueup history guestbook --limit 100")
    assert "2 pruned" in history
    assert "failure" in history
    assert "DriftCorrected" in newcomer.types("trueup events web-dev")


def _is_well(newcomer: Newcomer) -> bool:
    """Whether all four Apps are ready, at Git's last revision."""
    apps = {line.split()[1]: line for line in newcomer.types("trueup get apps").splitlines()[1:]}
    wanted = {"ks/guestbook", "ks/web-dev", "ks/web-prod", "app/shop"}
    return wanted <= apps.keys() and all("Ready" in apps[name] for name in wanted)
