"""`TRUEUP_HOME`: where everything that runs on this machine keeps its state. Only names of places; no state of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import platformdirs
from msgspec import Struct


class Home(Struct, frozen=True):
    """The layout of one home folder. It is made with mode 0700: it holds keys."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def kubernetes(self) -> Path:
        """The embedded API server's data: objects, certificates."""
        return self.root / "kubernetes"

    @property
    def git(self) -> Path:
        """The local Git server's bare repositories, `<name>.git`."""
        return self.root / "git"

    @property
    def controller(self) -> Path:
        """Mirrors, render cache and state of the controller; losing it costs time, never truth."""
        return self.root / "controller"

    @property
    def server(self) -> Path:
        """The API server's audit journal and key."""
        return self.root / "server"

    @property
    def database(self) -> Path:
        """The records database."""
        return self.root / "trueup.db"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def settings(self) -> Path:
        """Ports and tokens of this home, kept so that a restart is reached at the same place."""
        return self.root / "up.json"

    @property
    def lock(self) -> Path:
        return self.root / "up.lock"

    def make(self) -> None:
        for folder in (self.root, self.kubernetes, self.git, self.controller, self.server, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)


def find_home(data_dir: Path | None = None) -> Home:
    """`--data-dir`, else `TRUEUP_HOME`, else the user's data folder."""
    if data_dir is not None:
        return Home(data_dir.expanduser().absolute())
    if given := os.environ.get("TRUEUP_HOME"):
        return Home(Path(given).expanduser().absolute())
    return Home(Path(platformdirs.user_data_dir("trueup", appauthor=False)))


def command_line(home: Home) -> str:
    """What to write for `trueup` so that the shell finds it, and it finds this home."""
    where = "" if home == find_home() else f"TRUEUP_HOME={shlex.quote(str(home.root))} "
    program = Path(sys.executable).parent / "trueup"
    return where + ("trueup" if shutil.which("trueup") or not program.exists() else shlex.quote(str(program)))
