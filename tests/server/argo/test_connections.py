"""Whether places answer: asked once for many, kept for a while, and never waited for long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from tests.server.argo.kit import NoController
from trueup.apps.probe import Probe, ProbeWish
from trueup.server.argo.connections import BAD_SECONDS, GOOD_SECONDS, Connections
from trueup.server.comparing.asking import Unavailable

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Controller(NoController):
    """`slow` places never answer; `busy`: no more are tried."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.busy = False

    async def probe(self, wish: Any) -> Probe:
        assert isinstance(wish, ProbeWish)
        self.asked.append(wish.secret)
        if self.busy:
            raise Unavailable("too many tests are under way")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await (asyncio.Event().wait() if wish.secret in self.slow else asyncio.sleep(0))
        finally:
            self.at_once -= 1
        return Probe(reachable=wish.secret not in self.down, message="nobody there" if wish.secret in self.down else "")


class Around:
    def __init__(self) -> None:
        self.now = 0.0
        self.controller = Controller()
        self.connections = Connections(self.controller, lambda: NOW, lambda: self.now, patience=0.2)

    async def states(self, *names: str, version: str = "1") -> list[str]:
        secrets = [{"metadata": {"name": name, "resourceVersion": version}} for name in names]
        return [one.status for one in await self.connections.of_all(secrets)]


async def test_an_answer_holds_for_a_while_and_a_failure_for_less() -> None:
    around = Around()
    around.controller.down = {"b"}
    assert await around.states("a", "b") == ["Successful", "Failed"]
    assert await around.states("a", "b", "a") == ["Successful", "Failed", "Successful"]
    assert around.controller.asked == ["a", "b"]
    around.now = BAD_SECONDS + 1
    around.controller.down = set()
    assert await around.states("a", "b") == ["Successful", "Successful"]
    assert around.controller.asked == ["a", "b", "b"]
    around.now = GOOD_SECONDS + 1
    await around.states("a")
    await around.states("a", version="2")
    assert around.controller.asked == ["a", "b", "b", "a", "a"], "other credentials are tried anew"


async def test_places_that_never_answer_keep_a_list_waiting_once_and_hinder_no_others() -> None:
    around = Around()
    around.controller.slow = {"a", "b", "c"}
    assert await around.states("a", "b", "c", "d") == ["Unknown"] * 4
    assert await around.states("a", *map(str, range(20)), "d") == ["Unknown", *["Successful"] * 21]
    assert around.controller.most <= 3
    assert around.controller.at_once == 0


async def test_of_a_busy_controller_nothing_is_concluded() -> None:
    around = Around()
    around.controller.busy = True
    (state,) = await around.connections.of_all([{"metadata": {"name": "a"}}])
    assert state.state == {"status": "Unknown", "message": "too many tests are under way", "attemptedAt": None}
