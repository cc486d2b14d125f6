"""`trueup validate`: is this working tree fit to be pushed?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from trueup.cli import answers
from trueup.cli.console import Exit, out, shown
from trueup.cli.engines import renderer
from trueup.cli.manifests import STDIN, read_file
from trueup.cli.options import Context, Format, Kubeconfig, Output
from trueup.cli.output import as_json, write
from trueup.cli.progress import progress
from trueup.cli.remotes import Fetch
from trueup.cli.session import MANAGER, Session, in_session
from trueup.cli.validation import Finding, Problem, Read, Unit, Validator, find_units, validator
from trueup.cli.yamltext import dump
from trueup.cluster.applier import ClusterApplier
from trueup.dialects.registry import all_dialects
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Declared, Origin, api_version_of
from trueup.model.refs import split_api_version
from trueup.model.snapshot import EntryType, Input
from trueup.render.inputs import Recorder
from trueup.render.render import Renderer
from trueup.sources.worktree import WorktreeSnapshot, open_worktree
from trueup.sync.explain import explain
from trueup.sync.normalise import kind_of_manifest

IN_FLIGHT = 8
NAMESPACE = ("", "v1", "Namespace")
CRD = "CustomResourceDefinition"


@shown
def validate(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|DIR|-", help="Files and folders. Default: this folder.")
    ] = None,
    server: Annotated[
        bool, typer.Option("--server", help="Ask the cluster about each object too, by dry-run; nothing is written.")
    ] = False,
    fetch: Fetch = False,
    output: Format = Output.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Check manifests, kustomizations and Apps of a working tree before they are pushed."""
    findings, declared, looked = asyncio.run(check_places(places or ["."], fetch=fetch))
    if server:

        async def work(session: Session) -> list[Finding]:
            with progress(f"asking the server about {len(declared)} objects"):
                return await ask_server(session, declared)

        findings += in_session(work, kubeconfig, context)
    text = _text(findings, output)
    if looked is not None and not server and not fetch:
        answers.keep(_question(places or ["."], output), looked, text, "")
    _print(findings, text, output)
    if any(finding.problems for finding in findings):
        sys.exit(int(Exit.FAILED))


async def check_places(
    places: Sequence[str], *, fetch: bool = False
) -> tuple[list[Finding], list[Declared], frozenset[Input] | None]:
    """What was found, all objects that rendered well, and on what it all depends: None where only checking again can tell."""
    findings: list[Finding] = []
    declared: list[Declared] = []
    looked: set[Input] = set()
    roots: set[Path | None] = set()
    with progress("reading") as reporter:
        async with renderer(reporter, fetch=fetch) as rendering:
            for place in places:
                reporter.update(f"checking {place}")
                if place != STDIN and await asyncio.to_thread(Path(place).is_dir):
                    checked = await _check_folder(Path(place), rendering, fetch=fetch)
                else:
                    checked = await _check_file(place, rendering)
                findings += checked.findings
                declared += checked.declared
                looked |= checked.looked
                roots.add(checked.root)
    sound = len(roots) == 1 and None not in roots and not any(finding.problems for finding in findings)
    return findings, declared, frozenset(looked) if sound else None


class _Checked(Struct, frozen=True, kw_only=True):
    """One place. `root`: the working tree that it lies in, where all of it was read from there."""

    findings: list[Finding]
    declared: list[Declared]
    looked: frozenset[Input] = frozenset()
    root: Path | None = None


async def _check_folder(folder: Path, rendering: Renderer, *, fetch: bool) -> _Checked:
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    recorder = Recorder(snapshot)
    units = await asyncio.to_thread(lambda: list(find_units(recorder, inside)))
    findings = [Finding(place=str(folder), notes=("nothing is declared there",))]
    async with validator(recorder, rendering, all_dialects(), _reader(snapshot), fetch=fetch) as checks:
        if units:
            findings = await _check_units(checks, units)
        return _Checked(findings=findings, declared=checks.declared, looked=checks.looked, root=snapshot.root)


async def _check_units(checks: Validator, units: Sequence[Unit]) -> list[Finding]:
    findings: list[Finding] = []
    objects: dict[int, Declared] = {}
    for unit in units:
        finding, found = await checks.unit(unit)
        findings.append(finding)
        objects.update((id(item), item) for item in found)
    for item in objects.values():
        if (finding_of_app := await checks.app(item)) is not None:
            findings.append(finding_of_app)
    return findings


