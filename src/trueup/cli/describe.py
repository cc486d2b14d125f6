"""`trueup describe`: all that there is to say of one App or source, on one page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.text import Text

from trueup.apps.events import read_event
from trueup.apps.nodes import Node
from trueup.apps.times import age, utc_now
from trueup.apps.views import view_app, view_source
from trueup.cli.console import out, shown
from trueup.cli.events import Wanted, concerned, event_row
from trueup.cli.history import Database, past_row
from trueup.cli.objects import read_tree
from trueup.cli.options import AppName, Context, Format, Kubeconfig, Namespace, Output
from trueup.cli.output import write_names, write_objects
from trueup.cli.past import PastRow, read_past, records_url
from trueup.cli.session import Found, Session, in_session
from trueup.cli.table import Cell, lines
from trueup.cli.tree import health_word, problem
from trueup.cli.words import word
from trueup.dialects.reading import parse_time, rows_of
from trueup.model.app import App
from trueup.model.duration import format_duration
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, status_of
from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec, Remediation
from trueup.model.source import (
    GitReference,
    GitSource,
    HelmChartSource,
    OciReference,
    OciSource,
    Source,
    address_of,
    parents_of,
)

LAST_CHANGES = 5
LAST_EVENTS = 10


@shown
def describe(
    name: AppName,
    database: Database = "",
    output: Format = Output.TABLE,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Tell all about one App or source: state, conditions, source, objects, last changes, events."""

    async def work(session: Session) -> None:
        found = await session.find(name)
        if output in (Output.JSON, Output.YAML):
            write_objects([found.obj], output, single=True)
        elif output is Output.NAME:
            write_names([found.ref])
        else:
            for line in await _page(session, found, database):
                out.print(line)

    in_session(work, kubeconfig, context, namespace)


async def _page(session: Session, found: Found, database: str) -> list[Text]:
    now = utc_now()
    resource = await session.client.discovery.resource("", "v1", "Event")
    refs = await concerned(session, found)
    wanted = Wanted(refs, False)
    events = [event for event in await session.client.list_all(resource, "") if wanted.holds(event)]
    events.sort(key=lambda event: read_event(event).at)
    if found.kind.is_source:
        return list(source_page(found, events[-LAST_EVENTS:], now))
    nodes: Sequence[Node] | TrueupError
    try:
        nodes = await read_tree(session, found, now)
    except TrueupError as error:
        if not found.kind.dialect.cluster_of(found.obj):
            raise
        nodes = error  # the other cluster is away, or not this caller's to look into; the rest is known here
    rows, _ = await asyncio.to_thread(read_past, found, records_url(session, database), limit=LAST_CHANGES)
    return list(app_page(found, nodes, rows, events[-LAST_EVENTS:], now))


def app_page(
    found: Found,
    nodes: Sequence[Node] | TrueupError,
    past: Sequence[PastRow],
    events: Sequence[Manifest],
    now: datetime,
) -> Iterator[Text]:
    """Pure. `nodes` may be why they could not be looked at."""
    view = view_app(found.obj, found.kind.dialect, now)
    facts: list[tuple[str, Cell]] = [
        ("Name", str(view.ref)),
        ("Dialect", view.dialect),
        ("Status", word(view.status)),
        ("Sync", word(view.sync)),
        ("Health", word(view.health)),
        ("Revision", str(view.revision or "none yet")),
    ]
    if view.attempted is not None and view.attempted != view.revision:
        facts.append(("Attempted", str(view.attempted)))
    if view.pin is not None:
        facts.append(("Pinned", Text(str(view.pin), style="yellow")))
    facts.append(("Age", age(view.created, now)))
    facts.append(("Message", view.message))
    yield from _facts(facts)
    try:
        yield from _section("Declared", _facts(app_facts(found.kind.dialect.read_app(found.obj))))
    except TrueupError as error:
        yield from _section("Declared", [Text(f"  cannot be read: {error}", style="red")])
    yield from _section("Conditions", _conditions(found.obj, now))
    seen = [Text(f"  cannot be looked at: {nodes}", style="red")] if isinstance(nodes, TrueupError) else _objects(nodes)
    yield from _section("Objects", seen)
    yield from _section("Last changes", _indented(lines((), [past_row(row, now) for row in past])))
    yield from _section("Events", _events(events, now))


def source_page(found: Found, events: Sequence[Manifest], now: datetime) -> Iterator[Text]:
    """Pure."""
    view = view_source(found.obj)
    yield from _facts(
        [
            ("Name", str(view.ref)),
            ("Status", word(view.status)),
            ("URL", view.url),
            ("Revision", str(view.revision or "none yet")),
            ("Age", age(view.created, now)),
            ("Message", view.message),
        ]
    )
    try:
        yield from _section("Declared", _facts(source_facts(found.kind.dialect.read_source(found.obj))))
    except TrueupError as error:
        yield from _section("Declared", [Text(f"  cannot be read: {error}", style="red")])
    yield from _section("Conditions", _conditions(found.obj, now))
    yield from _section("Events", _events(events, now))


