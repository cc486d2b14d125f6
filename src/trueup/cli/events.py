"""`trueup events`: what happened to an App, its source and its objects, as Kubernetes' Events tell it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer
from msgspec import Struct

from trueup.apps.events import EventRow, read_event
from trueup.apps.nodes import all_refs
from trueup.apps.times import age, utc_now
from trueup.cli.console import out, shown, tell
from trueup.cli.following import follow_all
from trueup.cli.objects import read_tree
from trueup.cli.options import Context, Format, Kubeconfig, Namespace, Output, Watch
from trueup.cli.output import write, write_json, write_names, write_objects
from trueup.cli.session import Found, Session, in_session
from trueup.cli.table import Cell, column_widths, line, print_table
from trueup.cli.words import word
from trueup.cli.yamltext import dump
from trueup.controllers.events import COMPONENT
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, metadata_of
from trueup.model.refs import ObjectRef

HEADERS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


@shown
def events(
    name: Annotated[str, typer.Argument(metavar="APP", help="Of this App and its objects. Default: all of ours.")] = "",
    warnings: Annotated[bool, typer.Option("--warnings", help="Warnings only.")] = False,
    output: Format = Output.TABLE,
    watch: Watch = False,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Show Events of an App, its source, its objects and their pods; or all that Trueup wrote."""

    async def work(session: Session) -> None:
        refs = await concerned(session, await session.find(name)) if name else None
        wanted = Wanted(refs, warnings)
        resource = await session.client.discovery.resource("", "v1", "Event")
        # The objects of an App may be in any namespace, so what to look at is decided here and not by the server.
        where = session.namespace if refs is None else ""
        found = [event for event in await session.client.list_all(resource, where) if wanted.holds(event)]
        found.sort(key=lambda event: read_event(event).at)
        _print(found, output)
        if not found and output is Output.TABLE:
            tell("no events; the API server forgets them after an hour")
        if watch:
            known = {_version(event) for event in found}
            async with follow_all(session.client, [resource], where) as changes:
                async for change in changes:
                    if not change.deleted and wanted.holds(change.obj) and _version(change.obj) not in known:
                        _print_one(change.obj, output)

    in_session(work, kubeconfig, context, namespace)


class Wanted(Struct, frozen=True):
    """Which Events to show. `refs` None: those that Trueup wrote."""

    refs: Collection[ObjectRef] | None
    only_warnings: bool

    def holds(self, event: Manifest) -> bool:
        row = read_event(event)
        if self.only_warnings and not row.warning:
            return False
        return row.component == COMPONENT if self.refs is None else row.ref in self.refs


async def concerned(session: Session, found: Found) -> set[ObjectRef]:
    """The App, its source, its objects, and what these own."""
    refs = {found.ref}
    if found.kind.is_source:
        return refs
    try:
        source = found.kind.dialect.read_app(found.obj).source
        if isinstance(source, ObjectRef):
            refs.add(source)
    except TrueupError:
        pass  # a resource that cannot be read has Events all the same, and they tell why
    if found.kind.dialect.cluster_of(found.obj):
        return refs  # its objects have their Events in their own cluster; what is called so here is something else
    return refs | all_refs(await read_tree(session, found, utc_now()))


def event_row(row: EventRow, now: datetime) -> list[Cell]:
    seen = age(row.at, now) + (f" (x{row.count})" if row.count > 1 else "")
    return [seen, word("Warning" if row.warning else "Normal"), row.reason, str(row.ref), row.message]


def _print(found: Sequence[Manifest], output: Output) -> None:
    match output:
        case Output.TABLE:
            if found:
                now = utc_now()
                print_table(out, HEADERS, [event_row(read_event(event), now) for event in found])
        case Output.NAME:
            write_names(_refs(found))
        case Output.JSON | Output.YAML:
            write_objects(found, output, single=False)


def _refs(found: Iterable[Manifest]) -> Iterable[ObjectRef]:
    return dict.fromkeys(read_event(event).ref for event in found)


_WIDTHS = column_widths(
    [("10m (x99)", "Warning", "ReconciliationSucceeded", "Kustomization/flux-system/name-of-app", "")]
)


def _print_one(event: Manifest, output: Output) -> None:
    match output:
        case Output.TABLE:
            row = event_row(read_event(event), utc_now())
            out.print(line(row, _WIDTHS, width=out.width if out.is_terminal else None))
        case Output.NAME:
            write_names([read_event(event).ref])
        case Output.JSON:
            write_json(event)
        case Output.YAML:
            write("---\n" + dump(event))


def _version(event: Manifest) -> tuple[str, str]:
    metadata = metadata_of(event)
    return str(metadata.get("uid")), str(metadata.get("resourceVersion"))
