"""Tells a controller of a push: one small POST. Best effort; the controller polls anyway."""

from __future__ import annotations

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from trueup.embedded.gitserver.push import PushEvent

log = structlog.get_logger(__name__)

TIMEOUT = ClientTimeout(total=2)


class Notifier:
    """`base_url` is where clients find the repositories; `token` is the controller's push token."""

    def __init__(self, endpoint: str, token: str, base_url: str) -> None:
        self._endpoint = endpoint
        self._token = token
        self._base_url = base_url

    async def __call__(self, event: PushEvent) -> None:
        notice = {"url": f"{self._base_url}/{event.repository}.git"}
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                ClientSession(timeout=TIMEOUT) as session,
                session.post(self._endpoint, json=notice, headers=headers) as answer,
            ):
                if answer.status >= 400:
                    log.warning("push notice refused", status=answer.status)
        except (ClientError, TimeoutError) as error:
            log.warning("push not told to the controller; it polls", error=str(error) or "no answer in time")
