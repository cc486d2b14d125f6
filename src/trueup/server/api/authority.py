"""Whether a caller may, however that is decided: by policies, or by asking Kubernetes as the person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from trueup.model.refs import ObjectRef
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target

Sight = Callable[[ObjectRef], bool]
"""Whether an object is to be seen by somebody."""


class Authority(Protocol):
    @property
    def lasting(self) -> bool:
        """Whether an answer holds until `version_of` rises; else for a short while only."""
        ...

    def version_of(self, caller: Caller) -> int:
        """Rises whenever an answer of `predicate` may be another than before."""
        ...

    async def prepare(self, caller: Caller) -> None:
        """Before `predicate`, and again from time to time: asks whatever has to be asked ahead. Raises Transient."""
        ...

    async def may(self, caller: Caller, resource: str, action: str, target: Target) -> bool: ...

    def predicate(self, caller: Caller, resource: str, action: str) -> Callable[[Target], bool]:
        """The same for many at once; kept per person."""
        ...

    async def sight(self, caller: Caller, refs: Iterable[ObjectRef]) -> Sight:
        """Which of an App's objects the caller may see, who may see the App."""
        ...

    def advice(self, resource: str, action: str, target: Target) -> str:
        """What somebody would have to be given, who may not."""
        ...
