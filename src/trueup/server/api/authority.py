"""Whether a caller may, however that is decided: by policies, or by asking Kubernetes as the person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target


class Authority(Protocol):
    @property
    def version(self) -> int:
        """Rises whenever an answer may be another than before."""
        ...

    async def may(self, caller: Caller, resource: str, action: str, target: Target) -> bool: ...

    def predicate(self, caller: Caller, resource: str, action: str) -> Callable[[Target], bool]:
        """The same for many at once; kept per person until `version` rises."""
        ...
