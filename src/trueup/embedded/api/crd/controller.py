"""Follows the stored definitions: serves what they describe, writes their conditions, and ends their objects with them.

Serving begins as soon as the definition is committed. A definition that is deleted waits, behind a finalizer, until every
object of it is gone. https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import structlog

from trueup.embedded.api import metadata
from trueup.embedded.api.call import Call
from trueup.embedded.api.crd import approval
from trueup.embedded.api.crd.compile import accepted_names, kinds_of, storage_of
from trueup.embedded.api.crd.names import Settled, settle
from trueup.embedded.api.deletion import CLEANUP, DEFINITIONS, Deletion
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.options import DeleteOptions, WriteOptions
from trueup.embedded.api.writes import Writes, utc_now
from trueup.embedded.auth.identity import system
from trueup.embedded.schema import NotStructural
from trueup.embedded.storage.history import Event, EventType
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, is_deleting, metadata_of, name_of, spec_of

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(dict).decode


class DefinitionController:
    """`follow` keeps the registry in step at once; `run` does what needs writes."""

    def __init__(self, store: Store, registry: Registry, writes: Writes, removal: Deletion, fields: Fields) -> None:
        self._store = store
        self._fields = fields
        self._registry = registry
        self._writes = writes
        self._removal = removal
        self._call = Call(system("apiextensions"), "kube-apiserver")
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        self._served: dict[str, Any] = {}
        self._names: dict[str, tuple[str, dict[str, Any]]] = {}
        """Group and accepted names of every definition."""
        for record in store.scan(DEFINITIONS):
            self._serve(record.manifest, record.resource_version)
            self._changed.put_nowait(record.key.name)
        store.listen(self.follow)

    def follow(self, event: Event) -> None:
        if event.record.resource == DEFINITIONS:
            name = event.record.key.name
            if event.type is EventType.DELETED:
                self._registry.set_custom(name, ())
                self._served.pop(name, None)
                self._names.pop(name, None)
                self._look_at_rivals(name)
            else:
                self._serve(event.record.manifest, event.record.resource_version)
                self._changed.put_nowait(name)
        elif event.type is EventType.DELETED and not self._registry.is_builtin_group(event.record.resource.group):
            # Possibly the last object that a definition waited for.
            self._changed.put_nowait(f"{event.record.resource.name}.{event.record.resource.group}")

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            name = await self._changed.get()
            record = self._store.get(DEFINITIONS, "", name)
            if record is None:
                continue
            try:
                await self._reconcile(record.manifest)
            except ApiError as error:
                if not (error.is_not_found or error.is_conflict):
                    log.warning("custom resource definition not settled", name=name, error=str(error))

    def _serve(self, definition: Manifest, version: int) -> None:
        """`version`: of the store, when these terms came to be."""
        name, spec = name_of(definition), spec_of(definition)
        settled = self._settle(definition)
        self._names[name] = (str(spec["group"]), settled.accepted)
        is_served = settled.is_accepted or _is_true(definition, "Established")
        # A change of status (conditions) must not end the watches of what is served.
        wanted = {key: value for key, value in spec.items() if key != "names"}
        terms = (wanted, settled.accepted if is_served else None)
        if self._served.get(name) == terms:
            return
        self._served[name] = terms
        named = definition | {"status": (definition.get("status") or {}) | {"acceptedNames": settled.accepted}}
        try:
            kinds = kinds_of(named, since=version) if is_served else ()
        except NotStructural:
            kinds = ()  # validation refuses these; only a definition from an older version could come here
        self._registry.set_custom(name, kinds)

    def _settle(self, definition: Manifest) -> Settled:
        """What the definition may be called, beside all others that are known."""
        name, spec = name_of(definition), spec_of(definition)
        others = [names for other, (group, names) in self._names.items() if other != name and group == spec["group"]]
        _, had = self._names.get(name, ("", accepted_names(definition)))
        return settle(spec["names"], had, others)

    def _look_at_rivals(self, gone: str) -> None:
        """Whoever wanted a name of a definition that is gone may have it now."""
        group = gone.partition(".")[2]
        for record in list(self._store.scan(DEFINITIONS)):
            if str(spec_of(record.manifest).get("group")) == group and not _is_true(record.manifest, "NamesAccepted"):
                self._serve(record.manifest, record.resource_version)
                self._changed.put_nowait(record.key.name)

    async def _reconcile(self, definition: Manifest) -> None:
        if is_deleting(definition) and CLEANUP in (metadata_of(definition).get("finalizers") or ()):
            await self._clean_up(definition)
            return
        wanted = self._settled_status(definition)
        if wanted != (definition.get("status") or {}):
            await self._write_status(name_of(definition), wanted)

    def _settled_status(self, definition: Manifest) -> dict[str, Any]:
        spec = spec_of(definition)
        status = dict(definition.get("status") or {})
        settled = self._settle(definition)
        conditions = list(status.get("conditions") or ())
        if approval.is_protected(str(spec.get("group"))):
            _set(conditions, approval.CONDITION, *approval.condition_of(approval.approval_of(definition)))
        if spec["names"] != accepted_names(definition):  # what has the names that it wants is not looked at again
            accepted = "True" if settled.is_accepted else "False"
            _set(conditions, "NamesAccepted", accepted, settled.reason, settled.message)
            if not settled.is_accepted and not _is_true(definition, "Established"):
                _set(conditions, "Established", "False", "NotAccepted", "not all names are accepted")
        if any(each["type"] == "NamesAccepted" and each["status"] == "True" for each in conditions) and not _is_true(
            definition, "Established"
        ):
            _set(conditions, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
        status["acceptedNames"] = settled.accepted
        status["conditions"] = conditions
        return status

    async def _write_status(self, name: str, status: dict[str, Any]) -> None:
        kind = self._registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        assert kind is not None

        def mutation(live: Manifest | None) -> Manifest:
            assert live is not None
            now = metadata.timestamp(utc_now())
            return self._fields.track(kind, live, live | {"status": status}, "kube-apiserver", "status", now)

        if self._store.latest(DEFINITIONS, "", name) is not None:
            await self._writes.change(kind, "", name, mutation, WriteOptions(), self._call, "status")

    async def _clean_up(self, definition: Manifest) -> None:
        """Deletes every object; takes the finalizer off when none is left."""
        name = name_of(definition)
        kinds = next(
            (kinds for kinds in self._registry.custom() if kinds and kinds[0].storage == storage_of(definition)), ()
        )
        stored = [kind for kind in kinds if kind.is_stored_version] or list(kinds)
        resource = storage_of(definition)
        if stored:
            for record in list(self._store.scan(resource)):
                if not is_deleting(record.manifest):
                    await self._delete(stored[0], *record.key)
        if self._store.count(resource):
            await self._say_in_progress(definition)
            return  # the deletion of the last one brings us here again

        def mutation(live: Manifest | None) -> Manifest:
            assert live is not None
            meta = dict(live["metadata"])
            meta["finalizers"] = [each for each in meta.get("finalizers") or () if each != CLEANUP]
            if not meta["finalizers"]:
                del meta["finalizers"]
            return live | {"metadata": meta}

        kind = self._registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        assert kind is not None
        if self._store.latest(DEFINITIONS, "", name) is not None:
            await self._writes.change(kind, "", name, mutation, WriteOptions(), self._call)

    async def _say_in_progress(self, definition: Manifest) -> None:
        status = dict(definition.get("status") or {})
        conditions = list(status.get("conditions") or ())
        said = "CustomResource deletion is in progress"
        _set(conditions, "Terminating", "True", "InstanceDeletionInProgress", said)
        if conditions != status.get("conditions"):
            await self._write_status(name_of(definition), status | {"conditions": conditions})

    async def _delete(self, kind: Kind, namespace: str, name: str) -> None:
        try:
            await self._removal.delete(kind, namespace, name, DeleteOptions(), self._call)
        except ApiError as error:
            if not error.is_not_found:
                raise


def _is_true(definition: Manifest, type_: str) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions)


def _set(conditions: list[dict[str, Any]], type_: str, status: str, reason: str, message: str) -> None:
    """Sets a condition; its transition time moves only with its status."""
    wanted: dict[str, Any] = {
        "type": type_,
        "status": status,
        "lastTransitionTime": metadata.timestamp(utc_now()),
        "reason": reason,
        "message": message,
    }
    for index, each in enumerate(conditions):
        if each.get("type") == type_:
            if each.get("status") == status:
                wanted["lastTransitionTime"] = each.get("lastTransitionTime")
            conditions[index] = each | wanted
            return
    conditions.append(wanted)
