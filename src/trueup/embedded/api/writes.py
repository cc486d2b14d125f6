"""Creates, updates and patches: the one path that every change of an object takes, whoever asks for it.

decode (by the caller) → schema → defaults → managed fields → admission → preparation → validation → store. Between reading
the latest state and staging the new one nothing awaits, except where webhooks are called or rules in CEL evaluated: then a
state that moved meanwhile begins the attempt again, or is the client's Conflict. Deleting is `api.deletion`; reading `api.reads`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from trueup.embedded import merge
from trueup.embedded.api import addressing, insideresources, isolating, metadata, podparts, refusals, rules
from trueup.embedded.api.admission import Admission, Operation, Review
from trueup.embedded.api.call import Call
from trueup.embedded.api.celrules import CelRules
from trueup.embedded.api.expressions import Expressions, NoExpressions
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.options import WriteOptions
from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.api.rules.versions import NEEDS_VERSION
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, is_deleting
from trueup.model.refs import GroupKind

Clock: TypeAlias = Callable[[], datetime]
Mutation: TypeAlias = Callable[[Manifest | None], Manifest]
"""From the live object in the request's version (None: there is none) to the wanted one, defaults and managed fields included."""

ATTEMPTS = 5
_DEFINITIONS = Resource("apiextensions.k8s.io", "customresourcedefinitions")
_PODS = Resource("", "pods")
_decode = msgspec.json.Decoder(dict).decode


def utc_now() -> datetime:
    return datetime.now(UTC)


class Outcome:
    """What a write answers: the object in the request's version, and whether it is new."""

    __slots__ = ("created", "manifest", "record")

    def __init__(self, manifest: Manifest, *, created: bool, record: Record | None) -> None:
        self.manifest = manifest
        self.created = created
        self.record = record


