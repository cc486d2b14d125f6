"""Where the objects of an App are reached: a client of their cluster does what is asked, and nothing with what is not the App's.

Servers have one of their own cluster; for objects in another one they ask the controller, which has such a client.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from trueup.apps.objects.actions import Creation, Patch, Replacement, effect_of
from trueup.apps.objects.asks import Act, Change, Done, EventRows, LogsOf, Remove, Seen
from trueup.apps.objects.belonging import Ours, Placed, find, pods_of, pods_of_app
from trueup.apps.objects.events import events_about, events_about_all
from trueup.apps.objects.podlogs import MOST_PODS, LogLine, LogOptions, LogSource, containers_of, merged
from trueup.apps.objects.refusals import AnApp, NoLogs, check_uid, check_version
from trueup.cluster.client import KubeClient
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, namespace_of, ref_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef

TRIES = 5
"""Of an action, while others change the object in between."""
MANAGER = "trueup-server"
"""The field manager of changes that people make through the API."""


class Logs(Struct, frozen=True):
    """Of so many containers. Nothing is open before the first line is asked for, nor after the generator is closed."""

    sources: int
    lines: AsyncGenerator[list[LogLine], None]


class Reach(Protocol):
    """Of one App's objects. Everything raises NoSuchObject for what is not the App's, and what its cluster refuses."""

    async def see(self, ref: ObjectRef) -> Seen: ...

    async def change(self, ask: Change) -> Done:
        """Raises OtherVersion, AnApp."""
        ...

    async def remove(self, ask: Remove) -> Done:
        """Raises OtherVersion, AnApp."""
        ...

    async def act(self, ask: Act) -> Done:
        """Raises InvalidInput for an action that its kind does not have."""
        ...

    async def events(self, ref: ObjectRef) -> tuple[Manifest, ...]: ...

    async def all_events(self, refs: Collection[ObjectRef]) -> EventRows: ...

    async def logs(self, of: LogsOf, options: LogOptions) -> Logs:
        """Raises NoLogs where there is none."""
        ...


class Allowed(Struct, frozen=True, kw_only=True):
    """What is left alone, whoever asks. `write` raises for what is not to be written; `is_app`: changed as an App, if at all."""

    write: Callable[[ObjectRef], None] = lambda _: None
    is_app: Callable[[ObjectRef], bool] = lambda _: False


ANYTHING = Allowed()


class Near:
    """A `Reach` by a client of the cluster.

    `discreet`: what the client may not see does not exist. `whose`: by whose rights it asks, in words.
    """

    def __init__(
        self,
        client: KubeClient,
        ours: Ours,
        clock: Callable[[], datetime],
        *,
        allowed: Allowed = ANYTHING,
        discreet: bool = False,
        whose: str = "you",
    ) -> None:
        self._client = client
        self._ours = ours
        self._clock = clock
        self._allowed = allowed
        self._discreet = discreet
        self._whose = whose

    async def see(self, ref: ObjectRef) -> Seen:
        placed = await self._find(ref)
        return Seen(ref=placed.ref, manifest=placed.live)

    async def change(self, ask: Change) -> Done:
        placed = await self._find_to_write(ask.ref)
        check_version(ask.if_match, resource_version_of(placed.live))
        body = dict(ask.patch)
        if ask.if_match.strip():
            # What was asked for was asked of this version, so that it holds until the API server has it.
            body["metadata"] = {**(body.get("metadata") or {}), **_version_of(placed)}
        after = await self._patch(placed, body, dry_run=ask.dry_run)
        return Done(ref=placed.ref, before=placed.live, after=after)

    async def remove(self, ask: Remove) -> Done:
        placed = await self._find_to_write(ask.ref)
        check_version(ask.if_match, resource_version_of(placed.live))
        check_uid(ask.uid, uid_of(placed.live))
        await self._client.delete(
            placed.resource,
            placed.ref.name,
            placed.ref.namespace,
            uid=uid_of(placed.live),
            resource_version=resource_version_of(placed.live) if ask.if_match.strip() else "",
            propagation=ask.propagation,
            grace_seconds=0 if ask.force else None,
        )
        return Done(ref=placed.ref, before=placed.live)

    async def act(self, ask: Act) -> Done:
        placed = await self._find(ask.ref)
        self._allowed.write(placed.ref)
        before, ref = placed.live, placed.ref
        effect = effect_of(ask.action, before, ref.group_kind, ask.parameters, self._clock())
        match effect:
            case Patch():
                return await self._act_by_patch(ask, placed, effect)
            case Creation():
                self._allowed.write(ref_of(effect.manifest))
                after = await self._client.create(effect.manifest, manager=MANAGER)
                made = f"{after['kind']}/{after['metadata']['name']}"
                return Done(ref=ref, before=before, after=after, message=f"{ask.action}: made {made}")
            case Replacement():
                await self._client.delete(placed.resource, ref.name, ref.namespace, uid=uid_of(before))
                return Done(ref=ref, before=before, message=f"{ask.action}: another will take its place")

    async def _act_by_patch(self, ask: Act, placed: Placed, effect: Patch) -> Done:
        """On what was looked at alone. Controllers write to a workload all the time it rolls, so it may be looked at again."""
        for tries_left in reversed(range(TRIES)):
            body = {**effect.body, "metadata": {**(effect.body.get("metadata") or {}), **_version_of(placed)}}
            try:
                after = await self._patch(placed, body)
            except ApiError as error:
                if not (error.is_conflict and tries_left):
                    raise
                uid, placed = uid_of(placed.live), await self._find(ask.ref)
                check_uid(uid, uid_of(placed.live))
            else:
                return Done(ref=placed.ref, before=placed.live, after=after, message=f"{ask.action}: done")
        raise AssertionError("unreachable")

    async def events(self, ref: ObjectRef) -> tuple[Manifest, ...]:
        """Of what is declared and has gone too: its Events may say why."""
        if ref not in self._ours.versions:
            ref = (await self._find(ref)).ref
        return await events_about(self._client, ref)

    async def all_events(self, refs: Collection[ObjectRef]) -> EventRows:
        return await events_about_all(self._client, refs, self._whose)

    async def logs(self, of: LogsOf, options: LogOptions) -> Logs:
        sources = await self.log_sources(of)
        return Logs(len(sources), merged(self._client, sources, options))

    async def log_sources(self, of: LogsOf) -> list[LogSource]:
        client = self._client
        if of.ref is not None:
            pods = await pods_of(client, await self._find(of.ref))
        else:
            pods = await pods_of_app(client, self._ours, discreet=self._discreet)
        resource = await client.discovery.resource("", "v1", "Pod")
        sources = [
            LogSource(pod=name_of(pod), container=name, path=resource.path(namespace_of(pod), name_of(pod), "log"))
            for pod in pods[:MOST_PODS]
            for name in containers_of(pod)
            if of.container in ("", name)
        ]
        if not sources:
            raise NoLogs(
                "there is no pod whose log could be read",
                hint="does it have pods now? See the tree",
                ref=of.ref or self._ours.app,
            )
        return sources

    # parts

    async def _find(self, ref: ObjectRef) -> Placed:
        return await find(self._client, self._ours, ref, discreet=self._discreet)

    async def _find_to_write(self, ref: ObjectRef) -> Placed:
        """An App among the objects of another is changed with rights on itself: those on the other say nothing of its project."""
        if self._allowed.is_app(ref):
            raise AnApp(
                f"{ref} is an App of its own",
                hint="change or delete it as an App, with the rights on that one",
                ref=ref,
            )
        placed = await self._find(ref)
        self._allowed.write(placed.ref)
        return placed

    async def _patch(self, placed: Placed, body: dict[str, Any], *, dry_run: bool = False) -> Manifest:
        ref = placed.ref
        return await self._client.merge_patch(
            placed.resource, ref.name, ref.namespace, body, manager=MANAGER, dry_run=dry_run
        )


def _version_of(placed: Placed) -> dict[str, str]:
    return {"resourceVersion": resource_version_of(placed.live)}
