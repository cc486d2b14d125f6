"""What may be asked of an App's objects, and what is answered: as it is told from a server to the controller that reaches them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from trueup.apps.events import EventRow
from trueup.apps.objects.podlogs import LogOptions
from trueup.model.refs import ObjectRef


class See(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="see"):
    """One whole object."""

    ref: ObjectRef


class Change(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag="change"):
    """A JSON merge patch (RFC 7386). `if_match`: as the header has it; empty: whatever there is."""

    ref: ObjectRef
    patch: dict[str, Any]
    if_match: str = ""
    dry_run: bool = False


class Remove(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag="remove"):
    """`uid`: only this one, not another that has its name by now; empty: whatever there is."""

    ref: ObjectRef
    propagation: Literal["Background", "Foreground", "Orphan"]
    force: bool = False
    uid: str = ""
    if_match: str = ""


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="act"):
    """What its kind knows: `apps.objects.actions`."""

    ref: ObjectRef
    action: str
    parameters: dict[str, str] = {}


class EventsOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="events"):
    """Kubernetes' Events of one object."""

    ref: ObjectRef


class AllEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="all-events"):
    """Those of everything in its tree."""


class LogsOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="logs"):
    """Which logs there are: of a pod, of a workload's pods; None: of all of the App's. `container` empty: all."""

    ref: ObjectRef | None = None
    container: str = ""


Ask = See | Change | Remove | Act | EventsOf | AllEvents | LogsOf


class Seen(Struct, frozen=True, kw_only=True):
    """`ref` without a namespace where the kind has none."""

    ref: ObjectRef
    manifest: dict[str, Any]


class Done(Struct, frozen=True, kw_only=True):
    """`after` None: it goes, or another will take its place. `message`: what was done, of an action."""

    ref: ObjectRef
    before: dict[str, Any]
    after: dict[str, Any] | None = None
    message: str = ""


class EventsSeen(Struct, frozen=True, kw_only=True):
    """As the cluster has them."""

    items: tuple[dict[str, Any], ...]


class EventRows(Struct, frozen=True, kw_only=True):
    """The newest last. `notes`: what is not among them, and why."""

    items: tuple[EventRow, ...]
    notes: tuple[str, ...] = ()


class LogsSeen(Struct, frozen=True, kw_only=True):
    """Of how many containers; never none."""

    sources: int


Told = Seen | Done | EventsSeen | EventRows | LogsSeen


class ObjectsWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something asked of the objects of one App."""

    app: ObjectRef
    ask: Ask


class LogsWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lines of those logs, as a stream."""

    app: ObjectRef
    of: LogsOf
    options: LogOptions
