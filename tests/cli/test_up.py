"""`trueup up`, `down` and `status` as a newcomer uses them: real processes, a home of their own, nothing but git."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.laptop import Laptop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    found = Laptop(tmp_path)
    yield found
    found.trueup("down")


def test_the_first_minutes_of_a_newcomer(laptop: Laptop) -> None:
    shown = laptop.up()
    url = re.search(r"http://\S+/sample\.git", shown)
    assert url is not None
    assert laptop.trueup("status").returncode == 0
    assert laptop.trueup("up").returncode == 1, "one supervisor per home"
    for app in ("web-dev", "web-prod", "guestbook"):
        laptop.until("Ready", "get", "apps", app)
    sample = str(laptop.folder / "sample")
    laptop.git("clone", "-q", url[0], sample)
    overlay = Path(sample, "apps/web/overlays/dev/kustomization.yaml")
    overlay.write_text(overlay.read_text().replace("count: 2", "count: 4"))
    laptop.git("-C", sample, "commit", "-qam", "More")
    laptop.git("-C", sample, "push", "-q")
    commit = laptop.git("-C", sample, "rev-parse", "--short=7", "HEAD").strip()
    laptop.until(commit, "get", "apps", "web-dev")
    assert laptop.trueup("down").returncode == 0
    assert laptop.trueup("status").returncode == 1
    laptop.up()
    assert commit in laptop.until("Ready", "get", "apps", "web-dev"), "a restart goes on where it was"


def test_ctrl_c_stops_every_process(laptop: Laptop) -> None:
    environment = os.environ | {"TRUEUP_HOME": str(laptop.home)}
    log = laptop.folder / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "trueup.cli.main", "up", "--no-sample", f"--port={laptop.port}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 90
    while "Trueup is running" not in log.read_text():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    assert children_of(laptop.home), "they name their home in their arguments"
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(40) == 0, log.read_text()
    assert not children_of(laptop.home)


def test_children_go_when_the_supervisor_is_killed(laptop: Laptop) -> None:
    laptop.up("--no-sample")
    supervisor = int((laptop.home / "up.lock").read_text())
    os.kill(supervisor, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while children_of(laptop.home):
        assert time.monotonic() < deadline, children_of(laptop.home)
        time.sleep(0.1)


def children_of(home: Path) -> list[str]:
    """The command lines of processes that work in this home."""
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if str(home) in line and "trueup.cli.child" in line]
