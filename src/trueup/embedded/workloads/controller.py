"""What a controller is: which changes concern which keys, and what is to be done about one key.

`decide` reads from memory and answers `Work`; it never waits and never writes. All that runs it is `loop` and `runtime`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import Work, Write
from trueup.model.apierror import ApiError
from trueup.model.manifest import metadata_of, namespace_of

KeysOf: TypeAlias = Callable[[View, Happened], Iterable[Key]]


class Trigger(Struct, frozen=True):
    """Which keys deserve a look when an object of `resource` changes."""

    resource: Resource
    keys_of: KeysOf


class Controller(Struct, frozen=True, kw_only=True):
    """One loop. `refused` may answer a write that the API refused, say with a condition; the key is tried again anyway.
    `start` are keys to look at from the beginning, though nothing about them exists; `begin` is called before any event."""

    name: str
    decide: Callable[[View, Key], Work]
    triggers: tuple[Trigger, ...]
    refused: Callable[[View, Key, Write, ApiError], Work] | None = None
    start: tuple[Key, ...] = ()
    begin: Callable[[View], None] | None = None
    workers: int = 16


def itself(_: View, happened: Happened) -> Iterable[Key]:
    """The object that changed."""
    return (happened.key,)


def its_controller(group: str, kind: str) -> KeysOf:
    """The object of that kind which controls what changed, and the one that did before."""

    def keys_of(_: View, happened: Happened) -> Iterable[Key]:
        keys: dict[Key, None] = {}
        for manifest in (happened.new, happened.old):
            for owner in metadata_of(manifest).get("ownerReferences") or () if manifest else ():
                owner_group = str(owner.get("apiVersion") or "").rpartition("/")[0]
                if owner.get("controller") and owner.get("kind") == kind and owner_group == group:
                    keys[Key(namespace_of(manifest or {}), str(owner.get("name")))] = None
        return keys

    return keys_of
