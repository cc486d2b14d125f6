"""`trueup health`: how objects fare by kstatus and by Argo CD's rules, from files with their status or from the cluster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct

from trueup.apps.nodes import Node
from trueup.apps.times import utc_now
from trueup.cli.console import Exit, fail, out, shown
from trueup.cli.engines import engines
from trueup.cli.manifests import Located, find_files, read_file
from trueup.cli.objects import read_tree
from trueup.cli.options import Context, Kubeconfig, Namespace
from trueup.cli.output import write, write_json
from trueup.cli.progress import failed, progress
from trueup.cli.session import Session, in_session
from trueup.cli.table import print_table
from trueup.cli.words import word
from trueup.cli.yamltext import dump
from trueup.model.errors import InvalidInput
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.manifest import api_version_of, ref_of
from trueup.model.refs import ObjectRef, join_api_version
from trueup.sync.health import judge

HEADERS = ("OBJECT", "HEALTH", "KSTATUS", "RULE", "MESSAGE")


class HealthFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    JSONL = "jsonl"
    NAME = "name"


class HealthRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """One object's verdict. `health` None: no rule of Argo CD's speaks of its kind; `rule` names what decided."""

    file: str
    index: int
    api_version: str
    kind: str
    namespace: str
    name: str
    health: Health | None
    message: str
    kstatus: Kstatus
    rule: str

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef("", self.kind, self.namespace, self.name)

    @property
    def is_well(self) -> bool:
        return self.kstatus is Kstatus.CURRENT and self.health in (None, Health.HEALTHY, Health.SUSPENDED)


@shown
def health(
    name: Annotated[str, typer.Argument(metavar="APP", help="The objects of this App, in the cluster.")] = "",
    files: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="FILE|DIR|-", help="Manifests with their status.")
    ] = None,
    output: Annotated[HealthFormat, typer.Option("--output", "-o", help="Form of the output.")] = HealthFormat.TABLE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when anything is not well.")] = False,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Judge manifests with their status, or the live objects of an App."""
    if bool(name) == bool(files):
        fail("name either an App or files", hint="trueup health web, or trueup health -f FILE", code=Exit.USAGE)
    rows, problems = (
        asyncio.run(judge_files(files)) if files else (in_session(_of_app(name), kubeconfig, context, namespace), [])
    )
    _print(rows, output)
    for problem in problems:
        failed(str(problem))
    if problems or (exit_code and not all(row.is_well for row in rows)):
        sys.exit(int(Exit.FAILED))


async def judge_files(places: Sequence[str]) -> tuple[list[HealthRow], list[InvalidInput]]:
    """What is wrong with one file, by file and line, does not hide the others."""
    rows: list[HealthRow] = []
    problems: list[InvalidInput] = []
    files = find_files(list(places))
    with progress("reading manifests") as reporter:
        async with engines(reporter, workers=1) as pool:
            now = utc_now()
            for file in files:
                try:
                    located = await pool.use(partial(read_file, file=file))
                except InvalidInput as error:
                    problems.append(error)
                    continue
                rows.extend(row_of(one, judge(one.obj, now)) for one in located)
    return rows, problems


def row_of(located: Located, verdict: Verdict) -> HealthRow:
    ref = ref_of(located.obj)
    return HealthRow(
        file=located.file,
        index=located.index,
        api_version=api_version_of(located.obj),
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        health=verdict.health,
        message=verdict.message,
        kstatus=verdict.kstatus,
        rule=verdict.rule,
    )


def _of_app(name: str) -> Any:
    async def work(session: Session) -> list[HealthRow]:
        found = await session.find(name)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps have objects", ref=found.ref)
        return list(_rows(await read_tree(session, found, utc_now())))

    return work


def _rows(nodes: Iterable[Node]) -> Iterable[HealthRow]:
    """The managed objects and what they own; `file` is empty, for they come from the cluster."""
    flat: list[Node] = []

    def add(items: Iterable[Node]) -> None:
        for node in items:
            flat.append(node)
            add(node.children)

    add(nodes)
    for index, node in enumerate(flat):
        yield HealthRow(
            file="",
            index=index,
            api_version=join_api_version(node.ref.group, node.version),
            kind=node.ref.kind,
            namespace=node.ref.namespace,
            name=node.ref.name,
            health=node.verdict.health,
            message=node.verdict.message,
            kstatus=node.verdict.kstatus,
            rule=node.verdict.rule,
        )


def _print(rows: Sequence[HealthRow], output: HealthFormat) -> None:
    match output:
        case HealthFormat.TABLE:
            print_table(
                out,
                HEADERS,
                [
                    [str(row.ref), word(str(row.health or "")), word(str(row.kstatus)), row.rule, row.message]
                    for row in rows
                ],
            )
        case HealthFormat.JSON:
            write_json(rows)
        case HealthFormat.YAML:
            write(dump(msgspec.to_builtins(rows)))
        case HealthFormat.JSONL:
            write("".join(f"{msgspec.json.encode(row).decode()}\n" for row in rows))
        case HealthFormat.NAME:
            write("".join(f"{row.ref}\n" for row in rows))
