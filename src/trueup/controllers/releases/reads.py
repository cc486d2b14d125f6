"""What releases read of the cluster as the identity that they work as: `lookup` of templates, and lists of records."""

from __future__ import annotations

from typing import Any

from trueup.cluster.client import KubeClient
from trueup.controllers.releases.index import SELECTOR
from trueup.controllers.releases.records import ListRecords
from trueup.model.app import SyncRules
from trueup.model.manifest import Manifest
from trueup.model.refs import split_api_version
from trueup.render.releases import Lookup, Question


def acting_as(client: KubeClient, rules: SyncRules) -> KubeClient:
    account = rules.service_account
    return client.impersonate(f"system:serviceaccount:{account}") if account else client


class Lookups:
    """`controllers.releases.shell.ReleaseShell.lookup_for`."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def __call__(self, rules: SyncRules) -> Lookup:
        client = acting_as(self._client, rules)

        async def look(question: Question) -> dict[str, Any] | None:
            group, version = split_api_version(question.api_version)
            resource = await client.discovery.resource(group, version, question.kind)
            namespace = question.namespace if resource.namespaced else ""
            if question.name:
                return await client.get(resource, question.name, namespace)
            items = await client.list_all(resource, namespace)
            return {"apiVersion": question.api_version, "kind": f"{question.kind}List", "metadata": {}, "items": items}

        return look


class RecordLists:
    """`controllers.releases.shell.ReleaseShell.listing_for`: where no watch tells which records there are."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def __call__(self, rules: SyncRules) -> ListRecords:
        client = acting_as(self._client, rules)

        async def listing(namespace: str, name: str) -> list[Manifest]:
            resource = await client.discovery.resource("", "v1", "Secret")
            return await client.list_all(resource, namespace, label_selector=f"{SELECTOR},name={name}")

        return listing
