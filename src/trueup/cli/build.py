"""`trueup build --explain`: what a build read, and why a kept one was or was not used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct, structs
from rich.markup import escape

from trueup.cli.cache import megabytes
from trueup.cli.console import out, shown
from trueup.cli.declared import declared_in, open_tree
from trueup.cli.engines import local_cache, renderer
from trueup.cli.folder import FolderOptions, folder_spec, is_folder, or_folder
from trueup.cli.options import Context, Kubeconfig, Namespace, Output
from trueup.cli.output import write, write_data
from trueup.cli.progress import progress
from trueup.cli.remotes import Fetch
from trueup.cli.render import (
    Cue,
    CueExpressions,
    CuePackage,
    CueTags,
    Mode,
    Recurse,
    Release,
    Set,
    Values,
    Var,
    What,
    WorkingTree,
    cue_options,
    folder_options,
)
from trueup.cli.render import render as render_command
from trueup.cli.session import Session, in_session
from trueup.cli.table import print_table
from trueup.model.errors import InvalidInput
from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import Input, InputKind, Snapshot
from trueup.render.built import Asked, Build
from trueup.render.cache import Reason, Usage, Verdict, may_keep
from trueup.render.render import Renderer
from trueup.sources.worktree import open_worktree

_SHOWN = 10

_WHY: dict[Reason, str] = {
    Reason.USED: "every look of a kept build still finds the same",
    Reason.OFF: "there is no cache",
    Reason.PRIVATE: "a Secret's value stands in what was asked, so nothing made of it is kept",
    Reason.COLD: "nothing was ever kept for this path with these settings",
    Reason.CHANGED: "something that the nearest kept build looked at is not the same",
    Reason.ANSWERS: "a kept build of this chart is of other values, or of a cluster that answers otherwise",
    Reason.ENGINE: "what is kept was built by another version of the engines or of Trueup",
    Reason.SECRET: "it holds a Secret, and such builds are never kept",
    Reason.EVICTED: "it was kept once, and had to make room",
    Reason.CORRUPT: "the kept build was damaged; it was removed and made again",
}


class Explanation(Struct, frozen=True, kw_only=True):
    """One build and its grounds."""

    path: str
    place: str
    build: Build
    verdict: Verdict
    usage: Usage


@shown
def build(
    what: What,
    path: WorkingTree = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what was read, and why a kept build was or was not used.")
    ] = False,
    mode: Mode = None,
    recurse: Recurse = False,
    var: Var = None,
    release: Release = "",
    values: Values = None,
    set_: Set = None,
    cue: Cue = False,
    package: CuePackage = "",
    expressions: CueExpressions = None,
    tags: CueTags = None,
    fetch: Fetch = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="yaml, json or name; with --explain table, json, yaml or name.")
    ] = Output.TABLE,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Build an App or a folder as `render` does; with --explain say on what grounds."""
    if not explain:
        render_command(
            what,
            path,
            mode,
            recurse,
            var,
            release,
            values,
            set_,
            cue,
            package,
            expressions,
            tags,
            fetch,
            False,
            output,
            namespace,
            kubeconfig,
            context,
        )
        return
    if is_folder(what):
        options = folder_options(mode, recurse, var, release, namespace, values, set_)
        options = structs.replace(options, cue=cue_options(cue, package, expressions, tags))
        _print(asyncio.run(_explain_folder(Path(what).expanduser(), options, fetch=fetch)), output)
        return

    async def explain_app(session: Session) -> Explanation:
        with or_folder(what):
            found = await session.find(what)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps are built", ref=found.ref)
        tree = await open_tree(path) if path is not None else None
        with progress(f"building {found.ref}") as reporter:
            async with (
                renderer(reporter, fetch=fetch or tree is None) as rendering,
                declared_in(session, found, rendering, tree, reporter) as (app, snapshot, place),
            ):
                return await _explained(rendering, snapshot, app.render, place)

    _print(in_session(explain_app, kubeconfig, context, namespace), output)


