"""Live trees on their way from a controller to a server: nodes, and the frames of the stream, one JSON object per line.

A stream begins with `Hello`. Unless it goes on where the reader stopped, all trees follow and `Ready` ends them; then come
changes, each with the position by which a reader may go on later.
"""

from __future__ import annotations

from msgspec import Struct, json

from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.refs import ObjectRef
from trueup.model.sight import NOTHING, Sight

NODES_PER_FRAME = 500
LONGEST_FRAME = 8 * 1024 * 1024
"""Bytes of a line; a reader takes a longer one for a fault."""


class LiveNode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One object of an App's tree. `uid` is empty where there is no object, only the wish for one.

    `managed`: declared in Git; the others are below such objects by `sight.owners`. `sync` is Synced, OutOfSync or Unknown,
    and empty for what is not managed.
    """

    ref: ObjectRef
    version: str
    managed: bool = False
    sync: str = ""
    uid: str = ""
    resource_version: str = ""
    deleting: bool = False
    kstatus: Kstatus = Kstatus.CURRENT
    health: Health | None = None
    message: str = ""
    rule: str = ""
    sight: Sight = NOTHING

    @property
    def verdict(self) -> Verdict:
        return Verdict(kstatus=self.kstatus, health=self.health, message=self.message, rule=self.rule)


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """`resumed`: nothing was missed, changes follow at once; else forget what you knew, all trees follow."""

    position: str
    resumed: bool


class Tree(Struct, frozen=True, kw_only=True, tag="tree"):
    """A whole tree, or the rest of one that was begun (`more`)."""

    app: ObjectRef
    nodes: tuple[LiveNode, ...]
    more: bool = False


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """All trees were told: whatever was not is no more."""

    position: str


class Delta(Struct, frozen=True, kw_only=True, tag="delta"):
    """What became of one App's tree."""

    app: ObjectRef
    changed: tuple[LiveNode, ...] = ()
    removed: tuple[ObjectRef, ...] = ()


class Gone(Struct, frozen=True, kw_only=True, tag="gone"):
    app: ObjectRef


class Reached(Struct, frozen=True, kw_only=True, tag="at"):
    """Everything before is up to this position: after changes, and as a sign of life."""

    position: str


Frame = Hello | Tree | Ready | Delta | Gone | Reached
_ENCODER = json.Encoder()
_DECODER: json.Decoder[Frame] = json.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    return _ENCODER.encode(frame) + b"\n"


def decode_frame(line: bytes) -> Frame:
    """Raises msgspec.DecodeError."""
    return _DECODER.decode(line)


def tree_frames(app: ObjectRef, nodes: tuple[LiveNode, ...]) -> list[Frame]:
    """In pieces that stay below the longest line."""
    pieces = [nodes[at : at + NODES_PER_FRAME] for at in range(0, len(nodes), NODES_PER_FRAME)] or [()]
    return [Tree(app=app, nodes=piece, more=number > 0) for number, piece in enumerate(pieces)]


def delta_frames(app: ObjectRef, changed: tuple[LiveNode, ...], removed: tuple[ObjectRef, ...]) -> list[Frame]:
    """The same for a change."""
    steps = range(NODES_PER_FRAME, len(changed), NODES_PER_FRAME)
    first = Delta(app=app, changed=changed[:NODES_PER_FRAME], removed=removed)
    return [first, *(Delta(app=app, changed=changed[at : at + NODES_PER_FRAME]) for at in steps)]
