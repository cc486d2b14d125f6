"""`trueup events`: what happened to an App, its source and its objects, as Kubernetes' Events tell it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from msgspec import Struct

from trueup.cli.console import out, shown, tell
from trueup.cli.following import follow_all
from trueup.cli.objects import all_refs, read_tree
from trueup.cli.options import Context, Format, Kubeconfig, Namespace, Output, Watch
from trueup.cli.output import write, write_json, write_names, write_objects
from trueup.cli.session import Found, Session, in_session
from trueup.cli.table import Cell, column_widths, line, print_table
from trueup.cli.times import age, utc_now
from trueup.cli.words import word
from trueup.cli.yamltext import dump
from trueup.controllers.events import COMPONENT
from trueup.dialects.reading import parse_time
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, metadata_of
from trueup.model.refs import ObjectRef, split_api_version

HEADERS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
_LONG_AGO = datetime.fromtimestamp(0, UTC)


class EventRow(Struct, frozen=True, kw_only=True):
    """One Event, as far as a person reads it."""

    at: datetime
    warning: bool
    reason: str
    ref: ObjectRef
    message: str
    count: int
    component: str


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
    return refs | all_refs(await read_tree(session, found, utc_now()))


def read_event(event: Manifest) -> EventRow:
    """Both forms of core/v1 Events: with a count and two times, and with a series or a single `eventTime`."""
    regarding = _mapping(event, "involvedObject")
    group, _ = split_api_version(str(regarding.get("apiVersion") or ""))
    series = _mapping(event, "series")
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    created = metadata_of(event).get("creationTimestamp")
    at = next((moment for text in (*times, created) if (moment := parse_time(text)) is not None), _LONG_AGO)
    return EventRow(
        at=at,
        warning=event.get("type") == "Warning",
        reason=str(event.get("reason") or ""),
        ref=ObjectRef(
            group,
            str(regarding.get("kind") or ""),
            str(regarding.get("namespace") or ""),
            str(regarding.get("name") or ""),
        ),
        message=str(event.get("message") or "").strip(),
        count=int(series.get("count") or event.get("count") or 1),
        component=str(event.get("reportingComponent") or _mapping(event, "source").get("component") or ""),
    )


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


def _mapping(obj: Manifest, name: str) -> dict[str, Any]:
    value = obj.get(name)
    return value if isinstance(value, dict) else {}
