"""Admission webhooks: those that are configured now are really called, over HTTPS, and obeyed.

Mutating ones run one after another in the order of their configurations' names, validating ones together.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ . Match conditions (CEL) are not
evaluated yet: a webhook that has them counts as failed, so that its failure policy decides and nothing is skipped silently.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from trueup.embedded import merge
from trueup.embedded.api import refusals
from trueup.embedded.api.admission import Review
from trueup.embedded.api.hookmatch import matches
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of
from trueup.model.refs import join_api_version

GROUP = "admissionregistration.k8s.io"
VALIDATING, MUTATING = (
    Resource(GROUP, "validatingwebhookconfigurations"),
    Resource(GROUP, "mutatingwebhookconfigurations"),
)
ANSWER_LIMIT = 3 * 1024 * 1024


class _Verdict(Struct, frozen=True):
    """What a webhook answered."""

    uid: str
    allowed: bool
    status: dict[str, Any] | None = None
    patch: str | None = None
    patch_type: str = msgspec.field(name="patchType", default="")
    warnings: list[str] = []


class _Answer(Struct, frozen=True):
    response: _Verdict


class CallFailed(Exception):
    """A webhook could not be asked, or its answer could not be understood."""


class AdmissionWebhooks:
    """Implements `admission.Webhooks`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def mutate(self, review: Review) -> Manifest:
        """The object as the mutating webhooks leave it."""
        assert review.object is not None
        for webhook in self._matching(MUTATING, review):
            verdict = await self._ask(webhook, review)
            if verdict is not None and verdict.patch:
                review = review.with_object(_patched(webhook, review, verdict))
        assert review.object is not None
        return review.object

    async def validate(self, review: Review) -> None:
        """Raises the first denial, in the webhooks' order."""
        webhooks = list(self._matching(VALIDATING, review))
        if not webhooks:
            return
        answers = await asyncio.gather(*(self._ask(each, review) for each in webhooks), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _matching(self, resource: Resource, review: Review) -> Iterator[dict[str, Any]]:
        if not self._store.count(resource) or review.kind.storage in (VALIDATING, MUTATING):
            return
        namespace = self._store.get(Resource("", "namespaces"), "", review.namespace) if review.namespace else None
        for record in self._store.scan(resource):
            for webhook in record.manifest.get("webhooks") or ():
                if matches(webhook, review, namespace.manifest if namespace else None):
                    yield webhook

    async def _ask(self, webhook: dict[str, Any], review: Review) -> _Verdict | None:
        """None when the call failed and the failure policy lets that pass; raises ApiError otherwise, and on denial."""
        name = str(webhook.get("name"))
        if review.dry_run and webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise refusals.bad_request(f'admission webhook "{name}" does not support dry run')
        try:
            verdict = await self._call(webhook, review)
        except CallFailed as error:
            if webhook.get("failurePolicy") == "Ignore":
                return None
            raise refusals.internal(f'failed calling webhook "{name}": {error}') from error
        for warning in verdict.warnings:
            review.call.warn(warning)
        if not verdict.allowed:
            raise _denial(name, verdict)
        return verdict

    async def _call(self, webhook: dict[str, Any], review: Review) -> _Verdict:
        if webhook.get("matchConditions"):
            raise CallFailed("its matchConditions cannot be evaluated by the embedded Kubernetes yet")
        if "v1" not in (webhook.get("admissionReviewVersions") or ()):
            raise CallFailed("it does not accept admission.k8s.io/v1")
        client = webhook.get("clientConfig") or {}
        url = client.get("url") or _service_url(client.get("service") or {})
        uid = str(uuid.uuid4())
        body = msgspec.json.encode(_request(review, uid))
        seconds = float(webhook.get("timeoutSeconds") or 10)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(
                    url,
                    data=body,
                    ssl=self._tls(client.get("caBundle") or ""),
                    headers={"Content-Type": "application/json", "Accept": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                raw = await response.content.read(ANSWER_LIMIT)
                if response.status != 200:
                    said = raw[:256].decode(errors="replace").strip()
                    raise CallFailed(f"failed to call webhook: it answered {response.status}: {said}")
        except TimeoutError as error:
            raise CallFailed(
                f'failed to call webhook: Post "{url}?timeout={seconds:.0f}s": context deadline exceeded'
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed(f'failed to call webhook: Post "{url}": {error}') from error
        return _verdict(raw, uid)

    def _tls(self, bundle: str) -> ssl.SSLContext:
        if (known := self._contexts.get(bundle)) is None:
            try:
                authority = base64.b64decode(bundle).decode() if bundle else None
                known = self._contexts[bundle] = ssl.create_default_context(cadata=authority)
            except (binascii.Error, ValueError, ssl.SSLError) as error:
                raise CallFailed(f"its caBundle cannot be used: {error}") from error
        return known


def _service_url(service: dict[str, Any]) -> str:
    """As in a cluster; here nothing answers at such a name unless the machine knows it."""
    path = str(service.get("path") or "/")
    host = f"{service.get('name')}.{service.get('namespace')}.svc"
    return f"https://{host}:{service.get('port') or 443}{path if path.startswith('/') else '/' + path}"


def _request(review: Review, uid: str) -> Manifest:
    kind, place = review.kind, review.object or review.old or {}
    group_version = {"group": kind.group, "version": kind.version}
    request: Manifest = {
        "uid": uid,
        "kind": group_version | {"kind": kind.name},
        "resource": group_version | {"resource": kind.plural},
        "requestKind": group_version | {"kind": kind.name},
        "requestResource": group_version | {"resource": kind.plural},
        "name": review.name or name_of(place),
        "operation": review.operation.value,
        "userInfo": review.call.user.as_user_info(),
        "object": review.object,
        "oldObject": review.old,
        "dryRun": review.dry_run,
        "options": {"kind": f"{review.operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"},
    }
    if review.namespace:
        request["namespace"] = review.namespace
    if review.subresource:
        request["subResource"] = request["requestSubResource"] = review.subresource
    return {"kind": "AdmissionReview", "apiVersion": join_api_version("admission.k8s.io", "v1"), "request": request}


def _verdict(raw: bytes, uid: str) -> _Verdict:
    try:
        verdict = msgspec.json.decode(raw, type=_Answer).response
    except msgspec.DecodeError as error:
        raise CallFailed(f"its answer is no AdmissionReview: {error}") from error
    if verdict.uid != uid:
        raise CallFailed(f'expected response.uid="{uid}", got "{verdict.uid}"')
    return verdict


def _denial(name: str, verdict: _Verdict) -> ApiError:
    status = verdict.status or {}
    code = status.get("code")
    said = status.get("message") or status.get("reason")
    message = f'admission webhook "{name}" denied the request'
    message = f"{message}: {said}" if said else f"{message} without explanation"
    refused = code if isinstance(code, int) and 400 <= code < 600 else 403 if not verdict.status else 400
    reason = status.get("reason") or ("Forbidden" if refused == 403 else "")
    details = status.get("details")
    return ApiError(refused, str(reason), message, details=details if isinstance(details, dict) else None)


def _patched(webhook: dict[str, Any], review: Review, verdict: _Verdict) -> Manifest:
    name = webhook.get("name")
    if verdict.patch_type != "JSONPatch":
        raise refusals.internal(f'failed calling webhook "{name}": unsupported patch type "{verdict.patch_type}"')
    assert review.object is not None
    try:
        operations = msgspec.json.decode(base64.b64decode(verdict.patch or ""))
        return merge.json_patch(review.object, operations)
    except (binascii.Error, msgspec.DecodeError, merge.PatchError) as error:
        raise refusals.internal(f'failed calling webhook "{name}": its patch does not apply: {error}') from error
