"""`examples/testing` as somebody's own repository: its own settings, pytest and no other plugin of pytest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "testing"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Outside of this repository, so that nothing of it is found by chance."""
    shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return tmp_path / "shop"


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of other plugins; ours is named as pytest would find it
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "trueup.testing.plugin", "-q", "-rA", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_the_examples_tests_pass_with_nothing_but_pytest(copied: Path) -> None:
    done = ran(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


@pytest.mark.slow
def test_the_examples_tests_notice_a_fault(copied: Path) -> None:
    web = copied / "shop" / "web.yaml"
    web.write_text(
        web.read_text().replace("selector: {app: web}", "selector: {app: wob}").replace("replicas: 3", "replicas: 1")
    )
    done = ran(copied, "test_shop.py")
    assert done.returncode == 1
    assert "FAILED test_shop.py::test_the_shop_rolls_out" in done.stdout


def test_a_number_of_nodes_that_is_none_is_said(copied: Path) -> None:
    done = ran(copied, "test_shop.py", "-o", "trueup_nodes=many")
    assert done.returncode != 0
    assert "trueup_nodes is 'many': write a number" in done.stdout


def test_without_its_fixtures_the_plugin_loads_nothing_of_trueup(copied: Path) -> None:
    (copied / "test_nothing.py").write_text(
        "import sys\ndef test_nothing():\n    assert [m for m in sys.modules if m.startswith('trueup.')] "
        "== ['trueup.version', 'trueup.testing', 'trueup.testing.plugin']\n"
    )
    done = ran(copied, "test_nothing.py")
    assert done.returncode == 0, done.stdout
