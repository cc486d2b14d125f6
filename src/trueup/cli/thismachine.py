"""How commands are written for the machine of `trueup up`: where its sample is, and what calls the command line there."""

from __future__ import annotations

import shutil
from pathlib import Path

from trueup.cli.home import Home, command_line
from trueup.cli.sample import SAMPLE
from trueup.cli.settings import load_settings
from trueup.server.local import Local


def this_machine(root: Path | None) -> Local:
    """`root`: the home of `trueup up`, or None for a server anywhere else. Raises InvalidInput when its settings are broken."""
    if root is None:
        return Local()
    home = Home(root)
    settings = load_settings(home.settings)
    if settings is None:
        return Local()
    has_sample = (home.git / f"{SAMPLE}.git").exists()
    return Local(
        up=True,
        repository=f"{settings.git_url}/{SAMPLE}.git" if has_sample else "",
        kubeconfig=str(home.kubeconfig),
        trueup=command_line(home),
        kubectl=shutil.which("kubectl") is not None,
    )
