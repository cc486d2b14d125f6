"""The APIServices of custom groups: one for each group and version that a definition serves, for as long as one does.

Those of the built-in groups are made at the start; none of them stands for another server, and the registry does not ask them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from trueup.embedded.api import metadata
from trueup.embedded.api.client import Client
from trueup.embedded.api.writes import utc_now
from trueup.embedded.storage.history import Event
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, labels_of, name_of, spec_of

log = structlog.get_logger(__name__)

SERVICES = Resource("apiregistration.k8s.io", "apiservices")
DEFINITIONS = Resource("apiextensions.k8s.io", "customresourcedefinitions")
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
_AVAILABLE = {"type": "Available", "status": "True", "reason": "Local"}
_MESSAGE = "Local APIServices are always available"


class ApiServices:
    """`run` follows the definitions."""

    def __init__(self, store: Store, client: Client) -> None:
        self._client = client
        self._changed = asyncio.Event()
        self._changed.set()
        store.listen(self._follow)

    def _follow(self, event: Event) -> None:
        if event.record.resource == DEFINITIONS:
            self._changed.set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._settle()
            except ApiError as error:
                log.warning("API services not settled", error=str(error))

    async def _settle(self) -> None:
        wanted = {name: spec for each in self._client.list(DEFINITIONS) for name, spec in _of_definition(each)}
        there = {name_of(each): each for each in self._client.list(SERVICES)}
        for name in wanted.keys() - there.keys():
            await self._make(name, wanted[name])
        for name in there.keys() - wanted.keys():
            if labels_of(there[name]).get(AUTOMANAGED) == "true":
                await self._client.delete(SERVICES, "", name)

    async def _make(self, name: str, spec: dict[str, object]) -> None:
        made = {"metadata": {"name": name, "labels": {AUTOMANAGED: "true"}}, "spec": spec}
        await self._client.create(SERVICES, {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", **made})
        row = {**_AVAILABLE, "message": _MESSAGE, "lastTransitionTime": metadata.timestamp(utc_now())}
        await self._client.patch(SERVICES, "", name, {"status": {"conditions": [row]}}, "status")


def _of_definition(definition: Manifest) -> Iterator[tuple[str, dict[str, object]]]:
    """`v1.shop.example.com` and its spec, for each version that is served."""
    group = str(spec_of(definition).get("group"))
    for version in spec_of(definition).get("versions") or ():
        if version.get("served"):
            name = str(version["name"])
            yield (
                f"{name}.{group}",
                {"group": group, "groupPriorityMinimum": 1000, "version": name, "versionPriority": 100},
            )
