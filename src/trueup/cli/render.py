"""`trueup render`: the manifests that an App, or a folder, comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from trueup.cli.console import shown, tell
from trueup.cli.declared import declare
from trueup.cli.difftext import visible
from trueup.cli.engines import engines
from trueup.cli.envsubst import read_assignment
from trueup.cli.options import Context, Kubeconfig, Namespace, Output
from trueup.cli.output import write, write_json, write_names
from trueup.cli.progress import progress
from trueup.cli.session import Session, in_session
from trueup.cli.yamltext import dump_all
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of
from trueup.model.outcome import Notice
from trueup.model.rendering import DirectoryOptions, RenderMode, RenderSpec, Substitution
from trueup.render.render import Rendered
from trueup.render.render import render as render_snapshot
from trueup.sources.worktree import open_worktree


@shown
def render(
    what: Annotated[str, typer.Argument(metavar="APP|DIR", help="An App's name; or a folder: ./apps/web.")],
    path: Annotated[
        Path | None, typer.Option("--path", help="An App from this working tree in place of what Git has.")
    ] = None,
    mode: Annotated[RenderMode, typer.Option("--mode", help="Whose rules hold for a folder.")] = RenderMode.FLUX,
    recurse: Annotated[bool, typer.Option("--recurse", help="argocd: a plain folder with all folders below.")] = False,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="K=V", help="A variable to substitute in a folder's manifests.")
    ] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show what would be hidden.")] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="yaml, json or name.")] = Output.YAML,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Render an App as Git declares it, or a folder on this disk, to standard output."""
    if is_folder(what):
        variables = dict(read_assignment(text) for text in var or []) if var else None
        rendered = asyncio.run(render_folder(Path(what).expanduser(), mode, recurse=recurse, variables=variables))
        _finish([item.manifest for item in rendered.objects], rendered.notices, output)
        return

    async def work(session: Session) -> tuple[list[Manifest], tuple[Notice, ...]]:
        found = await session.find(what)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps are rendered", ref=found.ref)
        with progress(f"rendering {found.ref}") as reporter:
            async with engines(reporter) as pool:
                declared = await declare(session, found, pool, path, reporter)
        manifests = [item.manifest for item in declared.rendered.objects]
        if not show_secrets:
            hidden = [visible(manifest, tainted=declared.tainted) for manifest in manifests]
            if hidden != manifests:
                tell("values of Secrets are hidden; --show-secrets shows them")
            manifests = hidden
        return manifests, declared.notices

    _finish(*in_session(work, kubeconfig, context, namespace), output)


def is_folder(text: str) -> bool:
    """`.`, `./apps`, `/srv/apps`, `apps/web/` are folders; a bare word is an App's name."""
    return text in (".", "..") or text.startswith(("./", "../", "/", "~/")) or text.endswith("/")


async def render_folder(folder: Path, mode: RenderMode, *, recurse: bool, variables: dict[str, str] | None) -> Rendered:
    """Raises SourceError, BuildFailed and its kinds."""
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    substitution = Substitution(variables=variables) if variables is not None else None
    options = DirectoryOptions(recurse=True) if recurse else None
    spec = RenderSpec(path=inside, mode=mode, directory=options, substitution=substitution)
    with progress(f"rendering {folder}") as reporter:
        async with engines(reporter, workers=1) as pool:
            return await render_snapshot(snapshot, spec, variables, pool)


def _finish(manifests: Sequence[Manifest], notices: Sequence[Notice], output: Output) -> None:
    match output:
        case Output.YAML | Output.TABLE:
            write(dump_all(manifests))
        case Output.JSON:
            write_json({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        case Output.NAME:
            write_names(ref_of(manifest) for manifest in manifests)
    for notice in notices:
        tell(f"note: {notice.message}")
    if not manifests:
        tell("nothing is declared there")
