"""What the server says of itself: version, document, health. No secret and nothing of the cluster is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.openapi import document
from trueup.server.api.operation import PUBLIC, SIGNED_IN, Answer, Operation, Surface
from trueup.version import __version__


class Version(Struct, frozen=True, kw_only=True):
    version: str
    name: str = "trueup"


class Standing(Struct, frozen=True, kw_only=True):
    """`problems`: what is wrong with our sight of the cluster, one line each."""

    version: str
    problems: tuple[str, ...]
    apps: int
    sources: int
    streams: int


class About:
    def __init__(self, problems: Callable[[], Sequence[str]], counts: Callable[[], tuple[int, int, int]]) -> None:
        self._problems = problems
        self._counts = counts
        self.operations: Sequence[Operation] = ()

    async def version(self, _: Call) -> Answer:
        return Answer(body=Version(version=__version__))

    async def argo_version(self, _: Call) -> Answer:
        """As Argo CD's clients read it: they compare the first number."""
        return Answer(body={"Version": f"v3.4.0+trueup.{__version__}"})

    async def document(self, _: Call) -> Answer:
        return Answer(body=self._document())

    async def standing(self, _: Call) -> Answer:
        apps, sources, streams = self._counts()
        return Answer(
            body=Standing(
                version=__version__, problems=tuple(self._problems()), apps=apps, sources=sources, streams=streams
            )
        )

    @cache  # noqa: B019 lives as long as the process
    def _document(self) -> dict[str, Any]:
        return document(self.operations)


def about_operations(about: About) -> list[Operation]:
    return [
        Operation(
            id="about.version",
            method="GET",
            path="/api/trueup/v1/version",
            summary="Which Trueup this is",
            access=PUBLIC,
            answer=Version,
            handler=about.version,
        ),
        Operation(
            id="about.openapi",
            method="GET",
            path="/api/trueup/v1/openapi.json",
            summary="This document",
            access=PUBLIC,
            handler=about.document,
        ),
        Operation(
            id="about.standing",
            method="GET",
            path="/api/trueup/v1/standing",
            summary="Whether the server sees everything that it should",
            access=SIGNED_IN,
            answer=Standing,
            handler=about.standing,
        ),
        Operation(
            id="argocd.version",
            method="GET",
            path="/api/version",
            summary="Which Argo CD's API this is like",
            access=PUBLIC,
            surface=Surface.ARGOCD,
            handler=about.argo_version,
        ),
    ]
