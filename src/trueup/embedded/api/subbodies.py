"""Bodies of subresources that are objects of their own: evictions, bindings, token requests. Read, checked and defaulted."""

from __future__ import annotations

import msgspec

from trueup.embedded import schema
from trueup.embedded.api import body, options, refusals
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Request
from trueup.embedded.api.kinds import Kind, Registry, Subresource
from trueup.embedded.api.options import FieldValidation, WriteOptions
from trueup.embedded.schema import BuiltinSchemas, SchemaNode
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest
from trueup.model.refs import split_api_version

_HOMES = {  # definitions that stand only in the documents of the kinds that have the subresource
    "Scale": (("apps", "v1", "Deployment"), "io.k8s.api.autoscaling.v1.Scale"),
    "Eviction": (("", "v1", "Pod"), "io.k8s.api.policy.v1.Eviction"),
    "TokenRequest": (("", "v1", "ServiceAccount"), "io.k8s.api.authentication.v1.TokenRequest"),
}
_SUBRESOURCE_KINDS = (
    ("policy/v1", "Eviction"),
    ("autoscaling/v1", "Scale"),
    ("authentication.k8s.io/v1", "TokenRequest"),
)
_OLDER = {"Eviction": (("policy/v1beta1", "Eviction"),)}
"""Versions that are no more than another name of the same."""
_schemas = BuiltinSchemas.load()


def schema_of(name: str) -> SchemaNode | None:
    """The schema of a kind that only subresources speak of."""
    if name not in _HOMES:
        return _schemas.node("", "v1", name)
    owner, definition = _HOMES[name]
    _schemas.node(*owner)
    return _schemas.definition(definition)


def kind_of(sub: Subresource) -> Kind:
    """A subresource's body as a kind that is stored nowhere."""
    return Kind(
        group=sub.group,
        version=sub.version,
        plural=f"{sub.kind.lower()}s",
        name=sub.kind,
        singular=sub.kind.lower(),
        namespaced=True,
        verbs=frozenset(),
        storage=Resource(sub.group, f"{sub.kind.lower()}s"),
        storage_version=f"{sub.group}/{sub.version}".lstrip("/"),
        schema=schema_of(sub.kind),
    )


def check_kind(manifest: Manifest, kind: Kind, registry: Registry) -> None:
    """Fills in what kind a body is; raises 400 for another one."""
    for field, want in (("apiVersion", kind.api_version), ("kind", kind.name)):
        if not manifest.get(field):
            manifest[field] = want
    have = (str(manifest["apiVersion"]), str(manifest["kind"]))
    if have in ((kind.api_version, kind.name), *_OLDER.get(kind.name, ())):
        return
    known = have in _SUBRESOURCE_KINDS or registry.by_kind(*split_api_version(have[0]), have[1]) is not None
    raise refusals.wrong_kind(kind.group_kind, *have, is_known=known)


def read(request: Request, kind: Kind, fields: Fields, registry: Registry) -> tuple[Manifest, WriteOptions]:
    """What a create of the subresource sends; raises 400, 415 and 422."""
    asked = options.write_options(request.query, "CreateOptions")
    level = asked.field_validation
    sent = body.decode_object(
        request.body, request.content_type, find_duplicates=level is not FieldValidation.IGNORE, wanted=kind.name
    )
    request.call.duplicates, request.call.literals = sent.duplicates, sent.literals
    manifest = sent.manifest
    check_kind(manifest, kind, registry)
    fields.check(kind, manifest, level, request.call)
    if kind.schema is not None:
        manifest = schema.prune(kind.schema, manifest)[0]
    meta = manifest.get("metadata")
    if meta is None:
        meta = manifest["metadata"] = {}
    if (given := meta.get("namespace")) and given != request.target.namespace:
        raise refusals.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return manifest, asked


def success() -> bytes:
    """What a subresource answers that has nothing else to say."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return msgspec.json.encode(status) + b"\n"