class Writes:
    """Changes objects of any kind. Manifests handed in are the callee's to change."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        fields: Fields,
        admission: Admission,
        clock: Clock = utc_now,
        expressions: Expressions | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._fields = fields
        self._admission = admission
        self._clock = clock
        self._cel = CelRules(expressions or NoExpressions())

    async def create(
        self, kind: Kind, namespace: str, manifest: Manifest, options: WriteOptions, call: Call
    ) -> Outcome:
        """Raises ApiError: AlreadyExists, Invalid, Forbidden, NotFound (of the namespace), ..."""
        if kind.is_custom and self._is_ending(kind):
            said = "create not allowed while custom resource definition is terminating"
            raise refusals.forbidden(kind.resource, _name_in(manifest), said)
        self._fields.check_metadata(kind, manifest)
        addressing.check_kind(self._registry, kind, manifest)
        self._fields.check(kind, manifest, options.field_validation, call)
        addressing.address(self._registry, kind, namespace, "", manifest)
        if warning := metadata.drop_twin_owners(manifest):
            call.warn(warning)
        isolating.reset_status(kind, manifest, None)
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            manifest["metadata"].pop(field, None)  # the server's alone: nobody comes to own them
        manifest = self._fields.default(kind, manifest)
        manifest = self._fields.track(kind, None, manifest, call.manager(options.field_manager), "", self.now())
        return await self._insert(kind, namespace, manifest, options, call)

    async def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        manifest: Manifest,
        options: WriteOptions,
        call: Call,
        subresource: str = "",
        *,
        unconditional: bool = False,
    ) -> Outcome:
        """Replaces an object or one subresource of it. `unconditional` lets a custom object go without a version."""
        addressing.check_kind(self._registry, kind, manifest)
        self._fields.check(kind, manifest, options.field_validation, call)
        if not _name_in(manifest):
            raise refusals.unnamed(name)
        addressing.address(self._registry, kind, namespace, name, manifest)
        if warning := metadata.drop_twin_owners(manifest):
            call.warn(warning)
        manifest = self._fields.default(kind, manifest)
        asked = str(manifest["metadata"].get("resourceVersion") or "")
        if self._store.latest(kind.storage, namespace, name) is None:
            if not rules.of(kind.storage).creates_on_update or asked:
                raise refusals.not_found(kind.resource, name)
            return await self.create(kind, namespace, manifest, options, call)
        if not asked and not unconditional and (kind.is_custom or kind.storage in NEEDS_VERSION):
            problem = refusals.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise refusals.invalid(GroupKind(kind.group, kind.plural), name, [problem])
        manager = call.manager(options.field_manager)
        sent = msgspec.json.encode(manifest)
        first = [manifest]  # used up by the first attempt; later ones are rare and read it again

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(kind.resource, name)
            wanted: Manifest = first.pop() if first else _decode(sent)
            isolating.isolate(kind, wanted, live, subresource)
            return self._fields.track(kind, live, wanted, manager, subresource, self.now())

        return await self.change(kind, namespace, name, mutation, options, call, subresource, locks_uid=True)

    async def change(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        mutation: Mutation,
        options: WriteOptions,
        call: Call,
        subresource: str = "",
        *,
        locks_uid: bool = False,
    ) -> Outcome:
        """Applies `mutation` to the latest state until nothing came between. It may be called several times.

        `locks_uid`: another uid means another object (an update's Conflict), and is no attempt to change it (a patch's error).
        """
        for _ in range(ATTEMPTS):
            record = self._store.latest(kind.storage, namespace, name)
            if record is None:
                wanted = mutation(None)
                addressing.address(self._registry, kind, namespace, name, wanted)
                return await self._insert(kind, namespace, wanted, options, call)
            # The mutation gets a copy of its own, so that whatever it shares with its result may be changed further.
            wanted = mutation(kind.from_storage(_decode(record.json)))
            addressing.address(self._registry, kind, namespace, name, wanted)
            addressing.match_versions(kind, record, wanted, locks_uid=locks_uid)
            outcome = await self._replace(kind, record, wanted, options, call, subresource)
            if outcome is not None:
                return outcome
        raise refusals.conflict(kind.resource, name, refusals.MODIFIED)

    async def _insert(
        self, kind: Kind, namespace: str, manifest: Manifest, options: WriteOptions, call: Call
    ) -> Outcome:
        particular = rules.of(kind.storage)
        if manifest["metadata"].get("resourceVersion"):
            raise refusals.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        metadata.fill_for_create(kind, manifest, self._clock())
        review = Review(
            Operation.CREATE, kind, namespace, call, manifest, None, dry_run=options.dry_run, options=options
        )
        manifest = self._after_mutation(kind, manifest, await self._admission.mutate(review))
        metadata.generate_name(manifest)
        stored = kind.to_storage(manifest)
        particular.prepare_create(stored)
        if particular.counts_generation or kind.is_custom:
            stored["metadata"]["generation"] = 1
        problems = metadata.problems_of(kind, stored) + self._fields.problems(kind, stored)
        problems += particular.validate(stored) + particular.validate_create(stored)
        problems = await self._cel.problems(kind, stored, None, problems, call)
        self._refuse(kind, stored, problems)
        self._warn(kind, stored, None, call)
        await self._admission.validate(review.with_object(kind.from_storage(stored)))
        name = stored["metadata"]["name"]
        if self._store.latest(kind.storage, namespace, name) is not None:
            raise refusals.already_exists(kind.resource, name)
        self._admission.reserve(kind, stored, None, dry_run=options.dry_run)
        if options.dry_run:
            await self._store.committed()  # what it was judged by may be read next
            return Outcome(kind.from_storage(stored), created=True, record=None)
        record = self._store.put(kind.storage, stored)
        await self._store.committed()
        return Outcome(kind.from_storage(record.manifest), created=True, record=record)

    async def _replace(
        self,
        kind: Kind,
        record: Record,
        wanted: Manifest,
        options: WriteOptions,
        call: Call,
        subresource: str,
    ) -> Outcome | None:
        """None when the object changed while webhooks were asked."""
        particular, old = rules.of(kind.storage), record.manifest
        live = kind.from_storage(old)
        # Custom resources are looked at twice: as an object of any kind, and as one of theirs; then as a new one, too.
        problems = metadata.update_problems_of(wanted, live) * (2 if kind.is_custom else 1)
        problems += metadata.common_problems(wanted["metadata"]) if kind.is_custom else []
        metadata.keep_for_update(wanted, live)
        review = Review(
            Operation.UPDATE,
            kind,
            record.key.namespace,
            call,
            wanted,
            live,
            subresource,
            dry_run=options.dry_run,
            options=options,
        )
        wanted = self._after_mutation(kind, wanted, await self._admission.mutate(review))
        stored = kind.to_storage(wanted)
        if not subresource:
            particular.prepare_update(stored, old)
            before = kind.to_storage(live) if kind.is_custom else old
            isolating.count_generation(kind, stored, before, counts=particular.counts_generation)
        elif subresource == "status":
            particular.prepare_status(stored, old)
        elif subresource in podparts.NAMES:
            isolating.count_generation(kind, stored, old, counts=True)
        problems += self._fields.problems(kind, stored, subresource, live)
        if not subresource:
            problems += particular.validate(stored) + particular.validate_update(stored, old)
        elif not problems and subresource in podparts.NAMES:
            problems = podparts.problems(subresource, stored, old)
        elif not problems and subresource == "finalize":
            problems = particular.validate(stored)
        before_cel = live if kind.is_custom else old
        problems = await self._cel.problems(kind, stored, before_cel, problems, call, subresource)
        self._refuse(kind, stored, problems)
        self._warn(kind, stored, old, call)
        await self._admission.validate(review.with_object(kind.from_storage(stored)))
        if self._store.latest(kind.storage, *record.key) is not record:
            return None
        stored["metadata"]["resourceVersion"] = str(record.resource_version)
        if merge.settle_times(old, stored) is old:
            await self._store.committed()
            return Outcome(live, created=False, record=record)
        self._admission.reserve(kind, stored, old, dry_run=options.dry_run)
        if options.dry_run:
            await self._store.committed()
            return Outcome(kind.from_storage(stored), created=False, record=None)
        if _is_finished(stored):
            # The last finalizer's removal is never stored: watches see the state before it, the client its own.
            self._store.remove(record)
            await self._store.committed()
            return Outcome(kind.from_storage(stored), created=False, record=None)
        new = self._store.put(kind.storage, stored)
        await self._store.committed()
        return Outcome(kind.from_storage(new.manifest), created=False, record=new)

    def _after_mutation(self, kind: Kind, before: Manifest, after: Manifest) -> Manifest:
        """What webhooks changed is decoded and defaulted like what a client sent."""
        if after is before:
            return after
        self._fields.check_types(kind, after)
        return self._fields.default(kind, after)

    def _is_ending(self, kind: Kind) -> bool:
        """Whether the definition of a custom kind waits for its objects to go."""
        definition = self._store.get(_DEFINITIONS, "", f"{kind.plural}.{kind.group}")
        return definition is not None and is_deleting(definition.manifest)

    def _warn(self, kind: Kind, new: Manifest, old: Manifest | None, call: Call) -> None:
        told = insideresources.finalizer_warnings(new, old) if kind.is_custom else []
        for each in told + rules.of(kind.storage).warnings(new, old):
            call.warn(each)

    def _refuse(self, kind: Kind, manifest: Manifest, problems: list[FieldProblem]) -> None:
        if problems:
            meta = manifest["metadata"]
            raise refusals.invalid(kind.group_kind, meta.get("name") or meta.get("generateName") or "", problems)

    def now(self) -> str:
        """The time of this cluster, as objects hold it."""
        return metadata.timestamp(self._clock())


def _name_in(manifest: Manifest) -> str:
    meta = manifest.get("metadata")
    return str(meta.get("name") or "") if isinstance(meta, dict) else ""


def _is_finished(manifest: Manifest) -> bool:
    """Whether a delete that was waiting for finalizers can happen now."""
    meta = manifest["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return manifest["kind"] != "Namespace" or not (manifest.get("spec") or {}).get("finalizers")
