"""Resources looked at before they are made or changed: everything that is wrong with them at once, and nothing is written.

For forms that are checked while somebody types, so the audit log is not told. What a caller may not make is not shown to the
API server, and whether it exists is not said.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from trueup.apps.identity import policy_object
from trueup.dialects.unknown import unknown_fields
from trueup.model.apierror import ApiError
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.server.acting.decided import fresh, with_decided
from trueup.server.acting.given import placed
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Listed, Operation, Target
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.operations import BASE
from trueup.server.world.rows import Known, app_row
from trueup.server.world.world import World


class CheckBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Apps and sources, as they are to be. `existing`: they are to take the place of what is there."""

    manifests: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1, max_length=10)]
    existing: bool = False


class Finding(Struct, frozen=True, kw_only=True):
    """`blocks` False: it could be made all the same."""

    field: str
    message: str
    hint: str = ""
    blocks: bool = True


class Checked(Struct, frozen=True, kw_only=True):
    """`exists`: there is such a thing already, as far as the caller may know."""

    ref: str
    exists: bool
    findings: tuple[Finding, ...]


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """One for each manifest, in their order."""

    items: tuple[Checked, ...]


class Checking:
    """The handler."""

    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    async def check(self, call: Call) -> Answer:
        manifests, existing = call.body.manifests, call.body.existing
        given = {_key(manifest) for manifest in manifests}
        items = [await self._one(call, manifest, existing=existing, given=given) for manifest in manifests]
        return Answer(body=CheckAnswer(items=tuple(items)))

    async def _one(self, call: Call, manifest: Manifest, *, existing: bool, given: AbstractSet[str]) -> Checked:
        try:
            ref = placed(manifest, {**self._world.app_kinds, **self._world.source_kinds}, "App or source")
        except TrueupError as error:
            return Checked(ref=_key(manifest), exists=False, findings=(_finding(error),))
        is_app = ref.group_kind in self._world.app_kinds
        resource = "applications" if is_app else "sources"
        named = policy_object(manifest, self._world.control_namespace)
        refused = await self._refused(call, resource, "update" if existing else "create", Target(named, ref))
        if refused is not None:
            return Checked(ref=str(ref), exists=False, findings=(refused,))
        known = (self._world.app if is_app else self._world.source)(ref.kind, ref.namespace, ref.name)
        if known is not None and not call.predicate(resource)(Target(known.policy_object, ref)):
            known = None  # of a project that is none of theirs: as if it were not there
        if known is not None and existing:
            refused = await self._refused(call, resource, "update", Target(known.policy_object, ref))
            if refused is not None:
                return Checked(ref=str(ref), exists=True, findings=(refused,))
        findings = [] if existing is (known is not None) else [_stands(ref, existing)]
        if not findings:
            findings = self._read(manifest, ref, is_app) or await self._shown_to_server(call, manifest, known)
            # The API server drops these without a word.
            findings += [structs.replace(_finding(error), blocks=False) for error in unknown_fields(manifest)]
        if is_app and not any(one.blocks for one in findings):
            findings += self._source(call, manifest, ref, given)
        return Checked(ref=str(ref), exists=known is not None, findings=tuple(findings))

    async def _refused(self, call: Call, resource: str, action: str, target: Target) -> Finding | None:
        if await call.may(resource, action, target):
            return None
        return Finding(
            field="",
            message=f"{call.caller.shown} may not {action} {resource} {target.name}",
            hint=call.advice(resource, action, target),
        )

    def _read(self, manifest: Manifest, ref: ObjectRef, is_app: bool) -> list[Finding]:
        """What its dialect finds wrong."""
        try:
            if is_app:
                self._world.app_kinds[ref.group_kind].read_app(manifest)
            else:
                self._world.source_kinds[ref.group_kind].read_source(manifest)
        except TrueupError as error:
            return [_finding(error)]
        return []

    async def _shown_to_server(self, call: Call, manifest: Manifest, known: Known | None) -> list[Finding]:
        """What the API server would refuse: schemas, webhooks, a namespace that is not there."""
        client = self._clients.of(call.caller)
        try:
            if known is None:
                await client.create(fresh(manifest), manager=MANAGER, dry_run=True)
            else:
                await client.replace(with_decided(known.obj, manifest), manager=MANAGER, dry_run=True)
        except ApiError as error:
            if known is not None and error.is_conflict:
                return []  # somebody wrote meanwhile; what is sent is made of the newest
            causes = tuple(Finding(field=cause.field, message=cause.message) for cause in error.causes)
            return list(causes or (_finding(error),))
        except TrueupError as error:
            return [_finding(error)]
        return []

    def _source(self, call: Call, manifest: Manifest, ref: ObjectRef, given: AbstractSet[str]) -> list[Finding]:
        """Whether there is what it takes its content from: no fault, for Git may bring it yet."""
        row = app_row(manifest, self._world.app_kinds[ref.group_kind], utc_now())
        if not row.source.ref or row.source.ref in given:
            return []
        kind, _, rest = row.source.ref.partition("/")
        namespace, _, name = rest.partition("/")
        known = self._world.source(kind, namespace, name)
        if known is not None and call.predicate("sources")(Target(known.policy_object, known.ref)):
            return []
        return [
            Finding(
                field="spec.sourceRef",
                message=f"there is no {row.source.ref} that you can see",
                hint="make it too, or choose one that there is; until then nothing is synced",
                blocks=False,
            )
        ]


def _key(manifest: Manifest) -> str:
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return f"{manifest.get('kind') or ''}/{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"


def _stands(ref: ObjectRef, existing: bool) -> Finding:
    if existing:
        return Finding(field="metadata.name", message=f"there is no {ref} (any more)", hint="make it as a new one")
    return Finding(
        field="metadata.name", message=f"there is a {ref} already", hint="choose another name, or edit that one"
    )


def _finding(error: TrueupError) -> Finding:
    return Finding(field=error.field.removeprefix("body.").removeprefix("body"), message=error.message, hint=error.hint)


def operations(checking: Checking) -> list[Operation]:
    return [
        Operation(
            id="apps.check",
            method="POST",
            path=BASE + "/validation",
            summary="Everything that is wrong with Apps and sources before they are made or changed; nothing is written",
            access=Listed("applications", "create"),
            body=CheckBody,
            answer=CheckAnswer,
            handler=checking.check,
            audited=False,
        )
    ]
