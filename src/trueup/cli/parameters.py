"""`trueup parameters`: what the plugin that renders a folder says it takes, by its file and by its own command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trueup.cli.console import out, shown
from trueup.cli.engines import local_plugins
from trueup.cli.options import Format, Output
from trueup.cli.output import write, write_data
from trueup.cli.table import print_table
from trueup.model.errors import BuildFailed
from trueup.model.rendering import Capabilities, PluginCall, RenderMode, RenderSpec
from trueup.render.limits import DEFAULT_LIMITS
from trueup.render.plugins.definitions import Announcement
from trueup.sources.worktree import open_worktree


@shown
def parameters(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder of a working tree.")] = ".",
    plugin: Annotated[str, typer.Option("--plugin", help="The plugin's name. Default: the one that takes it.")] = "",
    output: Format = Output.TABLE,
) -> None:
    """List the parameters that the plugin of a folder announces. The plugins are those of the folder TRUEUP_PLUGINS."""
    found = asyncio.run(_announced(Path(folder).expanduser(), plugin))
    match output:
        case Output.JSON | Output.YAML:
            write_data([_row(one) for one in found], output)
        case Output.NAME:
            write("".join(f"{one.name}\n" for one in found))
        case Output.TABLE:
            rows = [(one.name, "yes" if one.required else "", _default(one), one.title or one.tooltip) for one in found]
            print_table(out, ("NAME", "REQUIRED", "DEFAULT", "TITLE"), rows)


async def _announced(folder: Path, name: str) -> tuple[Announcement, ...]:
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    spec = RenderSpec(path=inside, mode=RenderMode.ARGOCD, plugin=PluginCall(asked=True, name=name))
    plugins = local_plugins()
    chosen, _ = await plugins.choose(snapshot, spec, DEFAULT_LIMITS)
    if chosen is None:
        raise BuildFailed("no plugin takes this folder", hint="name one: --plugin NAME")
    return await plugins.parameters(chosen, snapshot, spec, Capabilities())


def _row(one: Announcement) -> dict[str, object]:
    """As Argo CD writes it; what is not said is left out."""
    said: dict[str, object] = msgspec.to_builtins(one)
    return {key: value for key, value in said.items() if value}


def _default(one: Announcement) -> str:
    if one.array:
        return ", ".join(one.array)
    return ", ".join(f"{key}={value}" for key, value in one.map.items()) if one.map else one.string
