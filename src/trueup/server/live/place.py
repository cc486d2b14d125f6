"""Where objects of a person's question are: the App that holds them, and the client that may touch them.

The protocols are what `server.world` and the process around give; the operations here know nothing else of them.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target


class Placed(Struct, frozen=True):
    """One object of an App's tree; `version` is the API version in which it is read, `pods` its pods, itself included."""

    ref: ObjectRef
    version: str
    pods: tuple[ObjectRef, ...] = ()


class Place(Protocol):
    def target(self, call: Call) -> Target:
        """The App that the path names. Raises NotFound."""
        ...

    def find(self, app: ObjectRef, ref: ObjectRef) -> Placed:
        """The object in the App's tree, or the App itself. Raises NotFound: what is not an App's is none of its readers' business."""
        ...

    def pods(self, app: ObjectRef) -> tuple[ObjectRef, ...]:
        """All pods of the App's tree."""
        ...


class Clients(Protocol):
    def of(self, caller: Caller) -> KubeClient:
        """By which the caller's wishes are carried out: our own, or one that speaks as the person."""
        ...
