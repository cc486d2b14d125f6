"""An App's objects in another cluster, looked at by the caller's own right to read the Secret that leads there.

Never with the session's cluster instead: what bears the same name there is another object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trueup.cli.session import Found, Session
from trueup.cluster.client import KubeClient
from trueup.cluster.foreign import Leave
from trueup.controllers.adapters import AccountTokens
from trueup.controllers.sites.registry import Registry
from trueup.controllers.sites.ways import Ways
from trueup.dialects.argocd.repositories import SECRET_TYPE
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.manifest import Manifest
from trueup.model.target import Destination, Target


@asynccontextmanager
async def at_cluster_of(session: Session, found: Found) -> AsyncIterator[Session]:
    """A session with the cluster that the App's objects live in: this one, for most. Raises TrueupError."""
    if not found.kind.dialect.cluster_of(found.obj):
        yield session
        return
    target = found.kind.dialect.read_app(found.obj).target
    async with at_target(session, target) as there:
        yield there


@asynccontextmanager
async def at_target(session: Session, target: Target | None) -> AsyncIterator[Session]:
    """The same for the target of an App that has been read already."""
    if target is None:
        yield session
        return
    registered = await _registered(session) if isinstance(target, Destination) else []
    ways = Ways(session.get, AccountTokens(session.client), Registry(lambda: registered).find, Leave())
    way = await ways.to(target)
    if way.is_home:
        yield session
        return
    async with KubeClient(way.config) as client:
        yield Session(client, namespace=session.namespace, dialects=session.dialects)


async def _registered(session: Session) -> list[Manifest]:
    secret = await session.client.discovery.resource("", "v1", "Secret")
    return await session.client.list_all(secret, CONTROL_NAMESPACE, label_selector=SECRET_TYPE)
