"""`trueup render`: the manifests that an App, or a folder, comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from trueup.cli import answers
from trueup.cli.console import shown, tell
from trueup.cli.declared import declare, open_tree
from trueup.cli.difftext import visible
from trueup.cli.engines import renderer
from trueup.cli.envsubst import read_assignment
from trueup.cli.folder import FolderOptions, folder_spec, is_folder, or_folder
from trueup.cli.options import Context, Kubeconfig, Namespace, Output
from trueup.cli.output import as_json, write
from trueup.cli.progress import progress
from trueup.cli.remotes import Fetch
from trueup.cli.session import Session, in_session
from trueup.cli.yamltext import dump_all
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, kind_of, ref_of
from trueup.model.outcome import Notice
from trueup.model.rendering import CueOptions, RenderMode
from trueup.render.render import Rendered
from trueup.sources.worktree import open_worktree

What = Annotated[str, typer.Argument(metavar="APP|DIR", help="An App's name; or a folder: ./apps/web.")]
WorkingTree = Annotated[
    Path | None, typer.Option("--path", help="An App from this working tree in place of what Git has.")
]
Mode = Annotated[
    RenderMode | None,
    typer.Option("--mode", help="Whose rules hold for a folder. Default: a chart where there is one, else flux."),
]
Recurse = Annotated[bool, typer.Option("--recurse", help="argocd: a plain folder with all folders below.")]
Var = Annotated[
    list[str] | None, typer.Option("--var", metavar="K=V", help="A variable to substitute in a folder's manifests.")
]
Release = Annotated[str, typer.Option("--release", help="Release name of a chart. Default: the folder's name.")]
Values = Annotated[
    list[Path] | None, typer.Option("--values", "-f", help="A values file for a chart, in the working tree.")
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="A value for a chart, as Helm reads it.")]

Cue = Annotated[bool, typer.Option("--cue", help="The folder is a CUE package.")]
CuePackage = Annotated[str, typer.Option("--package", help="CUE: which package, where the folder holds several.")]
CueExpressions = Annotated[
    list[str] | None, typer.Option("--expression", "-e", help="CUE: export this in place of the package itself.")
]
CueTags = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="K[=V]", help="CUE: a tag for files and fields that want it.")
]


@shown
def render(
    what: What,
    path: WorkingTree = None,
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
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show what would be hidden.")] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="yaml, json or name.")] = Output.YAML,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Render an App as Git declares it, or a folder on this disk, to standard output."""
    if is_folder(what):
        options = folder_options(mode, recurse, var, release, namespace, values, set_)
        options = structs.replace(options, cue=cue_options(cue, package, expressions, tags))
        _folder(Path(what).expanduser(), options, output, fetch=fetch)
        return

    async def work(session: Session) -> tuple[list[Manifest], tuple[Notice, ...]]:
        with or_folder(what):
            found = await session.find(what)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps are rendered", ref=found.ref)
        tree = await open_tree(path) if path is not None else None
        with progress(f"rendering {found.ref}") as reporter:
            async with renderer(reporter, fetch=fetch or tree is None) as rendering:
                declared = await declare(session, found, rendering, tree, reporter)
        manifests = [item.manifest for item in declared.rendered.objects]
        if not show_secrets:
            hidden = [visible(manifest, tainted=declared.tainted) for manifest in manifests]
            if hidden != manifests:
                tell("values of Secrets are hidden; --show-secrets shows them")
            manifests = hidden
        return manifests, declared.notices

    manifests, notices = in_session(work, kubeconfig, context, namespace)
    _finish(_text(manifests, output), manifests, notices)


def cue_options(cue: bool, package: str, expressions: list[str] | None, tags: list[str] | None) -> CueOptions | None:
    if not cue:
        if package or expressions or tags:
            raise InvalidInput("--package, --expression and --tag are for CUE", hint="add --cue")
        return None
    return CueOptions(package=package, expressions=tuple(expressions or ()), tags=tuple(tags or ()))


def folder_options(
    mode: RenderMode | None,
    recurse: bool,
    var: list[str] | None,
    release: str,
    namespace: str,
    values: list[Path] | None,
    set_: list[str] | None,
) -> FolderOptions:
    return FolderOptions(
        mode=mode,
        recurse=recurse,
        variables=dict(read_assignment(text) for text in var or []) if var else None,
        release=release,
        namespace=namespace,
        values=tuple(values or ()),
        set=tuple(set_ or ()),
    )


def _folder(folder: Path, options: FolderOptions, output: Output, *, fetch: bool) -> None:
    """Raises SourceError, BuildFailed and its kinds."""
    rendered, manifests = asyncio.run(render_folder(folder, options, fetch=fetch))
    text = _text(manifests, output)
    plain = FolderOptions(mode=options.mode, recurse=options.recurse)
    if (
        options == plain
        and not fetch
        and manifests
        and not any(kind_of(manifest) == "Secret" for manifest in manifests)
    ):
        question = answers.Question(
            command="render", places=(str(folder.resolve()),), output=output, mode=options.mode, recurse=options.recurse
        )
        notes = "".join(f"note: {notice.message}\n" for notice in rendered.notices)
        answers.keep(question, rendered.inputs.items, text, notes)
    _finish(text, manifests, rendered.notices)


async def render_folder(
    folder: Path, options: FolderOptions, *, fetch: bool = False
) -> tuple[Rendered, list[Manifest]]:
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    spec = await asyncio.to_thread(folder_spec, snapshot, inside, options)
    with progress(f"rendering {folder}") as reporter:
        async with renderer(reporter, workers=1, fetch=fetch) as rendering:
            rendered = await rendering.render(snapshot, spec, options.variables)
    return rendered, [item.manifest for item in rendered.objects]


def _text(manifests: Sequence[Manifest], output: Output) -> str:
    match output:
        case Output.YAML | Output.TABLE:
            return dump_all(manifests)
        case Output.JSON:
            return as_json({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        case Output.NAME:
            return "".join(f"{ref_of(manifest)}\n" for manifest in manifests)


def _finish(text: str, manifests: Sequence[Manifest], notices: Sequence[Notice]) -> None:
    if text:
        write(text)
    for notice in notices:
        tell(f"note: {notice.message}")
    if not manifests:
        tell("nothing is declared there")