async def _explain_folder(folder: Path, options: FolderOptions, *, fetch: bool) -> Explanation:
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    spec = await asyncio.to_thread(folder_spec, snapshot, inside, options)
    with progress(f"building {folder}") as reporter:
        async with renderer(reporter, workers=1, fetch=fetch) as rendering:
            return await _explained(rendering, snapshot, spec, str(snapshot.root))


async def _explained(rendering: Renderer, snapshot: Snapshot, spec: RenderSpec, place: str) -> Explanation:
    built, verdict = await rendering.build(snapshot, spec, explain=True)
    usage = await asyncio.to_thread(local_cache().usage)
    return Explanation(path=spec.path or ".", place=place, build=built, verdict=verdict, usage=usage)


def _print(found: Explanation, output: Output) -> None:
    match output:
        case Output.JSON | Output.YAML:
            write_data(explanation_data(found), output)
        case Output.NAME:
            write("".join(f"{item.path}\n" for item in found.build.inputs.items if item.kind is InputKind.FILE))
        case Output.TABLE:
            for line in explanation_lines(found):
                out.print(line)
            out.print()
            rows = [(str(item.kind), item.path or ".", item.digest[:12]) for item in found.build.inputs.items]
            print_table(out, ("LOOK", "PATH", "FOUND"), rows)


def explanation_lines(found: Explanation) -> list[str]:
    """Pure; marked up for the console. The table of looks comes after them."""
    built, verdict = found.build, found.verdict
    count = len(built.objects)
    how = "[green]from the cache[/]" if verdict.used else "[yellow]built anew[/]"
    lines = [
        f"{escape(found.path)} of {escape(found.place)}: {built.source_type}, "
        f"{count} object{'' if count == 1 else 's'}, {how}",
        f"  [dim]why:[/] {_WHY[verdict.reason]}",
    ]
    lines += [f"    {item.kind} {escape(item.path or '.')}" for item in verdict.changed[:_SHOWN]]
    if len(verdict.changed) > _SHOWN:
        lines.append(f"    and {len(verdict.changed) - _SHOWN} more")
    if not verdict.used and verdict.reason is not Reason.SECRET and not may_keep(built):
        lines.append(f"  [dim]kept:[/] no: {_WHY[Reason.SECRET]}")
    lines += [f"  [dim]asked of the cluster:[/] {escape(line)}" for line in _asked(built.asked)]
    usage = found.usage
    lines.append(f"  [dim]kept builds:[/] {usage.entries} in {megabytes(usage.bytes)} of {megabytes(usage.limit)}")
    return lines


def _asked(asked: Asked) -> list[str]:
    lines = [f"its version ({asked.kube_version})"] if asked.kube_version else []
    lines += [f"{name}: {'yes' if said else 'no'}" for name, said in sorted(asked.api_versions.items())]
    if asked.everything:
        lines.append("all that it serves")
    return lines


def explanation_data(found: Explanation) -> dict[str, object]:
    built, verdict = found.build, found.verdict
    return {
        "path": found.path,
        "place": found.place,
        "sourceType": built.source_type,
        "objects": len(built.objects),
        "cache": {
            "used": verdict.used,
            "reason": str(verdict.reason),
            "message": _WHY[verdict.reason],
            "changed": [_row(item) for item in verdict.changed],
            "kept": may_keep(built) and verdict.reason not in (Reason.OFF, Reason.PRIVATE),
            "entries": found.usage.entries,
            "bytes": found.usage.bytes,
            "limit": found.usage.limit,
        },
        "inputs": [_row(item) for item in built.inputs.items],
        "cluster": {
            "kubeVersion": built.asked.kube_version,
            "apiVersions": built.asked.api_versions,
            "everything": bool(built.asked.everything),
        },
    }


def _row(item: Input) -> dict[str, str]:
    return {"look": str(item.kind), "path": item.path, "digest": item.digest}
