"""Tries whether what a Secret registers answers with the credentials that it has: the test of a repository or a cluster.

Only what is registered is tried, by the same code that works with it, so no test reaches what an App could not. Nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import islice
from typing import Protocol

import msgspec
from msgspec import Struct

from trueup.apps.probe import MOST_NAMES, Probe, ProbeWish
from trueup.cluster.client import KubeClient
from trueup.cluster.retry import RetryPolicy
from trueup.controllers.sites.registered import config_of
from trueup.dialects.argocd.clusters import CLUSTER, read_cluster
from trueup.dialects.argocd.repositories import REPO_CREDS, REPOSITORY, SECRET_TYPE, source_of
from trueup.dialects.argocd.shared import IN_CLUSTER_SERVER
from trueup.model.errors import Terminal, Transient, TrueupError
from trueup.model.manifest import Manifest, labels_of
from trueup.model.refs import ObjectRef
from trueup.model.source import Source
from trueup.sources.contents import Contents, Listable
from trueup.sources.secrets import SourceSecrets

SECONDS = 20.0
"""In which an answer has to come."""
AT_ONCE, WAITING = 4, 16
_ONCE = RetryPolicy(attempts=1)


class NotRegistered(Terminal):
    """No Secret of that name registers a repository or a cluster."""

    reason = "NotFound"


class Lists(Protocol):
    async def contents(self, source: Listable, secrets: SourceSecrets) -> Contents: ...


class Finds(Protocol):
    async def by_secret(self, secret: Manifest, source: Source) -> SourceSecrets: ...


class _Version(Struct, rename="camel"):
    git_version: str = ""


class Probing:
    """`read` gives a Secret as it is now; `home` is the client of the cluster that we are in."""

    def __init__(
        self,
        read: Callable[[ObjectRef], Awaitable[Manifest | None]],
        lists: Lists,
        credentials: Finds,
        home: KubeClient,
        namespace: str,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._read = read
        self._lists = lists
        self._credentials = credentials
        self._home = home
        self._namespace = namespace
        self._seconds = seconds
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def probe(self, wish: ProbeWish) -> Probe:
        """What went wrong over there is in the answer. Raises NotRegistered, Transient where too many tests are under way."""
        secret = await self._read(ObjectRef("", "Secret", self._namespace, wish.secret))
        kind = labels_of(secret).get(SECRET_TYPE) if secret is not None else None
        if secret is None or kind not in (CLUSTER, REPOSITORY, REPO_CREDS):
            raise NotRegistered(f"no Secret {wish.secret} registers a repository or a cluster")
        if self._waiting >= WAITING:
            raise Transient("too many tests are under way", hint="try again in a moment")
        self._waiting += 1
        try:
            async with self._turn, asyncio.timeout(self._seconds):
                return await (self._cluster(secret) if kind == CLUSTER else self._repository(secret))
        except TimeoutError:
            return Probe(
                reachable=False,
                reason="Timeout",
                message=f"it does not answer within {self._seconds:.0f} s",
                hint="is the address right, and may the controller reach it?",
            )
        except TrueupError as error:
            return Probe(reachable=False, reason=error.reason, message=error.message, hint=error.hint)
        finally:
            self._waiting -= 1

    async def _repository(self, secret: Manifest) -> Probe:
        source = source_of(secret, timedelta(seconds=self._seconds))
        found = await self._lists.contents(source, await self._credentials.by_secret(secret, source))
        charts = {name: found.charts[name][:MOST_NAMES] for name in islice(found.charts, MOST_NAMES)}
        return Probe(
            reachable=True,
            default_branch=found.default_branch,
            branches=found.branches[:MOST_NAMES],
            tags=found.tags[:MOST_NAMES],
            charts=charts,
        )

    async def _cluster(self, secret: Manifest) -> Probe:
        access = read_cluster(secret)
        if access.server == IN_CLUSTER_SERVER:
            return await _versioned(self._home)
        async with KubeClient(config_of(access, access.name or access.server), max_in_flight=1, retry=_ONCE) as client:
            return await _versioned(client)


async def _versioned(client: KubeClient) -> Probe:
    """By what a login is needed for, as far as a cluster asks for one: some tell everybody their version."""
    answer = await client.raw("GET", "/version", seconds=SECONDS)
    await client.raw("GET", "/api", seconds=SECONDS)
    try:
        version = msgspec.json.decode(answer.body, type=_Version).git_version
    except msgspec.MsgspecError:
        version = ""
    if not version:
        return Probe(reachable=False, reason="NotACluster", message="what answers there is no Kubernetes API server")
    return Probe(reachable=True, version=version[:64])
