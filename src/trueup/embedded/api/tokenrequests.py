"""`serviceaccounts/token`: a token on request, for an account and an audience, for a time, bound to an object if wished.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trueup.embedded.api import forms, metadata, negotiation, reads, refusals, subbodies
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Answer, Request
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.refusals import FieldProblem, GroupKind
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.tokens import AUDIENCE, Reference, Tokens
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, metadata_of, spec_of
from trueup.model.refs import split_api_version

MIN_SECONDS, MAX_SECONDS, USUAL_SECONDS = 600, 1 << 32, 3600
_KIND = GroupKind("authentication.k8s.io", "TokenRequest")
_NODES = Resource("", "nodes")


class TokenRequests:
    """Issues tokens."""

    def __init__(self, store: Store, registry: Registry, writes: Writes, fields: Fields, tokens: Tokens) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._fields = fields
        self._tokens = tokens

    async def issue(self, accounts: Kind, request: Request) -> Answer:
        """Raises ApiError: 422 for a time too short or long, 404 and 409 for what it is to be bound to."""
        name, namespace = request.target.name, request.target.namespace
        kind = subbodies.kind_of(accounts.subresources["token"])
        sent, asked = subbodies.read(request, kind, self._fields, self._registry)
        meta = metadata_of(sent)
        if (given := meta.get("name")) and given != name:
            said = "must match the service account name if specified"
            raise refusals.invalid(_KIND, name, [refusals.invalid_value("metadata.name", given, said)])
        account = reads.get(self._store, accounts, namespace, name)
        if (uid := meta.get("uid")) and uid != account.uid:
            detail = (
                f"the UID in the token request ({uid}) does not match the UID of the service account ({account.uid})"
            )
            raise refusals.conflict(Resource(_KIND.group, _KIND.kind), name, detail)
        spec = spec_of(sent)
        seconds = spec.get("expirationSeconds")
        seconds = USUAL_SECONDS if seconds is None else seconds
        sent.pop("status", None)
        sent["spec"] = {**spec, "expirationSeconds": seconds}
        now = self._writes.now()
        sent = self._fields.track(kind, None, sent, request.call.manager(asked.field_manager), "token", now)
        _disown_reference(sent)
        meta, spec = metadata_of(sent), {**sent["spec"], "audiences": spec.get("audiences") or [AUDIENCE]}
        if problems := _problems(seconds):
            raise refusals.invalid(_KIND, "", problems)
        bound = self._bound(spec.get("boundObjectRef"), namespace, name)
        token, end = self._tokens.issue(
            namespace, Reference(name, account.uid), seconds, tuple(spec["audiences"]), bound
        )
        answer: Manifest = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                **meta,
                "name": name,
                "namespace": namespace,
                "uid": account.uid,
                "creationTimestamp": now,
            },
            "spec": {"boundObjectRef": None, **spec},
            "status": {"token": token, "expirationTimestamp": metadata.timestamp(datetime.fromtimestamp(end, UTC))},
        }
        return Answer(forms.encode(answer, negotiation.DEFAULT), 201)

    def _bound(self, reference: Any, namespace: str, account: str) -> dict[str, Reference]:
        """What the token dies with; raises ApiError when that is not there, or may not be."""
        if not reference:
            return {}
        group, version = split_api_version(reference.get("apiVersion") or "")
        kind, name = reference.get("kind") or "", reference.get("name") or ""
        if group or kind not in ("Pod", "Secret", "Node"):
            said = f"{group}/{version}, Kind={kind}"
            raise refusals.bad_request(f"cannot bind token to object of type {said}")
        resource = Resource("", f"{kind.lower()}s")
        found = self._store.get(resource, "" if kind == "Node" else namespace, name)
        if found is None:
            raise refusals.not_found(resource, name)
        bound = {kind.lower(): Reference(name, found.uid)}
        if kind == "Pod":
            spec = spec_of(found.manifest)
            if spec.get("serviceAccountName") != account:
                raise refusals.bad_request(
                    f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
                )
            if node := spec.get("nodeName"):
                record = self._store.get(_NODES, "", node)
                bound["node"] = Reference(node, record.uid if record else "")
        if (uid := reference.get("uid")) and uid != found.uid:
            detail = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise refusals.conflict(Resource(group, kind), name, detail)
        return bound


def _disown_reference(sent: Manifest) -> None:
    """Go writes the reference of a request without one as null, so nobody comes to own it, only what is in it."""
    for row in metadata_of(sent).get("managedFields") or ():
        owned = row.get("fieldsV1", {}).get("f:spec", {}).get("f:boundObjectRef")
        if owned:
            owned.pop(".", None)


def _problems(seconds: int) -> list[FieldProblem]:
    if seconds < MIN_SECONDS:
        return [
            refusals.invalid_value("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        ]
    if seconds > MAX_SECONDS:
        return [
            refusals.invalid_value(
                "spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"
            )
        ]
    return []
