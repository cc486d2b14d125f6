"""The store of a server in a cluster: the control namespace's ConfigMaps and Secrets that are labelled `part-of: argocd`, watched.

Argo CD wants that label on everything it reads; a Secret that `$secret:key` names needs it too, so no other Secret is ever seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import LiveView
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.server.api.refusals import Conflict
from trueup.server.identity.store import Change, Data, Form

PART_OF = "app.kubernetes.io/part-of"
SELECTOR = f"{PART_OF}=argocd"
MANAGER = "trueup-server"
TRIES = 8
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

    def __init__(self, client: KubeClient, view: LiveView[Kept], namespace: str) -> None:
        self._client = client
        self._view = view
        self._namespace = namespace
        self._version = 0
        view.subscribe(self._changed)

    async def start(self) -> None:
        """Returns when everything is known. Raises ApiError where it may not be read."""
        for resource in RESOURCES.values():
            await self._view.track(resource, {self._namespace}, SELECTOR)

    @property
    def version(self) -> int:
        return self._version

    def read(self, form: Form, name: str) -> Data:
        found = self._view.get(self._ref(form, name))
        return found.data if found is not None else {}

    async def write(self, form: Form, name: str, change: Change, *, labels: Mapping[str, str] | None = None) -> Data:
        for _ in range(TRIES):
            live = await self._client.get(RESOURCES[form], name, self._namespace)
            before = kept_of({**live, "kind": form.value}).data if live is not None else {}
            after = change(before)
            if after is None and live is not None and self.read(form, name) == before:
                return before
            try:
                answer = await self._send(form, name, live, before if after is None else after, labels or {})
            except ApiError as error:
                if error.is_conflict:  # somebody was faster: look again at what they wrote
                    continue
                raise
            self._view.observe(answer)
            self._version += 1
            return before if after is None else after
        raise Conflict(
            f"{form.value}/{self._namespace}/{name} is being changed by others all the time", hint="try again"
        )

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

    def _changed(self, _ref: ObjectRef, before: Kept | None, after: Kept | None, _raw: Manifest | None, /) -> None:
        if before != after:
            self._version += 1

    def _ref(self, form: Form, name: str) -> ObjectRef:
        return ObjectRef("", form.value, self._namespace, name)


def _unpacked(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return b""
