"""Tables of a command's options, read from the command itself."""

from __future__ import annotations

import typer
from typer.core import TyperOption

from docs.parts.tables import table
from trueup.cli import main


def run() -> str:
    return _table("run")


def up() -> str:
    return _table("up")


def _table(command: str) -> str:
    group = typer.main.get_command(main.app)
    found = group.get_command(typer.Context(group), command)  # type: ignore[attr-defined]
    rows = []
    for option in found.params:
        if not isinstance(option, TyperOption) or option.name == "help":
            continue
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        default = "" if option.default in (None, "", False) or callable(option.default) else f"`{option.default}`"
        variable = f"`{option.envvar}`" if option.envvar else ""
        rows.append([names, default, variable, option.help or ""])
    return table(["Option", "Default", "Environment", "Meaning"], rows)
