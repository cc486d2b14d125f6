"""A client of one cluster as one identity: manifests in, manifests out.

Impersonating clients share the connections, the bound on requests in flight and the discovery of the one they came from.
What can be asked is in `reads` and `writes`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from trueup.cluster.config import ClusterConfig
from trueup.cluster.discovery import Discovery
from trueup.cluster.exchange import impersonation_headers
from trueup.cluster.guard import WriteGuard
from trueup.cluster.reads import Reads
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.transport import OnRequest, Transport
from trueup.cluster.writes import Writes


class KubeClient(Reads, Writes):
    """`async with KubeClient(config) as client:`"""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        max_in_flight: int = 32,
        retry: RetryPolicy | None = None,
        guard: WriteGuard | None = None,
        on_request: OnRequest | None = None,
        on_warning: Callable[[str], None] | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.config = config
        self._transport = Transport(
            config,
            max_in_flight=max_in_flight,
            retry=retry or RetryPolicy(),
            on_request=on_request,
            on_warning=on_warning,
            chance=chance,
            sleep=sleep,
        )
        self._identity = ()
        self._guard = guard
        self.discovery = Discovery(self)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.discovery.close()
        await self._transport.close()

    def impersonate(self, user: str, groups: Sequence[str] = ()) -> KubeClient:
        """The same connections as another user, e.g. `system:serviceaccount:shop:deployer`.

        A service account without `groups` has its usual ones (`system:serviceaccounts`, `system:serviceaccounts:shop`,
        `system:authenticated`): the server adds them.
        """
        other = self._copy()
        other._identity = impersonation_headers(user, tuple(groups))
        return other

    @property
    def guard(self) -> WriteGuard | None:
        """Who is asked before each write."""
        return self._guard

    @property
    def impersonates(self) -> bool:
        """Whether it speaks as somebody else, whose rights then decide."""
        return bool(self._identity)

    def guarded(self, guard: WriteGuard | None) -> KubeClient:
        """The same client whose writes ask this guard first (None: nobody)."""
        other = self._copy()
        other._guard = guard
        return other

    def _copy(self) -> KubeClient:
        other = object.__new__(KubeClient)
        other.config = self.config
        other._transport = self._transport
        other._identity = self._identity
        other._guard = self._guard
        other.discovery = self.discovery
        return other
