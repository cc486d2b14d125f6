"""`trueup validate`: is this working tree fit to be pushed?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from trueup.cli.console import Exit, out, shown
from trueup.cli.engines import engines
from trueup.cli.manifests import STDIN, read_file
from trueup.cli.options import Context, Format, Kubeconfig, Output
from trueup.cli.output import write, write_data
from trueup.cli.progress import progress
from trueup.cli.session import MANAGER, Session, in_session
from trueup.cli.validation import Finding, Problem, Unit, Validator, find_units
from trueup.cluster.applier import ClusterApplier
from trueup.dialects.registry import all_dialects
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Declared, Origin, api_version_of
from trueup.model.refs import split_api_version
from trueup.render.engine.pool import EnginePool
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
    output: Format = Output.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Check manifests, kustomizations and Apps of a working tree before they are pushed."""
    findings, declared = asyncio.run(check_places(places or ["."]))
    if server:

        async def work(session: Session) -> list[Finding]:
            with progress(f"asking the server about {len(declared)} objects"):
                return await ask_server(session, declared)

        findings += in_session(work, kubeconfig, context)
    _print(findings, output)
    if any(finding.problems for finding in findings):
        sys.exit(int(Exit.FAILED))


async def check_places(places: Sequence[str]) -> tuple[list[Finding], list[Declared]]:
    """What was found, and all objects that rendered well."""
    findings: list[Finding] = []
    declared: list[Declared] = []
    with progress("reading") as reporter:
        async with engines(reporter) as pool:
            for place in places:
                is_folder = place != STDIN and await asyncio.to_thread(Path(place).is_dir)
                reporter.update(f"checking {place}")
                if is_folder:
                    found, objects = await _check_folder(Path(place), pool)
                else:
                    found, objects = await _check_file(place, pool)
                findings += found
                declared += objects
    return findings, declared


async def _check_folder(folder: Path, pool: EnginePool) -> tuple[list[Finding], list[Declared]]:
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    units = await asyncio.to_thread(lambda: list(find_units(snapshot, inside)))
    if not units:
        return [Finding(place=str(folder), notes=("nothing is declared there",))], []
    return await _check_units(snapshot, units, pool)


async def _check_units(
    snapshot: WorktreeSnapshot, units: Sequence[Unit], pool: EnginePool
) -> tuple[list[Finding], list[Declared]]:
    validator = Validator(snapshot, pool, all_dialects())
    findings: list[Finding] = []
    objects: dict[int, Declared] = {}
    for unit in units:
        finding, found = await validator.unit(unit)
        findings.append(finding)
        objects.update((id(item), item) for item in found)
    for item in objects.values():
        if (finding_of_app := await validator.app(item)) is not None:
            findings.append(finding_of_app)
    return findings, validator.declared


async def _check_file(place: str, pool: EnginePool) -> tuple[list[Finding], list[Declared]]:
    """A file or standard input: the Apps in it are read; where their paths lead is not known."""
    try:
        located = await pool.use(partial(read_file, file=place))
    except InvalidInput as error:
        return [Finding(place=place, problems=(Problem(error.message, error.hint),))], []
    objects = [Declared(item.obj, Origin(item.file, item.line)) for item in located]
    problems = tuple(
        Problem("it has no apiVersion, kind or name", "every manifest needs all three", item.origin)
        for item in objects
        if not (item.ref.kind and item.ref.name and api_version_of(item.manifest))
    )
    validator = Validator(WorktreeSnapshot(Path(), frozenset()), pool, all_dialects())
    findings = [Finding(place=place, objects=len(objects), problems=problems)]
    findings += [finding for item in objects if (finding := await validator.app(item)) is not None]
    return findings, objects


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


def _print(findings: Sequence[Finding], output: Output) -> None:
    match output:
        case Output.TABLE:
            for line in finding_lines(findings):
                out.print(line)
        case Output.NAME:
            write("".join(f"{finding.place}\n" for finding in findings if finding.problems))
        case Output.JSON | Output.YAML:
            write_data([finding_data(finding) for finding in findings], output)


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
            }
            for problem in finding.problems
        ],
        "notes": list(finding.notes),
    }
