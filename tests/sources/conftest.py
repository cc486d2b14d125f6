"""Fixtures of the Git source tests: a mirror folder, work trees, a server process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from tests.sources.gitkit import Work
from trueup.sources.mirrors import GitMirrors


@pytest.fixture(autouse=True)
def nothing_of_ours_blocks_the_loop() -> Iterator[None]:
    with blockbuster_ctx("trueup") as guard:
        guard.activate()
        yield


@pytest.fixture
def mirrors(tmp_path: Path) -> GitMirrors:
    return GitMirrors(tmp_path / "mirrors", allow_local=True)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A repository with one commit on main."""
    work = Work(tmp_path / "upstream")
    work.commit(
        {"apps/web/deployment.yaml": "replicas: 1\n", "apps/api/service.yaml": "port: 80\n", "README.md": "hello\n"},
        "first",
    )
    return work


@pytest.fixture
async def no_leftovers(tmp_path: Path) -> AsyncIterator[Callable[[], None]]:
    def check() -> None:
        left = [
            path.name
            for path in (tmp_path / "mirrors").rglob("*")
            if "tmp_" in path.name or path.name.endswith(".lock")
        ]
        assert left == []

    yield check
    check()
