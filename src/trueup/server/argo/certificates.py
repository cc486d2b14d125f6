"""Argo CD's certificates: whom Git and chart hosts are known by, kept in its two ConfigMaps, which Trueup reads as well."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from trueup.dialects.argocd.repositories import KNOWN_HOSTS, KNOWN_HOSTS_KEY, TLS_CERTIFICATES
from trueup.model.manifest import Manifest, resource_version_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation, Surface, Target
from trueup.server.api.refusals import BadQuery, Conflict
from trueup.server.argo.finding import V1
from trueup.server.argo.knownhosts import (
    HTTPS,
    SSH,
    Certificate,
    Selector,
    listed,
    with_certificates,
    with_keys,
    without_certificates,
    without_keys,
)
from trueup.server.keeping.settings import data_of
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.sync.marks import declared_by

_LABELS = {"app.kubernetes.io/part-of": "argocd"}


class CertificatesQuery(Selector, frozen=True, kw_only=True, rename="camel"):
    fields: str = ""


class UpsertQuery(Struct, frozen=True, kw_only=True):
    upsert: bool = False
    fields: str = ""


class CertificatesBody(Struct, frozen=True, kw_only=True):
    items: tuple[Certificate, ...] = ()


class Certificates:
    """`namespace`: the control namespace."""

    def __init__(self, clients: Clients, namespace: str) -> None:
        self._clients = clients
        self._namespace = namespace

    async def list(self, call: Call) -> Answer:
        keys, certificates = await self._live(call, KNOWN_HOSTS), await self._live(call, TLS_CERTIFICATES)
        text = data_of(keys).get(KNOWN_HOSTS_KEY, "")
        return _answer(listed(text, data_of(certificates), call.query))

    async def create(self, call: Call) -> Answer:
        """All of them are looked at before anything is written. What is there already is told, and not written again."""
        wanted, upsert = call.body.items, call.query.upsert
        for number, one in enumerate(wanted):
            if one.cert_type not in (SSH, HTTPS):
                field = f"items[{number}].certType"
                raise BadQuery(f"is {one.cert_type[:40]!r}", field=field, hint="one of: ssh, https")
        keys, certificates = await self._live(call, KNOWN_HOSTS), await self._live(call, TLS_CERTIFICATES)
        ssh = [one for one in wanted if one.cert_type == SSH]
        https = [one for one in wanted if one.cert_type == HTTPS]
        text = data_of(keys).get(KNOWN_HOSTS_KEY, "")
        after_keys = {**data_of(keys), KNOWN_HOSTS_KEY: with_keys(text, ssh, upsert=upsert)} if ssh else data_of(keys)
        after_certificates = with_certificates(data_of(certificates), https, upsert=upsert)
        await self._write(call, keys, after_keys)
        await self._write(call, certificates, after_certificates)
        call.note(target="certificates of " + ", ".join(sorted({one.server_name for one in wanted})))
        return _answer(list(wanted))

    async def delete(self, call: Call) -> Answer:
        query = call.query
        if not query.host_name_pattern:
            raise BadQuery("is missing", field="hostNamePattern", hint="a name or a glob; * means all of them")
        gone: list[Certificate] = []
        if SSH in query.kinds():
            keys = await self._live(call, KNOWN_HOSTS)
            text, told = without_keys(data_of(keys).get(KNOWN_HOSTS_KEY, ""), query)
            if told:
                await self._write(call, keys, {**data_of(keys), KNOWN_HOSTS_KEY: text})
            gone += told
        if HTTPS in query.kinds():
            certificates = await self._live(call, TLS_CERTIFICATES)
            data, told = without_certificates(data_of(certificates), query)
            await self._write(call, certificates, data)
            gone += told
        call.note(target=f"certificates of {query.host_name_pattern}", before=msgspec.json.encode(gone).decode())
        return _answer(gone)

    async def _live(self, call: Call, name: str) -> Manifest:
        client = self._clients.of(call.caller)
        found = await client.get(await client.discovery.resource("", "v1", "ConfigMap"), name, self._namespace)
        metadata = {"name": name, "namespace": self._namespace, "labels": dict(_LABELS)}
        return found if found is not None else {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    async def _write(self, call: Call, live: Manifest, data: dict[str, str]) -> None:
        """With the version that was read; nothing where nothing is another."""
        if data == data_of(live):
            return
        if owner := declared_by(live):
            name = live["metadata"]["name"]
            raise Conflict(f"{name} is declared in Git ({owner}), so it is not changed here", hint="change it there")
        client, made = self._clients.of(call.caller), {**live, "data": data}
        await (
            client.replace(made, manager=MANAGER) if resource_version_of(live) else client.create(made, manager=MANAGER)
        )


def _all(call: Call) -> Target:
    """They have no names in policies: whoever may, may all of them."""
    del call
    return Target("")


def _answer(found: list[Certificate]) -> Answer:
    return Answer(body={"metadata": {}, "items": found})


def operations(certificates: Certificates) -> list[Operation]:
    def at(name: str, method: str, summary: str, action: str, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.certificates-{name}",
            method=method,
            path=V1 + "/certificates",
            summary=summary,
            access=Needs("certificates", action, _all),
            surface=Surface.ARGOCD,
            handler=handler,
            **more,
        )

    return [
        at(
            "list", "GET", "Keys of SSH hosts and certificates of hosts", "get", certificates.list,
            query=CertificatesQuery,
        ),
        at(
            "create", "POST", "Trust keys and certificates of hosts", "create", certificates.create,
            query=UpsertQuery, body=CertificatesBody,
        ),
        at(
            "delete", "DELETE", "Trust keys and certificates of hosts no more", "delete", certificates.delete,
            query=CertificatesQuery,
        ),
    ]  # fmt: skip
