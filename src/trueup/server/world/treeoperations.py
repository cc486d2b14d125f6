"""Operations on live trees: one as it is, and one as it changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from trueup.apps.livetree import LiveNode
from trueup.apps.nodes import known_syncs
from trueup.model.errors import TrueupError
from trueup.model.health import Kstatus
from trueup.model.inventory import InventoryEntry
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Event, Events, Needs, Operation
from trueup.server.world.following import FRAME_SECONDS, RIGHTS_SECONDS
from trueup.server.world.operations import APP, Apps
from trueup.server.world.rows import Known
from trueup.server.world.treerows import TreeRow, is_history, parents_first, row_of
from trueup.server.world.trees import Trees

NEVER_HEARD = "no controller has told of its objects yet; this is what its status remembers"


class TreeQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`history`: also what earlier rollouts left behind, such as ReplicaSets without a pod."""

    history: bool = False


class TreeFollowQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    history: bool = False


class TreeAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """Parents before what they own. `problem`: why this may be old, and `staleSince` when it was last known to be current."""

    nodes: tuple[TreeRow, ...]
    event_id: str
    problem: str = ""
    stale_since: datetime | None = None


class AppTrees:
    """The handlers."""

    def __init__(self, apps: Apps, trees: Trees, clock: Callable[[], datetime] = utc_now) -> None:
        self._apps = apps
        self._trees = trees
        self._clock = clock

    async def get(self, call: Call) -> Answer:
        known = self._apps.known(call)
        tree = await self._tree(call, known, history=call.query.history)
        etag = f'"{tree.event_id}"' if tree.event_id and not tree.problem else None
        return Answer(body=tree, etag=etag)

    async def follow(self, call: Call) -> Events:
        return Events(source=self._events(call, self._apps.known(call), history=call.query.history))

    async def _events(self, call: Call, known: Known, *, history: bool) -> AsyncIterator[Event]:
        """`tree`: all of it, forget what you knew. `changes`: `{"nodes": [rows], "removed": [ids]}`; `removed` may name what
        never was shown. `stale`: from now on it may be old, or (`{"problem": ""}`) is current again."""
        app, trees = known.ref, self._trees
        since, problem, rights = call.last_event_id, "", call.rights_version
        first = True
        while True:
            if call.rights_version != rights:
                rights = call.rights_version
                if not await call.may("applications", "get", self._apps.target(call)):
                    return
                since, first = "", True  # other objects may be to be seen
            news = trees.news(app, since)
            if news.reset or (first and not since):
                tree = await self._tree(call, self._apps.known(call), history=history)
                since, problem = tree.event_id, trees.news(app, tree.event_id).problem
                yield Event(msgspec.json.encode(tree), event="tree", id=since)
            else:
                since = news.event_id
                if news.changed or news.removed:
                    frame = await self._frame(call, app, news.changed, news.removed, history=history)
                    yield Event(frame, event="changes", id=since)
                if news.problem != problem:
                    problem = news.problem
                    yield Event(msgspec.json.encode({"problem": problem}), event="stale", id=since)
            first = False
            await asyncio.sleep(FRAME_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RIGHTS_SECONDS):
                    await trees.wait(app, since, problem)

    async def _frame(
        self, call: Call, app: ObjectRef, changed: Iterable[ObjectRef], removed: Iterable[ObjectRef], *, history: bool
    ) -> bytes:
        """What is not to be seen does not go either: nobody was told that it was there."""
        changed, removed = tuple(changed), tuple(removed)
        lines = [self._trees.line(app, ref) for ref in changed]
        sees = await call.sight({*removed, *(ref for line in lines for ref in line)})
        rows: list[bytes] = []
        gone = [ref.qualified for ref in removed if sees(ref)]
        for ref, line in zip(changed, lines, strict=True):
            node = self._trees.node(app, ref)
            if not sees(ref) or not all(map(sees, line)):
                continue
            if node is None or (is_history(node) and not history):
                gone.append(ref.qualified)
            else:
                rows.append(self._trees.encoded(app, ref))
        return b'{"nodes":[' + b",".join(rows) + b'],"removed":' + msgspec.json.encode(gone) + b"}"

    async def _tree(self, call: Call, known: Known, *, history: bool) -> TreeAnswer:
        tree = self._trees.tree(known.ref)
        if tree is None:
            found = remembered(known, self._clock())
            sees = await call.sight(node.ref for node in found)
            nodes = tuple(row_of(node, None) for node in found if sees(node.ref))
            return TreeAnswer(nodes=nodes, event_id="", problem=NEVER_HEARD)
        visible = await visible_nodes(call, self._trees, known.ref, tree.nodes)
        shown = parents_first(node for node in visible if history or not is_history(node))
        return TreeAnswer(
            nodes=tuple(row_of(node, self._trees.parent(known.ref, node)) for node in shown),
            event_id=tree.event_id,
            problem=tree.problem,
            stale_since=tree.stale_since,
        )


async def visible_nodes(call: Call, trees: Trees, app: ObjectRef, nodes: Iterable[LiveNode]) -> list[LiveNode]:
    """Those that the caller may see, down to the first that they may not: what hangs below it is not told of either."""
    nodes = tuple(nodes)
    lines = [trees.line(app, node.ref) for node in nodes]
    sees = await call.sight({ref for line in lines for ref in line})
    return [node for node, line in zip(nodes, lines, strict=True) if all(map(sees, line))]


def remembered(known: Known, now: datetime) -> list[LiveNode]:
    """What the App's own status says of its objects: that they are, and of some whether they are in sync."""
    try:
        entries: Iterable[InventoryEntry] = known.dialect.stored_inventory(known.obj).entries
    except TrueupError:
        entries = ()
    syncs, otherwise = known_syncs(known.obj, known.dialect, now)
    return [
        LiveNode(
            ref=entry.ref,
            version=entry.version,
            managed=True,
            sync=syncs.get(entry.ref, otherwise),
            kstatus=Kstatus.UNKNOWN,
            rule="remembered",
        )
        for entry in entries
    ]


def operations(trees: AppTrees, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="trees.get",
            method="GET",
            path=APP + "/tree",
            summary="The objects of an App and what they own, down to pods, each with health, sync and facts",
            access=Needs("applications", "get", apps.target),
            query=TreeQuery,
            answer=TreeAnswer,
            handler=trees.get,
        ),
        Operation(
            id="trees.follow",
            method="GET",
            path=APP + "/tree/events",
            summary="The same as it changes, as server-sent events",
            access=Needs("applications", "get", apps.target),
            query=TreeFollowQuery,
            streams=True,
            handler=trees.follow,
        ),
    ]
