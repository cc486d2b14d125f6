"""`trueup audit` as people and scripts use it, on a log that a real writer wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.records.audit.kit import Kept, entry, tamper
from trueup.records.audit.checkpoints import public_pem

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    with (found := Kept(f"sqlite:///{tmp_path}/home/trueup.db", tmp_path / "home/controller/audit")) as log:
        log.put(entry(0, message="first\x1b[31m\nfake   line"))
        log.put(entry(1, actor="mali", action="controller.sync", target="Application/argocd/guestbook", project="demo"))
        log.put(entry(2, result="refused", reason="Forbidden"))
        assert log.flush()
    (found.folder / "signing.pub").write_text(public_pem(found.signer.public))
    return found


@pytest.fixture
def trueup(tmp_path: Path) -> Command:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trueup.cli.main", "audit", *arguments],
            env={"TRUEUP_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_entries_are_listed_found_and_shown(kept: Kept, trueup: Command) -> None:
    listed = trueup("list").stdout
    assert [row.split()[0].rsplit(":", 1)[1] for row in listed.splitlines()[1:]] == ["3", "2", "1"]
    assert "\x1b" not in listed
    assert "first\\x1b[31m\\nfake" in listed
    assert len(json.loads(trueup("list", "--actor", "mal*", "--project", "demo", "-o", "json").stdout)) == 1
    assert len(json.loads(trueup("list", "--target", "*/shop/*", "--result", "refused", "-o", "json").stdout)) == 1
    (found,) = json.loads(trueup("search", "GUESTBOOK", "controller", "-o", "json").stdout)
    name = f"{found['chain']}:{found['sequence']}"
    assert json.loads(trueup("show", name, "-o", "json").stdout) == found
    assert trueup("show", "nothing").returncode == 1
    assert "nothing matches" in trueup("list", "--since", "1h", "--until", "2h").stderr


def test_an_export_is_a_line_per_entry(kept: Kept, trueup: Command) -> None:
    lines = trueup("export").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3]
    assert all(line.startswith("CEF:0|Trueup|") for line in trueup("export", "--format", "cef").stdout.splitlines())
    assert len(trueup("export", "--text", "guestbook").stdout.splitlines()) == 1


def test_verifying_says_by_its_exit_code_whether_the_log_is_what_was_written(kept: Kept, trueup: Command) -> None:
    good = trueup("verify")
    assert (good.returncode, "as written" in good.stdout) == (0, True)
    tamper(kept.url, "UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 2")
    bad = trueup("verify")
    assert bad.returncode == 1
    assert ":2: altered: what it says does not have its hash" in bad.stdout
    tamper(kept.url, "DELETE FROM audit_entries WHERE sequence >= 2", "DELETE FROM audit_checkpoints")
    cut = trueup("verify", "-o", "json")
    assert cut.returncode == 1
    assert json.loads(cut.stdout)[0]["broken"]["fault"] == "truncated"
    blind = trueup("verify", "--checkpoints", "/dev/null", "--key", str(kept.folder / "signing.pub"))
    assert "no exported checkpoints were given" in blind.stderr


def test_without_a_log_the_commands_say_what_to_do(tmp_path: Path, trueup: Command) -> None:
    answer = trueup("list")
    assert answer.returncode == 2
    assert "trueup up, or --database URL" in answer.stderr
