"""The modules: their types by the TypeScript checker, their pure logic by node's own test runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.pages.check import check_types

HERE = Path(__file__).resolve().parent


def test_the_types_of_all_modules_hold() -> None:
    done = check_types()
    assert done.returncode == 0, done.stdout


def test_the_pure_logic_passes_its_own_tests() -> None:
    done = subprocess.run(["node", "--test", str(HERE / "js")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "# pass 0" not in done.stdout
