"""Open watches of a scenario: lines read in order, each with a bound on the wait."""

import asyncio
import contextlib
import json
from typing import Any

import aiohttp
import yaml

from tests.embedded.api.comparing import Server, sent

PATIENCE = 20.0


class OpenWatch:
    """One watch. What it answered when it was opened is `status` and `answer`."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.media_type = response.headers.get("Content-Type", "")

    @classmethod
    async def open(cls, server: Server, path: str, **headers: str) -> "OpenWatch":
        assert server.session is not None
        timeout = aiohttp.ClientTimeout(total=None)
        wanted = sent("application/json", headers)
        async with asyncio.timeout(PATIENCE):
            return cls(await server.session.get(path, headers=wanted, timeout=timeout))

    async def refusal(self) -> Any:
        """The whole answer of a watch that was not opened."""
        raw = await self._response.read()
        return yaml.safe_load(raw) if "json" in self.media_type or "yaml" in self.media_type else raw.decode()

    async def event(self) -> dict[str, Any] | None:
        """The next event; None at the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            line = await self._response.content.readline()
        if not line:
            return None
        found: dict[str, Any] = json.loads(line)
        return found

    async def events(self, wanted: int | str) -> list[Any]:
        """So many events, bookmarks not counted and not told, since the real server sends them when it likes; or those until
        the `end`, or until the first of a type such as BOOKMARK."""
        found: list[Any] = []
        while not (isinstance(wanted, int) and len(found) == wanted):
            event = await self.event()
            if event is None:
                return [*found, "end"]
            if isinstance(wanted, str) or event.get("type") != "BOOKMARK":
                found.append(event)
            if event.get("type") == wanted:
                break
        return found

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._response.close()
