"""Takes deliveries: who sent it, is it proved, was it here before, whom does it concern. The shell around the providers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from trueup.model.news import News
from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.providers import Secrets, provider_of
from trueup.sources.giturl import mask_url

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
"""Ids and bodies of deliveries; an attacker who recorded an older one can cause one look at a remote with it."""


class Answer(Struct, frozen=True, kw_only=True):
    """`sources` is how many were woken by it. `address`: from where it came."""

    provider: str
    sources: int
    news: tuple[str, ...] = ()
    address: str = ""


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
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    async def receive(self, delivery: Delivery) -> Answer:
        """Raises Refused."""
        provider = provider_of(delivery)
        try:
            news = provider.news(delivery, await self._secrets())
            marks = provider.marks(delivery)
            self._take_up(marks)
        except Refused as refused:
            why = refused.message
            log.warning("webhook refused", provider=provider.name, why=why, address=delivery.address)
            raise
        woken = 0
        try:
            for one in dict.fromkeys(news):
                woken += await self._tell(one)
        except BaseException:
            self._give_back(marks)  # what failed on the way may be sent again
            raise
        # A script may send the address with which it clones itself, its credentials in it.
        shown = tuple(mask_url(str(one)) for one in news)
        log.info("webhook taken", provider=provider.name, news=shown, sources=woken, address=delivery.address)
        answer = Answer(provider=provider.name, sources=woken, news=shown, address=delivery.address)
        self._note(answer)
        return answer

    def _take_up(self, marks: tuple[bytes, ...]) -> None:
        """Only what was proved comes here, so that nobody can fill the memory with ids to come. Raises Refused."""
        if any(mark in self._seen for mark in marks):
            raise Refused(409, "this delivery was here before, or is being taken now")
        self._seen.update(dict.fromkeys(marks))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _give_back(self, marks: tuple[bytes, ...]) -> None:
        for mark in marks:
            self._seen.pop(mark, None)
