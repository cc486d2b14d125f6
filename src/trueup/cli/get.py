"""`trueup get`: what there is, and how it fares, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from trueup.apps.status import Status
from trueup.apps.times import age, utc_now
from trueup.apps.views import AppView, SourceView, view_app, view_source
from trueup.cli.console import out, shown, tell
from trueup.cli.following import follow_all
from trueup.cli.options import Context, Format, Kubeconfig, Namespace, Output, Watch
from trueup.cli.output import without_noise, write, write_json, write_names, write_objects
from trueup.cli.session import Found, Kind, Session, in_session
from trueup.cli.table import Cell, column_widths, line, print_table
from trueup.cli.words import word
from trueup.cli.yamltext import dump
from trueup.model.errors import InvalidInput
from trueup.model.manifest import ref_of

APP_HEADERS = ("NAMESPACE", "NAME", "STATUS", "HEALTH", "REVISION", "AGE", "MESSAGE")
SOURCE_HEADERS = ("NAMESPACE", "NAME", "STATUS", "URL", "REVISION", "AGE", "MESSAGE")
EVERYTHING = "all"
APPS = "apps"


@shown
def get(
    what: Annotated[
        str, typer.Argument(metavar="TYPE", help="all, apps, sources, or one kind: ks, app, gitrepo. Or kind/name.")
    ] = EVERYTHING,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Only these.")] = None,
    output: Format = Output.TABLE,
    watch: Watch = False,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """List Apps and sources of both dialects, with their state."""

    async def work(session: Session) -> None:
        await _get(session, what, names or [], output, watch=watch)

    in_session(work, kubeconfig, context, namespace)


async def _get(session: Session, what: str, names: Sequence[str], output: Output, *, watch: bool) -> None:
    kinds, found = await _choose(session, what, names)
    _print(found, output, single=bool(len(names) == 1 or "/" in what))
    if not found and output is Output.TABLE:
        tell(f"nothing found in {f'namespace {session.namespace}' if session.namespace else 'any namespace'}")
    if watch:
        await _watch(session, kinds, found, output, only_found=bool(names or "/" in what))


async def _choose(session: Session, what: str, names: Sequence[str]) -> tuple[list[Kind], list[Found]]:
    """The kinds that are meant, and what there is of them."""
    if "/" in what:
        found = [await session.find(text) for text in (what, *names)]
        return _kinds_of(found), found
    kinds = select_kinds(what, await session.kinds())
    if not names:
        return kinds, await session.items(kinds)
    found = [await session.find(name if "/" in name else f"{kind_word(kinds)}{name}") for name in names]
    return _kinds_of(found), found


def kind_word(kinds: Sequence[Kind]) -> str:
    """What to put before a plain name so that it is looked for among these kinds: nothing where they are many."""
    return f"{kinds[0].resource.plural}/" if len(kinds) == 1 else ""


def select_kinds(what: str, kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds that a word means. Raises InvalidInput that names all words."""
    text = what.lower()
    if text == EVERYTHING:
        return list(kinds)
    if text == APPS:
        return [kind for kind in kinds if not kind.is_source]
    if chosen := [kind for kind in kinds if text in kind.words]:
        return chosen
    words = sorted({EVERYTHING, APPS, "sources", *(kind.resource.plural for kind in kinds), *(k.short for k in kinds)})
    raise InvalidInput(f"there is no type {what!r}; types are {', '.join(words)}", hint=f"trueup get apps {what}")


def _kinds_of(found: Sequence[Found]) -> list[Kind]:
    return list({item.kind.group_kind: item.kind for item in found}.values())


def _print(found: Sequence[Found], output: Output, *, single: bool) -> None:
    match output:
        case Output.NAME:
            write_names(item.ref for item in found)
        case Output.TABLE:
            now = utc_now()
            apps = [app_row(_view_app(item, now), item.kind.short, now) for item in found if not item.kind.is_source]
            sources = [source_row(view_source(item.obj), item.kind.short, now) for item in found if item.kind.is_source]
            if apps:
                print_table(out, APP_HEADERS, apps)
            if apps and sources:
                out.print()
            if sources:
                print_table(out, SOURCE_HEADERS, sources)
        case Output.JSON | Output.YAML:
            write_objects([item.obj for item in found], output, single=single)


def _view_app(item: Found, now: datetime) -> AppView:
    return view_app(item.obj, item.kind.dialect, now)


def app_row(view: AppView, short: str, now: datetime) -> list[Cell]:
    revision = Text(view.revision.short if view.revision else "")
    if view.pin is not None:
        revision.append(" (pinned)", style="yellow")
    name = f"{short}/{view.ref.name}"
    return [
        view.ref.namespace,
        name,
        word(view.status),
        word(view.health),
        revision,
        age(view.created, now),
        view.message,
    ]


def source_row(view: SourceView, short: str, now: datetime) -> list[Cell]:
    revision = view.revision.short if view.revision else ""
    name = f"{short}/{view.ref.name}"
    return [view.ref.namespace, name, word(view.status), view.url, revision, age(view.created, now), view.message]


async def _watch(
    session: Session, kinds: Sequence[Kind], found: Sequence[Found], output: Output, *, only_found: bool
) -> None:
    """Shows each change: a row, a document, a name."""
    by_kind = {kind.group_kind: kind for kind in kinds}
    now = utc_now()
    rows = [_row(item, now) for item in found]
    shown = {item.ref: _signature(row) for item, row in zip(found, rows, strict=True)}
    widths = column_widths([APP_HEADERS, *rows])
    async with follow_all(session.client, [kind.resource for kind in kinds], session.namespace) as changes:
        async for change in changes:
            item = Found(by_kind[ref_of(change.obj).group_kind], change.obj)
            if only_found and item.ref not in shown:
                continue
            row = _row(item, utc_now(), deleted=change.deleted)
            if shown.get(item.ref) == _signature(row):
                continue
            shown[item.ref] = _signature(row)
            _print_change(item, row, widths, output)


def _print_change(item: Found, row: list[Cell], widths: Sequence[int], output: Output) -> None:
    match output:
        case Output.TABLE:
            out.print(line(row, widths, width=out.width if out.is_terminal else None))
        case Output.NAME:
            write_names([item.ref])
        case Output.JSON:
            write_json(without_noise(item.obj))
        case Output.YAML:
            write("---\n" + dump(without_noise(item.obj)))


def _row(item: Found, now: datetime, *, deleted: bool = False) -> list[Cell]:
    if item.kind.is_source:
        row = source_row(view_source(item.obj), item.kind.short, now)
    else:
        row = app_row(_view_app(item, now), item.kind.short, now)
    if deleted:
        row[2] = word(Status.DELETED)
    return row


def _signature(row: Sequence[Cell]) -> tuple[str, ...]:
    """What counts as a change: everything but the age."""
    return tuple(str(cell) for number, cell in enumerate(row) if number != APP_HEADERS.index("AGE"))
