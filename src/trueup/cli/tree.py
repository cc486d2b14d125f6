"""`trueup tree`: an App, its objects, and what they own, with health and sync."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs
from rich.text import Text

from trueup.apps.nodes import Node
from trueup.apps.status import Status
from trueup.apps.times import utc_now
from trueup.apps.views import AppView, view_app
from trueup.cli.console import out, shown
from trueup.cli.following import follow_all
from trueup.cli.objects import CHILD_KINDS, read_tree
from trueup.cli.options import AppName, Context, Format, Kubeconfig, Namespace, Output, Watch
from trueup.cli.output import write_data, write_names
from trueup.cli.session import Found, Session, in_session
from trueup.cli.table import Cell, lines
from trueup.cli.words import word
from trueup.model.apierror import KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.health import Health, Kstatus
from trueup.model.refs import ObjectRef, join_api_version

DEEPEST = 8
"""Apps within Apps; deeper ones are named, not opened."""
BREATH = 0.3
_BRANCH, _LAST, _PIPE, _BLANK = "├── ", "└── ", "│   ", "    "


@shown
def tree(
    name: AppName,
    output: Format = Output.TABLE,
    watch: Watch = False,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Draw an App with its objects and what they own."""

    async def work(session: Session) -> None:
        found = await session.find(name)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps have objects", ref=found.ref)
        nodes = await read_nested(session, found, frozenset())
        view = view_app(found.obj, found.kind.dialect, utc_now())
        _draw(view, nodes, output)
        if watch:
            await _watch(session, found, output, _text(view, nodes))

    in_session(work, kubeconfig, context, namespace)


def _draw(view: AppView, nodes: Sequence[Node], output: Output) -> None:
    match output:
        case Output.TABLE:
            for line in tree_lines(view, nodes):
                out.print(line)
        case Output.NAME:
            write_names(_in_order(nodes))
        case Output.JSON | Output.YAML:
            write_data(tree_data(view, nodes), output)


def _text(view: AppView, nodes: Sequence[Node]) -> str:
    return "\n".join(line.plain for line in tree_lines(view, nodes))


async def read_nested(session: Session, found: Found, above: frozenset[ObjectRef]) -> tuple[Node, ...]:
    """The tree of an App; Apps among its objects are opened too, each at most once on the way down."""
    nodes = await read_tree(session, found, utc_now())
    if found.kind.dialect.cluster_of(found.obj):
        return nodes  # an App among them is one of that cluster
    above = above | {found.ref}
    apps = {kind.group_kind: kind for kind in await session.kinds() if not kind.is_source}
    opened: list[Node] = []
    for node in nodes:
        kind = apps.get(node.ref.group_kind)
        if kind is None or node.ref in above or len(above) > DEEPEST:
            opened.append(node)
            continue
        obj = await session.get(node.ref, kind.resource.version)
        children = await read_nested(session, Found(kind, obj), above) if obj is not None else ()
        opened.append(structs.replace(node, children=children))
    return tuple(opened)


def tree_lines(view: AppView, nodes: Sequence[Node]) -> list[Text]:
    """The drawing, with health, sync and what is wrong in columns on the right. Pure."""
    top = Text(str(view.ref), style="bold")
    if view.revision is not None:
        top.append(f" {view.revision.short}", style="not bold cyan")
    health: Cell = word(view.health) if view.health else ""
    message = "" if view.status is Status.READY else view.message
    rows: list[list[Cell]] = [[top, health, word(view.status), message]]
    rows.extend(_rows(nodes, "", top=True))
    return lines(("OBJECT", "HEALTH", "SYNC", "MESSAGE"), rows, width=out.width if out.is_terminal else None)


def _rows(nodes: Sequence[Node], indent: str, *, top: bool = False) -> Iterator[list[Cell]]:
    for number, node in enumerate(nodes, 1):
        last = number == len(nodes)
        name = Text(indent + (_LAST if last else _BRANCH), style="dim")
        name.append(str(node.ref), style="not dim")
        yield [name, word(health_word(node)), word(node.sync) if top or node.sync else "", problem(node)]
        yield from _rows(node.children, indent + (_BLANK if last else _PIPE))


def health_word(node: Node) -> str:
    """Argo CD's word where its rules speak, else nothing; kstatus's where that finds something amiss."""
    verdict = node.verdict
    if verdict.health is not None and verdict.health is not Health.HEALTHY:
        return str(verdict.health)
    if verdict.kstatus is not Kstatus.CURRENT:
        return str(verdict.kstatus)
    return str(verdict.health) if verdict.health is not None else ""


def problem(node: Node) -> str:
    well = node.verdict.kstatus is Kstatus.CURRENT and node.verdict.health in (None, Health.HEALTHY)
    return "" if well else node.verdict.message


def tree_data(view: AppView, nodes: Sequence[Node]) -> dict[str, Any]:
    """For scripts: refs as the texts that every command takes."""
    return {
        "app": str(view.ref),
        "status": str(view.status),
        "revision": str(view.revision) if view.revision else "",
        "objects": [node_data(node) for node in nodes],
    }


def node_data(node: Node) -> dict[str, Any]:
    ref = node.ref
    return {
        "apiVersion": join_api_version(ref.group, node.version),
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "health": str(node.verdict.health) if node.verdict.health else None,
        "kstatus": str(node.verdict.kstatus),
        "message": node.verdict.message,
        "rule": node.verdict.rule,
        "sync": node.sync or None,
        "children": [node_data(child) for child in node.children],
    }


def _in_order(nodes: Sequence[Node]) -> Iterator[ObjectRef]:
    for node in nodes:
        yield node.ref
        yield from _in_order(node.children)


async def _watch(session: Session, found: Found, output: Output, drawn: str) -> None:
    """Draws again whenever the drawing would be another. The App's own changes and those of its workloads wake it."""
    resources = {found.kind.resource}
    elsewhere = bool(found.kind.dialect.cluster_of(found.obj))
    workloads = (
        () if elsewhere else (*CHILD_KINDS, ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"))
    )
    for group, kind in workloads:
        with contextlib.suppress(KindNotServed):
            resources.add(await session.client.discovery.resource(group, "", kind))
    async with follow_all(session.client, sorted(resources, key=str), "") as changes:
        wake = asyncio.Event()

        async def listen() -> None:
            async for _ in changes:
                wake.set()

        async def draw_again(last: str) -> str | None:
            """The text that is now on the screen; None: the App is gone."""
            obj = await session.get(found.ref, found.kind.resource.version)
            if obj is None:
                return None
            nodes = await read_nested(session, Found(found.kind, obj), frozenset())
            view = view_app(obj, found.kind.dialect, utc_now())
            text = _text(view, nodes)
            if text != last:
                out.print()
                _draw(view, nodes, output)
            return text

        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen(), name="tree changes")
            last: str | None = drawn
            while last is not None:
                await wake.wait()
                await asyncio.sleep(BREATH)  # changes come in crowds; one drawing is enough for them
                wake.clear()
                last = await draw_again(last)
            listening.cancel()
