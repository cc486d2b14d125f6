"""Admission webhooks: those that are configured now are really called, and obeyed.

Mutating ones run one after another in the order of their configurations' names, and those that want it (`reinvocationPolicy`)
again when others changed the object after them; validating ones run together. How one is called is `hookcall`, what it is
asked `hookreview`, whether it is asked at all `hookmatch`, then its match conditions (CEL), which somebody else evaluates
(`expressions`); conditions that cannot be evaluated count as failed calls.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from trueup.embedded import merge
from trueup.embedded.api import gotypes, refusals
from trueup.embedded.api.admission import Review
from trueup.embedded.api.expressions import Decide, Expressions, NotEvaluated
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.hookcall import HookClient
from trueup.embedded.api.hookmatch import matched
from trueup.embedded.api.hookreview import (
    BadAnswer,
    Verdict,
    denial,
    forbids_changes,
    request_of,
    verdict_of,
    version_of,
)
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest

GROUP = "admissionregistration.k8s.io"
VALIDATING, MUTATING = (
    Resource(GROUP, "validatingwebhookconfigurations"),
    Resource(GROUP, "mutatingwebhookconfigurations"),
)
_decode = msgspec.json.Decoder(dict).decode


class AdmissionWebhooks:
    """Implements `admission.Webhooks`."""

    def __init__(
        self, store: Store, registry: Registry, fields: Fields, expressions: Expressions, decide: Decide
    ) -> None:
        self._expressions = expressions
        self._decide = decide
        self._store = store
        self._registry = registry
        self._fields = fields
        self._client = HookClient(store)

    async def mutate(self, review: Review) -> Manifest | None:
        """The object as the mutating webhooks leave it; None where there is none."""
        if not self._store.count(MUTATING):
            return review.object
        before, again = list[str](), set[str]()
        for name, webhook in self._configured(MUTATING):
            review, changed = await self._mutated(webhook, review)
            if changed:
                again.update(before)
            if webhook.get("reinvocationPolicy") == "IfNeeded":
                before.append(name)
        for name, webhook in self._configured(MUTATING):
            if name in again:
                review, _ = await self._mutated(webhook, review)
        return review.object

    async def validate(self, review: Review) -> None:
        """Raises the first denial, in the webhooks' order."""
        if not self._store.count(VALIDATING):
            return
        webhooks = [
            (webhook, seen_as)
            for _, webhook in self._configured(VALIDATING)
            if (seen_as := await self._wanted(webhook, review)) is not None
        ]
        answers = await asyncio.gather(
            *(self._ask(webhook, review, seen_as, mutating=False) for webhook, seen_as in webhooks),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def close(self) -> None:
        await self._client.close()

    def _configured(self, resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every webhook, with a name that is its own."""
        for record in list(self._store.scan(resource)):
            for webhook in record.manifest.get("webhooks") or ():
                yield f"{record.key.name}/{webhook.get('name')}", webhook

    def _matched(self, webhook: dict[str, Any], review: Review) -> Kind | None:
        if review.kind.storage in (VALIDATING, MUTATING):  # nobody locks himself out
            return None
        namespace = self._store.get(Resource("", "namespaces"), "", review.namespace) if review.namespace else None
        others = (
            kind for kind in self._registry.all() if kind.storage == review.kind.storage and kind is not review.kind
        )
        return matched(webhook, review, namespace.manifest if namespace else None, others)

    async def _wanted(self, webhook: dict[str, Any], review: Review) -> Kind | None:
        """As `_matched`, with the match conditions asked too. Raises Forbidden when they fail and the policy is to fail."""
        seen_as = self._matched(webhook, review)
        conditions = webhook.get("matchConditions")
        if seen_as is None or not conditions:
            return seen_as
        request = request_of(_shown_as(review, seen_as), seen_as, "v1", "")["request"]
        policy = str(webhook.get("failurePolicy") or "Fail")
        try:
            match = await self._expressions.match(conditions, policy, request, self._decide)
        except NotEvaluated as error:
            if policy == "Ignore":
                review.call.warn(
                    f'webhook "{webhook.get("name")}" was not called, for its matchConditions were not evaluated'
                )
                return None
            said = f'the matchConditions of webhook "{webhook.get("name")}" were not evaluated: {error}'
            raise refusals.internal(said) from error
        if match.error:
            raise refusals.forbidden(review.kind.resource, str(request.get("name") or ""), match.error)
        return seen_as if match.matches else None

    async def _mutated(self, webhook: dict[str, Any], review: Review) -> tuple[Review, bool]:
        """The review after one webhook, and whether it changed the object."""
        seen_as = await self._wanted(webhook, review)
        if seen_as is None:
            return review, False
        verdict = await self._ask(webhook, review, seen_as, mutating=True)
        if verdict is None or not verdict.patch:
            return review, False
        name = webhook.get("name")
        if forbids_changes(review):
            said = (
                f'admission webhook "{name}" attempted to modify the object, which is not supported for this operation'
            )
            raise refusals.internal(said)
        if verdict.patch_type not in (None, "JSONPatch"):
            raise refusals.internal(f'failed calling webhook "{name}": unsupported patch type "{verdict.patch_type}"')
        assert review.object is not None
        shown = _converted(review.object, review.kind, seen_as)
        patched = self._decoded(seen_as, _patched(shown, verdict))
        if patched == shown:
            return review, False
        return review.with_object(_converted(patched, seen_as, review.kind)), True

    def _decoded(self, kind: Kind, manifest: Manifest) -> Manifest:
        """As a body is: typed, then defaulted."""
        if kind.schema is not None and not kind.is_custom and (said := gotypes.decode_problem(kind.schema, manifest)):
            raise refusals.internal(said)
        return self._fields.default(kind, manifest)

    async def _ask(self, webhook: dict[str, Any], review: Review, seen_as: Kind, *, mutating: bool) -> Verdict | None:
        """None when the call failed and the failure policy lets that pass; raises ApiError otherwise, and on denial."""
        name = str(webhook.get("name"))
        if review.dry_run and webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise refusals.bad_request(f'admission webhook "{name}" does not support dry run')
        try:
            verdict = await self._call(webhook, review, seen_as, mutating=mutating)
        except BadAnswer as error:
            if webhook.get("failurePolicy") == "Ignore":
                return None
            raise refusals.internal(f'failed calling webhook "{name}": {error}') from error
        for warning in verdict.warnings:
            review.call.warn(warning)
        if not verdict.allowed:
            raise denial(name, verdict)
        return verdict

    async def _call(self, webhook: dict[str, Any], review: Review, seen_as: Kind, *, mutating: bool) -> Verdict:
        version, uid = version_of(webhook), str(uuid.uuid4())
        content = msgspec.json.encode(request_of(_shown_as(review, seen_as), seen_as, version, uid))
        return verdict_of(await self._client.post(webhook, content), version, uid, mutating=mutating)


def _shown_as(review: Review, seen_as: Kind) -> Review:
    """The review with its objects in the version that the webhook wants."""
    return msgspec.structs.replace(
        review,
        object=review.object and _converted(review.object, review.kind, seen_as),
        old=review.old and _converted(review.old, review.kind, seen_as),
    )


def _converted(manifest: Manifest, one: Kind, other: Kind) -> Manifest:
    """The same object in the version of another kind of the same resource."""
    if one is other:
        return manifest
    copy: Manifest = _decode(msgspec.json.encode(manifest))
    return other.from_storage(one.to_storage(copy))


def _patched(manifest: Manifest, verdict: Verdict) -> Manifest:
    try:
        operations = msgspec.json.decode(base64.b64decode(verdict.patch or ""))
        return merge.json_patch(manifest, operations)
    except merge.PatchError as error:
        raise refusals.internal(str(getattr(error, "detail", error))) from error
    except (binascii.Error, msgspec.DecodeError) as error:
        raise refusals.internal(f"invalid patch: {error}") from error