def app_facts(app: App) -> list[tuple[str, Cell]]:
    rules = app.rules
    source = app.source
    facts: list[tuple[str, Cell]] = []
    if isinstance(source, ObjectRef):
        facts.append(("  Source", str(source)))
    else:
        facts += [("  Source", address_of(source)), ("  Reference", wanted_text(source))]
    if app.release is not None:
        facts += release_facts(app.release)
    facts += [
        ("  Path", app.render.path),
        ("  Sync", "automated" if rules.automated else "when asked"),
        ("  Prune", "yes" if rules.prune else "no"),
        ("  Self-heal", "yes" if rules.self_heal else "no"),
        ("  Interval", format_duration(rules.interval)),
    ]
    if rules.wait or rules.health_checks:
        facts.append(("  Waits", f"for health, {format_duration(rules.timeout)}"))
    if rules.depends_on:
        facts.append(("  Depends on", ", ".join(str(item.ref) for item in rules.depends_on)))
    if app.target is not None:
        facts.append(("  Cluster", str(app.target)))
    if rules.service_account:
        facts.append(("  Acts as", f"ServiceAccount {rules.service_account}"))
    facts.append(("  When deleted", str(rules.deletion_policy)))
    return facts


def release_facts(release: ReleaseSpec) -> list[tuple[str, Cell]]:
    """Names no values: they may be secret."""
    return [
        ("  Release", f"{release.namespace}/{release.name}, recorded in {release.storage_namespace}"),
        ("  Values from", ", ".join(str(source.ref) for source in release.values_from)),
        ("  Tests", "after each release" if release.test.enable else ""),
        ("  Drift", str(release.drift)),
        ("  After a failure", f"install: {_remedy(release.install.remediation)}; "
                              f"upgrade: {_remedy(release.upgrade.remediation)}"),
    ]  # fmt: skip


def _remedy(rules: Remediation) -> str:
    if rules.retry_interval is not None:
        return f"tried again every {format_duration(rules.retry_interval)}"
    if rules.retries == 0 and not rules.remediate_last_failure:
        return "left as it is"
    times = "for ever" if rules.retries < 0 else f"{rules.retries} times"
    return f"{rules.remedy}, and tried again {times}"


def source_facts(source: Source) -> list[tuple[str, Cell]]:
    facts: list[tuple[str, Cell]] = [
        ("  Reference", wanted_text(source)),
        ("  Interval", format_duration(source.interval)),
    ]
    if source.secrets.named:
        facts.append(("  Secrets", ", ".join(map(str, source.secrets.named))))
    if parents := parents_of(source):
        facts.append(("  Made of", "\n".join(str(p) if isinstance(p, ObjectRef) else address_of(p) for p in parents)))
    return facts


def wanted_text(source: Source) -> str:
    """Which revision the source follows: `branch main`, `semver >=1.0`; what wins over what is Flux's order."""
    match source:
        case GitSource():
            return _wanted(source.reference, ("commit", "name", "semver", "tag", "branch", "expression")) or "HEAD"
        case OciSource():
            return _wanted(source.reference, ("digest", "semver", "tag", "expression")) or "tag latest"
        case HelmChartSource():
            return f"version {source.version or '*'}"
        case _:
            return ""


def _wanted(reference: GitReference | OciReference, kinds: tuple[str, ...]) -> str:
    for kind in kinds:
        if value := getattr(reference, kind):
            return str(value) if kind == "expression" else f"{kind} {value}"
    return ""


def _facts(facts: Iterable[tuple[str, Cell]]) -> list[Text]:
    """A multi-line value goes on below itself."""
    shown: list[Text] = []
    rows = [(f"{name}:", value) for name, value in facts if str(value)]
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, value in rows:
        first, *rest = value.split("\n") if isinstance(value, Text) else [Text(part) for part in value.split("\n")]
        shown.append(Text(name.ljust(width), style="bold").append_text(Text("", style="not bold").append_text(first)))
        shown.extend(Text(" " * width).append_text(part) for part in rest)
    return shown


def _section(title: str, body: Iterable[Text]) -> Iterator[Text]:
    rows = list(body)
    if rows:
        yield Text("")
        yield Text(f"{title}:", style="bold")
        yield from rows


def _conditions(obj: Manifest, now: datetime) -> list[Text]:
    rows: list[list[Cell]] = []
    for row in rows_of(status_of(obj).get("conditions")):
        since = age(parse_time(row.get("lastTransitionTime")), now)
        state = "=".join(str(part) for part in (row.get("type"), row.get("status")) if part is not None)
        rows.append([state, str(row.get("reason") or ""), since, str(row.get("message") or "")])
    return _indented(lines((), rows))


def _objects(nodes: Sequence[Node]) -> list[Text]:
    rows: list[list[Cell]] = [
        [str(node.ref), word(node.sync), word(health_word(node)), problem(node)] for node in nodes
    ]
    return _indented(lines((), rows))


def _events(events: Sequence[Manifest], now: datetime) -> list[Text]:
    return _indented(lines((), [event_row(read_event(event), now) for event in events]))


def _indented(rows: Iterable[Text]) -> list[Text]:
    return [Text("  ").append_text(row) for row in rows]
