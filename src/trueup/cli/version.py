"""`trueup version`."""

from __future__ import annotations

import platform
from typing import Annotated

import msgspec
import typer

from trueup.cli.console import out
from trueup.version import __version__


def version(output: Annotated[str, typer.Option("-o", "--output", help="json for scripts.")] = "") -> None:
    """Say which version this is."""
    if output == "json":
        facts = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
        out.print(msgspec.json.encode(facts).decode())
    else:
        out.print(f"trueup {__version__}")
