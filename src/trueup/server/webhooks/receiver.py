"""Takes deliveries: who sent it, is it proved, was it here before, whom does it concern. The shell around the providers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from trueup.model.news import News
from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.providers import Provider, Secrets, provider_of

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
"""Ids of deliveries; an attacker who recorded an older one can cause one look at a remote with it."""


class Answer(Struct, frozen=True, kw_only=True):
    """`sources` is how many were woken by it."""

    provider: str
    sources: int
    news: tuple[str, ...] = ()


class Receiver:
    """`secrets` reads the Secret as it is now; `tell` passes news on and answers how many sources they wake.

    `note` is told of each delivery that was taken.
    """

    def __init__(
        self,
        secrets: Callable[[], Awaitable[Secrets]],
        tell: Callable[[News], Awaitable[int]],
        note: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        self._secrets = secrets
        self._tell = tell
        self._note = note
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def receive(self, delivery: Delivery) -> Answer:
        """Raises Refused."""
        provider = provider_of(delivery)
        try:
            news = provider.news(delivery, await self._secrets())
            identity = provider.identify(delivery)
            self._refuse_replay(provider, identity)
        except Refused as refused:
            log.warning("webhook refused", provider=provider.name, why=refused.message)
            raise
        woken = 0
        for one in dict.fromkeys(news):
            woken += await self._tell(one)
        self._remember(provider, identity)  # not before: what failed on the way may be sent again
        log.info("webhook taken", provider=provider.name, news=[str(one) for one in news], sources=woken)
        answer = Answer(provider=provider.name, sources=woken, news=tuple(str(one) for one in news))
        self._note(answer)
        return answer

    def _refuse_replay(self, provider: Provider, identity: str) -> None:
        if (provider.name, identity) in self._seen:
            raise Refused(409, f"this delivery was here before ({identity[:100]})")

    def _remember(self, provider: Provider, identity: str) -> None:
        """Only what was proved, so that nobody can fill the memory with ids to come."""
        if not identity:
            return
        self._seen[provider.name, identity] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
