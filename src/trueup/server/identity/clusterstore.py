"""The store of a server in a cluster: the control namespace's ConfigMaps and Secrets that are labelled `part-of: argocd`, watched.

Argo CD wants that label on everything it reads; a Secret that `$secret:key` names needs it too, so no other Secret is ever seen.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import LiveView
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, resource_version_of
from trueup.model.refs import ObjectRef
from trueup.server.api.refusals import Conflict
from trueup.server.identity.store import Change, Data, Form

PART_OF = "app.kubernetes.io/part-of"
SELECTOR = f"{PART_OF}=argocd"
MANAGER = "trueup-server"
TRIES = 8
Backoff = Callable[[int], Awaitable[None]]
"""Waits after the n-th conflict in a row."""


async def patiently(failures: int) -> None:
    """Longer each time and by chance, so that replicas do not meet again."""
    await asyncio.sleep(RetryPolicy(first=0.02, maximum=1.0).backoff(failures, chance=random.random()))  # noqa: S311


_VERBS = ("get", "list", "watch", "create", "update")
RESOURCES = {
    Form.CONFIG_MAP: Resource(
        group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, verbs=_VERBS
    ),
    Form.SECRET: Resource(group="", version="v1", plural="secrets", kind="Secret", namespaced=True, verbs=_VERBS),
}


class Kept(Struct, frozen=True):
    """The decoded data of one object; printed without it."""

    data: Data

    def __repr__(self) -> str:
        return f"Kept({sorted(self.data)})"


def kept_of(manifest: Manifest) -> Kept:
    raw: Mapping[str, Any] = manifest.get("data") or {}
    if manifest.get("kind") == "Secret":
        return Kept({key: _unpacked(value) for key, value in raw.items()})
    return Kept({key: str(value).encode() for key, value in raw.items()})


class ClusterStore:
    """`view` is the caller's to open, and may be shared by whoever wants to see the same objects."""

    def __init__(
        self, client: KubeClient, view: LiveView[Kept], namespace: str, *, backoff: Backoff = patiently
    ) -> None:
        self._client = client
        self._view = view
        self._namespace = namespace
        self._backoff = backoff
        self._turn = asyncio.Lock()
        self._version = 0
        self._ahead: dict[ObjectRef, tuple[str, Data]] = {}
        """What the API server answered last to us, until the watch has come so far."""
        view.subscribe(self._changed)

    async def start(self) -> None:
        """Returns when everything is known. Raises ApiError where it may not be read."""
        for resource in RESOURCES.values():
            await self._view.track(resource, {self._namespace}, SELECTOR)

    @property
    def version(self) -> int:
        return self._version

    def read(self, form: Form, name: str) -> Data:
        ref = self._ref(form, name)
        if (ahead := self._ahead.get(ref)) is not None:
            return ahead[1]
        found = self._view.get(ref)
        return found.data if found is not None else {}

    async def write(self, form: Form, name: str, change: Change, *, labels: Mapping[str, str] | None = None) -> Data:
        async with self._turn:  # our own writers wait for each other, and only other replicas' can be faster
            return await self._written(form, name, change, labels or {})

    async def _written(self, form: Form, name: str, change: Change, labels: Mapping[str, str]) -> Data:
        for failures in range(TRIES):
            if failures:
                await self._backoff(failures)
            live = await self._client.get(RESOURCES[form], name, self._namespace)
            before = kept_of({**live, "kind": form.value}).data if live is not None else {}
            after = change(before)
            if after is None:
                if live is not None:
                    self._saw(form, name, live, before)
                return before
            try:
                answer = await self._send(form, name, live, after, labels)
            except ApiError as error:
                if error.is_conflict:  # somebody was faster: look again at what they wrote
                    continue
                raise
            self._saw(form, name, answer, after)
            return after
        raise Conflict(
            f"{form.value}/{self._namespace}/{name} is being changed by others all the time", hint="try again"
        )

    def _saw(self, form: Form, name: str, answer: Manifest, data: Data) -> None:
        ref = self._ref(form, name)
        if self.read(form, name) != data:
            self._ahead[ref] = (resource_version_of(answer), data)
            self._version += 1

    async def _send(
        self, form: Form, name: str, live: Manifest | None, data: Data, labels: Mapping[str, str]
    ) -> Manifest:
        texts = {
            key: base64.b64encode(value).decode() if form is Form.SECRET else value.decode()
            for key, value in data.items()
        }
        if live is None:
            metadata = {"name": name, "namespace": self._namespace, "labels": {PART_OF: "argocd", **labels}}
            made: Manifest = {"apiVersion": "v1", "kind": form.value, "metadata": metadata, "data": texts}
            return await self._client.create(
                {**made, **({"type": "Opaque"} if form is Form.SECRET else {})}, manager=MANAGER
            )
        old = dict(live.get("metadata") or {})
        metadata = {**old, "labels": {PART_OF: "argocd", **(old.get("labels") or {})}}
        return await self._client.replace(
            {**live, "apiVersion": "v1", "kind": form.value, "metadata": metadata, "data": texts}, manager=MANAGER
        )

    def _changed(self, ref: ObjectRef, before: Kept | None, after: Kept | None, raw: Manifest | None, /) -> None:
        ahead = self._ahead.get(ref)
        if ahead is not None and (raw is None or after is None or not is_older(resource_version_of(raw), ahead[0])):
            del self._ahead[ref]
        if before != after or ahead is not None:
            self._version += 1

    def _ref(self, form: Form, name: str) -> ObjectRef:
        return ObjectRef("", form.value, self._namespace, name)


def is_older(version: str, than: str) -> bool:
    """Resource versions are numbers that rise; what is none is taken for newer."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def _unpacked(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return b""
