"""Operations on the shared settings: read whole, change key by key, each change tried before it is made.

Who would take the right to change settings from themselves is asked to say so twice.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import yaml
from msgspec import Struct

from trueup.model.errors import EngineFailed
from trueup.model.manifest import Manifest, resource_version_of
from trueup.model.refs import ObjectRef
from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.policy import policy_of
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Needs, Operation, Target
from trueup.server.api.refusals import BadQuery, Conflict
from trueup.server.keeping.settingforms import (
    GENERAL,
    KNOWN,
    POLICIES,
    Remark,
    Setting,
    changed,
    check,
    settings_of,
    shown_value,
)
from trueup.server.linking.declared import Of, leads_nowhere, read_links
from trueup.server.linking.filling import Linking, NoLinks
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.sync.marks import declared_by

BASE = "/api/trueup/v1"
_NO_LINKS = NoLinks()
_LANGUAGES = "url, title and description are Go templates with Sprig's functions; if is an expression of expr-lang"
_LABELS = {"app.kubernetes.io/part-of": "argocd"}


class Known(Struct, frozen=True, kw_only=True):
    """A key that Trueup reads. `*` stands for a part of it."""

    key: str
    meaning: str


class SettingsMap(Struct, frozen=True, kw_only=True, rename="camel"):
    """`declared`: the App that has it in Git, where it is to be changed. `yaml`: the ConfigMap as one would write it."""

    name: str
    settings: tuple[Setting, ...]
    known: tuple[Known, ...]
    yaml: str
    declared: str = ""
    remarks: tuple[Remark, ...] = ()


class SettingsAnswer(Struct, frozen=True, kw_only=True):
    items: tuple[SettingsMap, ...]


class SettingsBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By key; null takes one away. What is not named stays."""

    data: dict[str, str | None]


class ChangeQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`dryRun`: nothing is written; the answer is what would be. `lockOut`: even if the caller may not change settings afterwards."""

    dry_run: bool = False
    lock_out: bool = False


class SettingsKeeping:
    """`resolve`: what a reference to a Secret stands for. `links`: who knows whether templates can be filled in."""

    def __init__(
        self, clients: Clients, namespace: str, resolve: Callable[[str], str], links: Linking = _NO_LINKS
    ) -> None:
        self._links = links
        self._clients = clients
        self._namespace = namespace
        self._resolve = resolve

    def all(self, call: Call) -> Target:
        del call
        return Target(GENERAL, ObjectRef("", "ConfigMap", self._namespace, GENERAL))

    def target(self, call: Call) -> Target:
        name = call.path["settings"]
        if name not in KNOWN:
            raise missing(Target(name))
        return Target(name, ObjectRef("", "ConfigMap", self._namespace, name))

    async def list(self, call: Call) -> Answer:
        """Those that the caller may read."""
        items = []
        for name in KNOWN:
            if await call.may("settings", "get", Target(name, ObjectRef("", "ConfigMap", self._namespace, name))):
                items.append(self._told(name, await self._live(call, name)))
        return Answer(body=SettingsAnswer(items=tuple(items)))

    async def get(self, call: Call) -> Answer:
        name = call.path["settings"]
        live = await self._live(call, name)
        return Answer(body=self._told(name, live), etag=f'"{resource_version_of(live)}"')

    async def update(self, call: Call) -> Answer:
        name = call.path["settings"]
        live = await self._live(call, name)
        call.check_version(resource_version_of(live))
        if owner := declared_by(live):
            raise Conflict(
                f"{name} is declared in Git ({owner}), so it is not changed here",
                hint="change it there; it would come back as it is there",
            )
        before = data_of(live)
        after = changed(before, call.body.data)
        remarks = check(name, before, after, self._resolve)
        if name == GENERAL:
            remarks += await self._try_links(before, after)
        if name == POLICIES and not call.query.lock_out:
            await self._refuse_locking_out(call, before, after)
        made: Manifest = {**live, "data": after}
        touched = [key for key in call.body.data if before.get(key) != after.get(key)]
        if call.query.dry_run:
            call.note(message="dry run")
            return Answer(body=self._told(name, made, remarks))
        if touched:
            client = self._clients.of(call.caller)
            is_there = bool(resource_version_of(live))
            made = await (client.replace(made, manager=MANAGER) if is_there else client.create(made, manager=MANAGER))
        call.note(before=_text(before, touched), after=_text(after, touched))
        return Answer(body=self._told(name, made, remarks), etag=f'"{resource_version_of(made)}"')

    async def _try_links(self, before: dict[str, str], after: dict[str, str]) -> tuple[Remark, ...]:
        """Raises BadQuery for a template that no App could be put into; what was wrong before stays whoever's it is."""
        remarks: list[Remark] = []
        for of in Of:
            if (text := after.get(of, "")) == before.get(of, ""):
                continue
            try:
                wrong = await self._links.wrong(text)
            except EngineFailed as error:
                remarks.append(Remark(place=of, message="its templates could not be tried", hint=error.message))
                continue
            if wrong:
                raise BadQuery(wrong, field=f"body.data.{of}", hint=_LANGUAGES)
            remarks += [
                Remark(
                    place=of,
                    message=f"{link.title}: its address does not begin with https:// or http://, so it is not shown",
                )
                for link in read_links(text)
                if leads_nowhere(link)
            ]
        return tuple(remarks)

    async def _live(self, call: Call, name: str) -> Manifest:
        """As it is; an empty one where there is none yet."""
        client = self._clients.of(call.caller)
        resource = await client.discovery.resource("", "v1", "ConfigMap")
        found = await client.get(resource, name, self._namespace)
        metadata = {"name": name, "namespace": self._namespace, "labels": dict(_LABELS)}
        return found if found is not None else {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    def _told(self, name: str, obj: Manifest, remarks: tuple[Remark, ...] = ()) -> SettingsMap:
        data = data_of(obj)
        written = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self._namespace, "labels": obj["metadata"].get("labels") or {}},
            "data": {key: shown_value(key, value) for key, value in sorted(data.items())},
        }
        return SettingsMap(
            name=name,
            settings=settings_of(name, data),
            known=tuple(Known(key=key, meaning=meaning) for key, meaning in KNOWN[name].items()),
            yaml=yaml.dump(written, Dumper=_Readable, sort_keys=False, allow_unicode=True),
            declared=declared_by(obj),
            remarks=remarks,
        )

    async def _refuse_locking_out(self, call: Call, before: dict[str, str], after: dict[str, str]) -> None:
        target = self.target(call)

        async def may(data: dict[str, str]) -> bool:
            return await PolicyAuthority(policy_of(data)).may(call.caller, "settings", "update", target)

        if await may(before) and not await may(after):
            raise Conflict(
                f"{call.caller.shown} could not change {target.name} after this",
                hint="keep a role that may, or say lockOut=true if that is meant",
            )


class _Readable(yaml.SafeDumper):
    """Texts of several lines are written as blocks."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _block)


def data_of(obj: Manifest) -> dict[str, str]:
    data = obj.get("data")
    return {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}


def _text(data: dict[str, str], keys: list[str]) -> str:
    """For the audit log."""
    return msgspec.json.encode({key: shown_value(key, data[key]) for key in keys if key in data}).decode()


def operations(keeping: SettingsKeeping) -> list[Operation]:
    one = BASE + "/settings/{settings}"
    return [
        Operation(
            id="settings.list",
            method="GET",
            path=BASE + "/settings",
            summary="The settings that Trueup and Argo CD share, credentials hidden",
            access=Needs("settings", "get", keeping.all),
            answer=SettingsAnswer,
            handler=keeping.list,
        ),
        Operation(
            id="settings.get",
            method="GET",
            path=one,
            summary="One ConfigMap of them: argocd-cm or argocd-rbac-cm",
            access=Needs("settings", "get", keeping.target),
            answer=SettingsMap,
            handler=keeping.get,
        ),
        Operation(
            id="settings.update",
            method="PATCH",
            path=one,
            summary="Change single keys; what cannot be right is refused, what is odd is remarked upon",
            access=Needs("settings", "update", keeping.target),
            query=ChangeQuery,
            body=SettingsBody,
            answer=SettingsMap,
            handler=keeping.update,
        ),
    ]
