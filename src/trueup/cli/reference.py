"""Writes docs/reference/cli.md from the commands themselves: `python -m trueup.cli.reference [FILE]`; a test keeps it current."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from trueup.cli.console import Exit
from trueup.cli.main import app

PROGRAM = "trueup"
_EXIT_CODES = {
    Exit.OK: "it worked",
    Exit.FAILED: "it did not work; the reason is on standard error",
    Exit.USAGE: "the command line is wrong",
    Exit.DIFFERENCES: "`diff --exit-code` found differences",
}
_INTRODUCTION = """\
# Command line

This page is written by `python -m trueup.cli.reference` from the commands themselves.

Results go to standard output; progress and problems go to standard error. Colour is used on a terminal only (`NO_COLOR`
turns it off). An *APP* is named `web`, `shop/web` (namespace and name), `ks/web` (kind and name) or `ks/shop/web`; where
several have the name, the command says which. `-o` gives a table, `json`, `yaml`, or `name` for pipes.

The cluster is that of `--kubeconfig`, else of `KUBECONFIG`, else the one that `trueup up` made in `TRUEUP_HOME`, else of
the pod's own account or `~/.kube/config`.
"""


def reference() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    parts = [_INTRODUCTION, "## Exit codes\n", "| Code | Meaning |\n|---|---|"]
    parts.extend(f"| {int(code)} | {meaning} |" for code, meaning in _EXIT_CODES.items())
    parts.append("\n## Commands\n")
    pages = list(_commands(root, (PROGRAM,)))
    parts.append("| Command | What it does |\n|---|---|")
    parts.extend(f"| [`{' '.join(path)}`](#{'-'.join(path)}) | {_first_line(command)} |" for path, command in pages)
    parts.extend(_page(path, command) for path, command in pages)
    return "\n".join(parts).rstrip() + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be run, in the order of the help."""
    context = command.make_context(path[-1], [], resilient_parsing=True)
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            yield from _commands(child, (*path, name))


def _page(path: tuple[str, ...], command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [
        parameter
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.hidden and parameter.name != "help"
    ]
    usage = [*path, *(["[OPTIONS]"] if options else []), *(_metavar(argument) for argument in arguments)]
    lines = [f"\n### {' '.join(path)}\n", _text(command), "", "```", " ".join(usage), "```"]
    if arguments:
        lines += ["", "| Argument | Meaning |", "|---|---|"]
        lines += [
            f"| `{_metavar(argument).replace('|', chr(92) + '|')}` | {_help(argument)} |" for argument in arguments
        ]
    if options:
        lines += ["", "| Option | Default | Meaning |", "|---|---|---|"]
        lines += [f"| {_names(option)} | {_default(option)} | {_help(option)} |" for option in options]
    return "\n".join(lines)


def _metavar(parameter: Any) -> str:
    """As usage lines write it: `APP`, `[NAME]...`."""
    text = str(parameter.metavar or str(parameter.name).upper())
    shown = text if parameter.required else f"[{text}]"
    return f"{shown}..." if parameter.nargs == -1 else shown


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag or getattr(option, "count", False):
        return names
    return f"{names} {_value(option)}".rstrip()


def _value(option: Any) -> str:
    """The words that may be given, or what kind of value it is."""
    kinds = [option.type_descriptor.annotation]
    kinds += [inner for kind in kinds for inner in typing.get_args(kind)]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return "\\|".join(str(member.value) for member in kind)
    if option.metavar:
        return str(option.metavar)
    return "PATH" if Path in kinds else "N" if int in kinds else "TEXT"


def _default(option: Any) -> str:
    value = option.default
    if callable(value) or value is None or value is False or value in ("", (), []):
        return ""
    return f"`{getattr(value, 'value', str(value).lower() if value is True else value)}`"


def _help(parameter: Any) -> str:
    return str(parameter.help or "").replace("|", "\\|").replace("\n", " ")


def _text(command: Any) -> str:
    return str(command.help or "").strip()


def _first_line(command: Any) -> str:
    return _text(command).split("\n", 1)[0]


def main() -> None:
    text = reference()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
