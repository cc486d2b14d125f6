"""What a reconcile wants done, as values: the pure half of a controller answers these, `perform` does them.

Every write that changes or removes an object carries what it was read as (uid, resourceVersion), so that a decision made on
an old state is refused instead of done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias, assert_never

import structlog
from msgspec import Struct

from trueup.embedded.api.client import Client
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.clock import Clock, stamp
from trueup.model.apierror import ApiError
from trueup.model.manifest import (
    Manifest,
    api_version_of,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)

log = structlog.get_logger(__name__)

EVENTS = Resource("", "events")


class Create(Struct, frozen=True):
    """A new object. `manifest` is not shared with anybody. When `component` made a pod for `owner`, an Event about the owner
    names it, which nobody can before the server has made up its name."""

    resource: Resource
    manifest: Manifest
    owner: Manifest | None = None
    component: str = ""


class Update(Struct, frozen=True):
    """A whole new state of an object that was read, with which it may share parts; a Conflict when it moved meanwhile."""

    resource: Resource
    manifest: Manifest
    subresource: str = ""


class Patch(Struct, frozen=True):
    """A JSON merge patch. `metadata.uid` or `resourceVersion` in it are preconditions."""

    resource: Resource
    namespace: str
    name: str
    patch: dict[str, Any]
    subresource: str = ""


class Delete(Struct, frozen=True):
    """A delete of exactly the object with this uid."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    propagation: str = "Background"
    grace_period_seconds: int | None = None
    resource_version: str = ""


class Say(Struct, frozen=True):
    """A core Event about an object: told once, counted when it is said again, and lost rather than a hindrance."""

    about: Manifest
    reason: str
    message: str
    component: str
    type: str = "Normal"


Write: TypeAlias = Create | Update | Patch | Delete | Say
Perform: TypeAlias = Callable[[Write], Awaitable[None]]


class Work(Struct, frozen=True):
    """The end of a reconcile: the writes that bring the world nearer to what is declared, and when to look again
    although nothing happened (None: only an event is worth a look)."""

    writes: tuple[Write, ...] = ()
    again_at: datetime | None = None


NOTHING = Work()


def delete_of(resource: Resource, obj: Manifest, **options: Any) -> Delete:
    """The delete of an object as it was read."""
    return Delete(resource, namespace_of(obj), name_of(obj), uid_of(obj), **options)


def status_write(resource: Resource, obj: Manifest, status: dict[str, Any]) -> tuple[Write, ...]:
    """The write that gives `obj` this status; none when it has it already."""
    if without_nulls(obj.get("status")) == without_nulls(status):
        return ()
    return (Update(resource, {**obj, "status": status}, "status"),)


def patch_of(resource: Resource, obj: Manifest, patch: dict[str, Any], subresource: str = "") -> Patch:
    """A merge patch of an object as it was read: refused when it is another one or has moved meanwhile."""
    guard = {"uid": uid_of(obj), "resourceVersion": resource_version_of(obj)}
    guarded = {**patch, "metadata": {**patch.get("metadata", {}), **guard}}
    return Patch(resource, namespace_of(obj), name_of(obj), guarded, subresource)


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the times that are set."""
    return min((each for each in times if each is not None), default=None)


async def perform(client: Client, clock: Clock, write: Write) -> None:
    """Does one write; raises ApiError as the API answers it."""
    match write:
        case Create():
            made = await client.create(write.resource, write.manifest)
            if write.owner is not None:
                told = Say(write.owner, "SuccessfulCreate", f"Created pod: {name_of(made)}", write.component)
                await _say(client, clock.now(), told)
        case Update():
            await client.update(write.resource, write.manifest, write.subresource)
        case Patch():
            await client.patch(write.resource, write.namespace, write.name, write.patch, write.subresource)
        case Delete():
            await client.delete(
                write.resource,
                write.namespace,
                write.name,
                uid=write.uid,
                resource_version=write.resource_version,
                propagation=write.propagation,
                grace_period_seconds=write.grace_period_seconds,
            )
        case Say():
            await _say(client, clock.now(), write)
        case _:
            assert_never(write)


async def _say(client: Client, now: datetime, said: Say) -> None:
    meta = metadata_of(said.about)
    what = f"{uid_of(said.about)}/{said.type}/{said.reason}/{said.message}".encode()
    name = f"{name_of(said.about)[:230]}.{sha256(what).hexdigest()[:16]}"
    namespace = namespace_of(said.about) or "default"
    known = client.get(EVENTS, namespace, name)
    try:
        if known is not None:
            count = int(known.get("count") or 1) + 1
            await client.patch(EVENTS, namespace, name, {"count": count, "lastTimestamp": stamp(now)})
            return
        regarding = {"kind": kind_of(said.about), "apiVersion": api_version_of(said.about)}
        regarding |= {each: meta[each] for each in ("name", "namespace", "uid", "resourceVersion") if meta.get(each)}
        event: Manifest = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": regarding,
            "reason": said.reason,
            "message": said.message,
            "type": said.type,
            "count": 1,
            "firstTimestamp": stamp(now),
            "lastTimestamp": stamp(now),
            "eventTime": None,
            "source": {"component": said.component},
            "reportingComponent": said.component,
            "reportingInstance": "",
        }
        await client.create(EVENTS, event)
    except ApiError as error:
        log.debug("event not recorded", reason=said.reason, error=str(error))


def without_nulls(value: Any) -> Any:
    """Decoded JSON without keys that hold null: a server may keep or drop those, and they mean the same."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def clone(value: Any) -> Any:
    """A deep copy of decoded JSON; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value