async def _check_file(place: str, rendering: Renderer) -> _Checked:
    """A file or standard input: the Apps in it are read; where their paths lead is not known."""
    try:
        located = await rendering.engines.use(partial(read_file, file=place))
    except InvalidInput as error:
        finding = Finding(place=place, problems=(Problem(error.message, error.hint),))
        return _Checked(findings=[finding], declared=[])
    objects = [Declared(item.obj, Origin(item.file, item.line)) for item in located]
    problems = tuple(
        Problem("it has no apiVersion, kind or name", "every manifest needs all three", item.origin)
        for item in objects
        if not (item.ref.kind and item.ref.name and api_version_of(item.manifest))
    )
    findings = [Finding(place=place, objects=len(objects), problems=problems)]
    nowhere = Recorder(WorktreeSnapshot(Path(), frozenset()))
    async with validator(nowhere, rendering, all_dialects(), _read_file(place)) as checks:
        findings += [found for item in objects if (found := await checks.app(item)) is not None]
    return _Checked(findings=findings, declared=objects)


def _reader(snapshot: WorktreeSnapshot) -> Read:
    def read(path: str) -> bytes | None:
        entry = snapshot.entry(path)
        return snapshot.read(path) if entry is not None and entry.type is EntryType.FILE else None

    return read


def _read_file(place: str) -> Read:
    """What was read of standard input or a pipe is gone."""
    return lambda _: Path(place).read_bytes() if Path(place).is_file() else None


async def ask_server(session: Session, declared: Sequence[Declared]) -> list[Finding]:
    """One finding per object that the server refuses. What comes with the same tree (namespaces, kinds) may be missing yet."""
    applier = ClusterApplier(session.client, MANAGER)
    bound = asyncio.Semaphore(IN_FLIGHT)
    namespaces = {item.ref.name for item in declared if kind_of_manifest(item.manifest) == NAMESPACE}
    brings_kinds = any(item.ref.kind == CRD for item in declared)

    async def ask(item: Declared) -> Finding | None:
        version = split_api_version(api_version_of(item.manifest))[1]
        try:
            async with bound:
                await applier.apply(item.manifest, dry_run=True)
        except KindNotServed as error:
            return None if brings_kinds else _refusal(item, error.message, error.hint)
        except InvalidInput:
            return None  # without a namespace: its App gives it one
        except ApiError as error:
            if error.is_not_found and item.ref.namespace in namespaces:
                return None
            head, _, hint = explain(error, item.ref, version).partition("\n  try: ")
            return _refusal(item, head, hint)
        return None

    answers = await asyncio.gather(*(ask(item) for item in declared))
    return [finding for finding in answers if finding is not None]


def _refusal(item: Declared, message: str, hint: str) -> Finding:
    return Finding(place=str(item.ref), objects=1, problems=(Problem(message, hint, item.origin),))


def _question(places: Sequence[str], output: Output) -> answers.Question:
    return answers.Question(
        command="validate", places=tuple(str(Path(place).expanduser().resolve()) for place in places), output=output
    )


def _text(findings: Sequence[Finding], output: Output) -> str:
    """As a pipe gets it."""
    match output:
        case Output.TABLE:
            from rich.text import Text

            return "".join(f"{Text.from_markup(line).plain}\n" for line in finding_lines(findings))
        case Output.NAME:
            return "".join(f"{finding.place}\n" for finding in findings if finding.problems)
        case Output.JSON:
            return as_json([finding_data(finding) for finding in findings])
        case Output.YAML:
            return dump([finding_data(finding) for finding in findings])


def _print(findings: Sequence[Finding], text: str, output: Output) -> None:
    if output is not Output.TABLE:
        write(text) if text else None
        return
    for line in finding_lines(findings):
        out.print(line)


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Pure; marked up for the console."""
    from rich.markup import escape

    shown: list[str] = []
    for finding in findings:
        mark = "[red]✗[/]" if finding.problems else "[green]✔[/]"
        count = f" [dim]({finding.objects} object{'' if finding.objects == 1 else 's'})[/]" if finding.objects else ""
        shown.append(f"{mark} {escape(finding.place)}{count}")
        for problem in finding.problems:
            where = f"{problem.where}: " if problem.where else ""
            shown.append(f"    [red]{escape(where + problem.message)}[/]")
            if problem.hint:
                shown.append(f"      [dim]try:[/] {escape(problem.hint)}")
        shown.extend(f"    [dim]note: {escape(note)}[/]" for note in finding.notes)
    return shown


def finding_data(finding: Finding) -> dict[str, object]:
    return {
        "place": finding.place,
        "objects": finding.objects,
        "problems": [
            {
                "message": problem.message,
                "hint": problem.hint,
                "file": problem.where.path if problem.where else "",
                "line": problem.where.line if problem.where else 0,
                "column": problem.where.column if problem.where else 0,
            }
            for problem in finding.problems
        ],
        "notes": list(finding.notes),
    }
