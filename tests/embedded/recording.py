"""What the real server said, kept beside the cases, so that the fast tests need no real server.

A test marked `real` proves each record; with `UPDATE_GOLDEN=1` it writes the record anew.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.embedded.api.comparing import Server

Scenario = dict[str, Any]
Told = Callable[[Server, Scenario, str], Awaitable[Any]]
"""From a server, a scenario and a namespace to the scenario's answers, one for each step, in a form that two servers share."""


def known(path: Path) -> dict[str, Any]:
    """What is recorded at `path`."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def proven(path: Path, said: Any) -> None:
    """The record at `path` is what was said; raises AssertionError when it is not."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    before = known(path)
    other = (
        sorted(title for title in before.keys() | said.keys() if before.get(title) != said.get(title))
        if isinstance(said, dict)
        else []
    )
    assert before == said, other


def placed(answers: Any, namespace: str) -> Any:
    """Answers with the namespace's name told as `NS`."""
    return json.loads(json.dumps(answers).replace(namespace, "NS"))


class Recording:
    """Scenarios by title, and the file of their answers. `ask` is the server they are sent to, `at_a_time` how many of them
    the real one is sent side by side."""

    def __init__(
        self,
        path: Path,
        scenarios: Mapping[str, Scenario],
        told: Told,
        *,
        ask: type[Server] = Server,
        at_a_time: int = 1,
    ) -> None:
        self.scenarios = scenarios
        self._path = path
        self._told = told
        self._ask = ask
        self._at_a_time = at_a_time

    @cached_property
    def _known(self) -> dict[str, Any]:
        return known(self._path)

    @property
    def _recorded(self) -> dict[str, Any]:
        return self._known if self._path.exists() else {}

    async def compare(self, kubeconfig: Path, title: str, namespace: str) -> None:
        """One scenario on the embedded server; raises AssertionError with the step that is answered otherwise."""
        scenario = self.scenarios[title]
        async with self._ask(kubeconfig) as server:
            answers = await self._told(server, scenario, namespace)
        for step, answer, wanted in zip(scenario["steps"], answers, self._known[title], strict=True):
            assert answer == wanted, step

    async def prove(self, kubeconfig: Path) -> None:
        """All scenarios on the real server."""
        busy = asyncio.Semaphore(self._at_a_time)
        name = self._path.stem.removesuffix("-recorded").removesuffix("recorded") or "scenario"
        async with self._ask(kubeconfig) as server:

            async def told(title: str, namespace: str) -> Any:
                async with busy:
                    return await self._told(server, self.scenarios[title], namespace)

            asked = [told(title, f"{name}-{index:03}") for index, title in enumerate(self.scenarios)]
            said = dict(zip(self.scenarios, await asyncio.gather(*asked), strict=True))
            # The real server's controllers fall behind on a busy machine: what differs is asked once more, by itself.
            differing = [title for title in said if said[title] != self._recorded.get(title)]
            for index, title in enumerate(differing):
                said[title] = await self._told(server, self.scenarios[title], f"{name}-again-{index:03}")
        proven(self._path, said)
