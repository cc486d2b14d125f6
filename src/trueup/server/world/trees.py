"""Live trees as the server knows them, from one or several controllers, with a journal per tree for whoever follows it. No I/O.

When a controller is not heard, its trees stay as they were and say since when they are old.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice

import msgspec
from msgspec import Struct

from trueup.apps.livetree import LiveNode
from trueup.model.refs import ObjectRef
from trueup.server.world.treerows import row_of

REMEMBERED = 2_000
"""Changes of one tree, for followers who were away."""


class Branch(Struct, kw_only=True):
    """What one controller tells. `since`: when it was last heard (or lost); None: never. `problem` empty: it is heard."""

    name: str
    problem: str = "it has not been reached yet"
    since: datetime | None = None


class TreeView(Struct, frozen=True, kw_only=True):
    """A tree at a moment. `stale_since` None with a `problem`: nothing was ever heard."""

    app: ObjectRef
    event_id: str
    nodes: tuple[LiveNode, ...]
    problem: str = ""
    stale_since: datetime | None = None

    @property
    def is_stale(self) -> bool:
        return bool(self.problem)


class TreeNews(Struct, frozen=True, kw_only=True):
    """What changed in one tree. `reset`: read it anew."""

    event_id: str
    changed: tuple[ObjectRef, ...] = ()
    removed: tuple[ObjectRef, ...] = ()
    reset: bool = False
    problem: str = ""


class _Tree:
    def __init__(self, branch: Branch, epoch: str) -> None:
        self.branch = branch
        self.epoch = epoch
        self.nodes: dict[ObjectRef, LiveNode] = {}
        self.encoded: dict[ObjectRef, bytes] = {}
        self.by_uid: dict[str, ObjectRef] = {}
        self.journal: deque[ObjectRef] = deque(maxlen=REMEMBERED)
        self.number = 0
        self.images: tuple[str, ...] | None = ()
        self.owned: dict[str, set[ObjectRef]] = {}
        self.waiting: set[asyncio.Event] = set()

    @property
    def event_id(self) -> str:
        return f"{self.epoch}-{self.number}"

    def put(self, node: LiveNode) -> None:
        before = self.nodes.get(node.ref)
        if before == node:
            return
        if node.managed and (before is None or before.sight.images != node.sight.images):
            self.images = None
        if before is not None:
            self._unlink(before)
        self.nodes[node.ref] = node
        for owner in node.sight.owners:
            self.owned.setdefault(owner, set()).add(node.ref)
        if node.uid:
            self.by_uid[node.uid] = node.ref
        self._note(node.ref)
        if before is None or before.uid != node.uid:
            for child in self.owned.get(node.uid, ()) if node.uid else ():
                self._note(child)  # its parent has come

    def remove(self, ref: ObjectRef) -> None:
        if (before := self.nodes.pop(ref, None)) is not None:
            if before.managed and before.sight.images:
                self.images = None
            self._unlink(before)
            self._note(ref)

    def _unlink(self, node: LiveNode) -> None:
        if self.by_uid.get(node.uid) == node.ref:
            del self.by_uid[node.uid]
        for owner in node.sight.owners:
            owned = self.owned.get(owner, set())
            owned.discard(node.ref)
            if not owned:
                self.owned.pop(owner, None)

    def _note(self, ref: ObjectRef) -> None:
        self.encoded.pop(ref, None)
        self.number += 1
        self.journal.append(ref)

    def wake(self) -> None:
        for event in self.waiting:
            event.set()


class Trees:
    """`listen` is told of each App whose tree changed, or went (False)."""

    def __init__(self) -> None:
        self._trees: dict[ObjectRef, _Tree] = {}
        self._branches: list[Branch] = []
        self._listeners: list[Callable[[ObjectRef, bool], None]] = []
        self._problem_listeners: list[Callable[[Branch], None]] = []
        self._coming: dict[ObjectRef, set[asyncio.Event]] = {}
        """Who waits for a tree that nobody has told of yet."""

    def followed(self) -> dict[str, bool]:
        """By name of the controller, whether it is heard now."""
        return {branch.name: not branch.problem for branch in self._branches}

    def __len__(self) -> int:
        return len(self._trees)

    # what is asked

    def tree(self, app: ObjectRef) -> TreeView | None:
        """None: no controller has told of it."""
        tree = self._trees.get(app)
        if tree is None:
            return None
        branch = tree.branch
        return TreeView(
            app=app,
            event_id=tree.event_id,
            nodes=tuple(tree.nodes.values()),
            problem=branch.problem,
            stale_since=branch.since if branch.problem else None,
        )

    def node(self, app: ObjectRef, ref: ObjectRef) -> LiveNode | None:
        tree = self._trees.get(app)
        return tree.nodes.get(ref) if tree is not None else None

    def parent(self, app: ObjectRef, node: LiveNode) -> ObjectRef | None:
        """Its owner in the tree; a managed object stands by itself."""
        tree = self._trees.get(app)
        return _parent(tree, node) if tree is not None else None

    def line(self, app: ObjectRef, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """An object and its owners in the tree, from itself upwards; one that is not there alone."""
        found, node = [ref], self.node(app, ref)
        while node is not None and (parent := self.parent(app, node)) is not None and parent not in found:
            found.append(parent)
            node = self.node(app, parent)
        return tuple(found)

    def pods(self, app: ObjectRef, below: ObjectRef | None = None) -> tuple[ObjectRef, ...]:
        """All pods of the tree, or those that an object owns, itself included; in order."""
        tree = self._trees.get(app)
        if tree is None:
            return ()
        refs: Iterable[ObjectRef] = tree.nodes if below is None else _with_owned(tree, below)
        return tuple(sorted(ref for ref in refs if (ref.group, ref.kind) == ("", "Pod")))

    def images(self, app: ObjectRef) -> tuple[str, ...] | None:
        """Those of the managed objects, each once, by name; worked out anew when one of them has others. None: no tree."""
        tree = self._trees.get(app)
        if tree is None:
            return None
        if tree.images is None:
            tree.images = tuple(sorted({i for node in tree.nodes.values() if node.managed for i in node.sight.images}))
        return tree.images

    def encoded(self, app: ObjectRef, ref: ObjectRef) -> bytes:
        """A node's row as JSON, made once for all who follow. Raises KeyError."""
        tree = self._trees[app]
        if (found := tree.encoded.get(ref)) is None:
            node = tree.nodes[ref]
            found = tree.encoded[ref] = msgspec.json.encode(row_of(node, _parent(tree, node)))
        return found

    def news(self, app: ObjectRef, since: str) -> TreeNews:
        """What is new after `since`, an event id of this tree."""
        tree = self._trees.get(app)
        if tree is None:
            return TreeNews(event_id="", reset=bool(since), problem="no controller tells of it")
        epoch, _, text = since.rpartition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        missed = tree.number - number
        problem = tree.branch.problem
        if epoch != tree.epoch or number < 0 or missed < 0 or missed > len(tree.journal):
            return TreeNews(event_id=tree.event_id, reset=True, problem=problem)
        refs = dict.fromkeys(islice(reversed(tree.journal), missed))
        return TreeNews(
            event_id=tree.event_id,
            changed=tuple(ref for ref in refs if ref in tree.nodes),
            removed=tuple(ref for ref in refs if ref not in tree.nodes),
            problem=problem,
        )

    async def wait(self, app: ObjectRef, since: str, problem: str = "") -> None:
        """Returns as soon as `news` would say something else than it did."""
        event = asyncio.Event()
        tree = self._trees.get(app)
        waiting = tree.waiting if tree is not None else self._coming.setdefault(app, set())
        waiting.add(event)
        try:
            while (news := self.news(app, since)).event_id == since and news.problem == problem:
                event.clear()
                await event.wait()
                if self._trees.get(app) is not tree:
                    return
        finally:
            waiting.discard(event)
            if tree is None and not waiting:
                self._coming.pop(app, None)

    def problems(self) -> list[str]:
        """Which controllers are not heard, one line each."""
        return [f"{branch.name}: {branch.problem}" for branch in self._branches if branch.problem]

    def listen(self, listener: Callable[[ObjectRef, bool], None]) -> None:
        self._listeners.append(listener)

    def listen_to_problems(self, listener: Callable[[Branch], None]) -> None:
        """Told of each controller that is lost, or heard again."""
        self._problem_listeners.append(listener)

    # what is told, by `treereading`

    def branch(self, name: str) -> Branch:
        """A place for one more controller."""
        branch = Branch(name=name)
        self._branches.append(branch)
        return branch

    def begin(self, branch: Branch, app: ObjectRef, nodes: Iterable[LiveNode]) -> None:
        """The whole tree, or the first part of it: what it does not hold any more goes."""
        tree = self._tree(branch, app)
        nodes = list(nodes)
        for ref in tree.nodes.keys() - {node.ref for node in nodes}:
            tree.remove(ref)
        self._put(app, tree, nodes)

    def change(self, branch: Branch, app: ObjectRef, changed: Iterable[LiveNode], removed: Iterable[ObjectRef]) -> None:
        tree = self._tree(branch, app)
        for ref in removed:
            tree.remove(ref)
        self._put(app, tree, changed)

    def drop(self, branch: Branch, app: ObjectRef) -> None:
        """Another controller may have taken the App over; then it is that one's."""
        tree = self._trees.get(app)
        if tree is None or tree.branch is not branch:
            return
        del self._trees[app]
        tree.wake()
        self._tell(app, there=False)

    def keep_only(self, branch: Branch, apps: set[ObjectRef]) -> None:
        for app in [app for app, tree in self._trees.items() if tree.branch is branch and app not in apps]:
            self.drop(branch, app)

    def heard(self, branch: Branch, at: datetime) -> None:
        """It is current."""
        was_lost, branch.problem, branch.since = bool(branch.problem), "", at
        if was_lost:
            self._wake(branch)

    def lost(self, branch: Branch, problem: str) -> None:
        """Everything it told is as old as its last sign of life (`since`)."""
        if branch.problem != problem:
            branch.problem = problem
            self._wake(branch)

    # parts

    def _tree(self, branch: Branch, app: ObjectRef) -> _Tree:
        tree = self._trees.get(app)
        if tree is None:
            tree = self._trees[app] = _Tree(branch, secrets.token_hex(4))
            for event in self._coming.get(app, ()):
                event.set()
        tree.branch = branch
        return tree

    def _put(self, app: ObjectRef, tree: _Tree, nodes: Iterable[LiveNode]) -> None:
        for node in nodes:
            tree.put(node)
        tree.wake()
        self._tell(app, there=True)

    def _tell(self, app: ObjectRef, *, there: bool) -> None:
        for listener in self._listeners:
            listener(app, there)

    def _wake(self, branch: Branch) -> None:
        for listener in self._problem_listeners:
            listener(branch)
        for tree in self._trees.values():
            if tree.branch is branch:
                tree.wake()


def _parent(tree: _Tree, node: LiveNode) -> ObjectRef | None:
    if node.managed:
        return None
    return next((tree.by_uid[owner] for owner in node.sight.owners if owner in tree.by_uid), None)


def _with_owned(tree: _Tree, ref: ObjectRef) -> list[ObjectRef]:
    """An object and all that it owns, as deep as it goes."""
    found = [ref] if ref in tree.nodes else []
    seen = set(found)
    for at in found:
        uid = tree.nodes[at].uid
        for child in tree.owned.get(uid, ()) if uid else ():
            if child not in seen:
                seen.add(child)
                found.append(child)
    return found
