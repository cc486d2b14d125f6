"""Child processes: errors with logs, restarts, and nothing left behind however we end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.process import Child, PeerFailed, Watchdog, free_ports, until
from tests.peers.watchdog import still_listed

PYTHON = Path(sys.executable)


@pytest.fixture
def watchdog(tmp_path: Path) -> Iterator[Watchdog]:
    folder = tmp_path / "peer"
    folder.mkdir()
    watchdog = Watchdog(folder)
    yield watchdog
    watchdog.end()


def test_ports_chosen_together_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_the_watchdog_kills_only_what_was_not_taken_back() -> None:
    assert still_listed(["+10\n", "+11\n", "-10\n", "+12\n", "-12\n", "+10\n"]) == {10, 11}


async def test_a_program_that_ends_is_an_error_with_its_code_and_the_end_of_its_log(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    code = "print('\\n'.join(str(n) for n in range(100))); print('bind: address already in use'); raise SystemExit(3)"
    child = Child(PYTHON, ["-c", code], tmp_path / "log", watchdog)
    child.start()

    async def never() -> bool:
        return False

    with pytest.raises(PeerFailed, match=r"ended with 3:\n71\n72\n(?s:.*)address already in use$"):
        await until(never, "it answers", [child], 30)


async def test_a_wait_that_takes_too_long_names_what_was_waited_for(tmp_path: Path, watchdog: Watchdog) -> None:
    child = Child(
        PYTHON, ["-uc", "import sys; print('starting'); sys.stdout.close(); input()"], tmp_path / "log", watchdog
    )

    async def never() -> bool:
        return False

    with pytest.raises(PeerFailed, match="the moon is up: not within 0 s"):
        await until(never, "the moon is up", [child], 0.01)
    await child.kill()


async def test_a_stopped_program_can_be_started_again(tmp_path: Path, watchdog: Watchdog) -> None:
    child = Child(PYTHON, ["-c", "import time; time.sleep(600)"], tmp_path / "log", watchdog)
    child.start()
    first = child.pid
    with pytest.raises(PeerFailed, match="already running"):
        child.start()
    await child.stop()
    stopped = child.pid
    child.start()
    second = child.pid
    await child.kill()
    assert stopped is None
    assert second not in (None, first)


def test_a_starter_that_is_killed_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    code = f"""
import os, signal, sys
from pathlib import Path
from tests.peers.process import Child, Watchdog
folder = Path({str(folder)!r})
child = Child(Path(sys.executable), ["-c", "import time; time.sleep(600)"], folder / "log", Watchdog(folder))
child.start()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([PYTHON, "-c", code], cwd=root, capture_output=True, text=True, timeout=30)
    pid = int(done.stdout)

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return not folder.exists()
        # An orphan that was killed may wait as a zombie until its new parent reaps it.
        status = Path(f"/proc/{pid}/stat")
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z" and not folder.exists()

    deadline = time.monotonic() + 20
    while not gone():
        assert time.monotonic() < deadline, f"process {pid} or {folder} is still there"
        time.sleep(0.02)
