"""Patches: from a content type and a body to a mutation of the live object. The merging itself is `embedded.merge`'s.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trueup.embedded import merge, schema
from trueup.embedded.api import body, isolating, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.jsonbody import Document, NotJson, read_json
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import FieldValidation, WriteOptions
from trueup.embedded.api.resetfields import reset_fields
from trueup.embedded.api.restoring import restore_problem, restored
from trueup.embedded.api.writes import Mutation
from trueup.embedded.api.yamlbody import NotYaml
from trueup.embedded.gowords import go_plain
from trueup.model.apierror import ApiError, Cause
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind

_APPLY_CONFLICT = "FieldManagerConflict"
_decode = msgspec.json.Decoder(dict).decode


class PatchType(StrEnum):
    """A patch's language, by its media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Patch(Struct, frozen=True):
    """A patch as it was sent."""

    type: PatchType
    value: Any
    raw: bytes
    duplicates: tuple[str, ...] = ()
    literals: Mapping[float, str] = {}
    wrong: str = ""
    """Why it cannot be applied to anything; told only when there is something to apply it to."""

    @property
    def is_apply(self) -> bool:
        return self.type is PatchType.APPLY


def type_of(kind: Kind, content_type: str) -> PatchType:
    """By what stands before the first parameter, as it stands there; raises 415 for a language that this kind does not speak."""
    offered = [each for each in PatchType if each is not PatchType.STRATEGIC or not kind.is_custom]
    head, semicolon, _ = content_type.partition(";")
    media_type = head if head else semicolon and content_type
    if media_type not in offered:
        heads = [part.partition(";")[0].strip() for part in content_type.split(",")]
        if kind.is_custom or any(head in offered for head in heads):
            raise refusals.unsupported_media_type(offered)
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details=refusals.NO_DETAILS)
    return PatchType(media_type)


def read_patch(raw: bytes, type_: PatchType, *, find_duplicates: bool) -> Patch:
    """Raises 400 for what cannot be read."""
    read, twice = _read(raw, type_)
    value = read.value
    wrong = _wrong_shape(type_, value)
    if wrong and type_ is PatchType.APPLY:
        raise refusals.bad_request(wrong)
    if find_duplicates and type_ in (PatchType.MERGE, PatchType.STRATEGIC):
        twice = body.duplicate_keys(raw)
    return Patch(type_, value, raw, twice if find_duplicates else (), read.literals, wrong)


def _wrong_shape(type_: PatchType, value: Any) -> str:
    """What Go says of a patch that is no object, or no list of operations."""
    if isinstance(value, list if type_ is PatchType.JSON else dict):
        return ""
    words = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    wanted = "[]handlers.jsonPatchOp" if type_ is PatchType.JSON else "map[string]interface {}"
    said = f"json: cannot unmarshal {words.get(type(value), 'number')} into Go value of type {wanted}"
    heads = {
        PatchType.STRATEGIC: "",
        PatchType.APPLY: "error decoding patch: error unmarshaling JSON: while decoding JSON: ",
    }
    return heads.get(type_, "error decoding patch: ") + said


def _read(raw: bytes, type_: PatchType) -> tuple[Document, tuple[str, ...]]:
    """A body of JSON, or of YAML for an apply. A patch of `null` is one with nothing in it, but for a merge patch."""
    if type_ is PatchType.APPLY:
        try:
            read, twice = body.from_yaml(raw)
        except NotYaml as error:
            head = "decoding patch: error converting YAML to JSON" if body.looks_like_json(raw) else "encoding patch"
            raise refusals.bad_request(f"error {head}: {error}") from error
        return replace(read, value={} if read.value is None else read.value), twice
    try:
        read = read_json(raw)
    except NotJson as error:
        raise refusals.bad_request("invalid JSON patch") from error
    if read.too_large:
        head = "" if type_ is PatchType.STRATEGIC else "error decoding patch: "
        where = "struct field jsonPatchOp.value" if type_ is PatchType.JSON else "value"
        said = f"{head}json: cannot unmarshal number {read.too_large} into Go {where} of type float64"
        raise refusals.bad_request(said)
    if type_ is not PatchType.STRATEGIC:
        return read, ()
    return replace(read, value={} if read.value is None else read.value), ()


class Patches:
    """Makes mutations for `Writes.change`."""

    def __init__(self, fields: Fields, now: Callable[[], str]) -> None:
        self._fields = fields
        self._now = now

    def mutation(
        self, kind: Kind, name: str, patch: Patch, options: WriteOptions, call: Call, subresource: str = ""
    ) -> Mutation:
        """What `patch` makes of the live object."""
        if patch.is_apply:
            return self._apply(kind, name, patch, options, call, subresource)
        return self._change(kind, name, patch, options, call, subresource)

    def _change(
        self, kind: Kind, name: str, patch: Patch, options: WriteOptions, call: Call, subresource: str
    ) -> Mutation:
        manager = call.manager(options.field_manager)

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(kind.resource, name)
            # What was not patched is shared with `live`, which the defaults below may change: keep it whole for comparing.
            before = _decode(msgspec.json.encode(live))
            wanted = self.patched(kind, live, patch)
            if (
                patch.type is PatchType.STRATEGIC
            ):  # it is restored into the kind's own struct, whatever it says that it is
                wanted |= {"apiVersion": kind.api_version, "kind": kind.name}
            wanted = self._checked(kind, wanted, patch, options.field_validation, call)
            _check_named(wanted, name)
            wanted = self._fields.default(kind, wanted)
            isolating.isolate(kind, wanted, before, subresource)
            return self._fields.track(kind, before, wanted, manager, subresource, self._now())

        return mutation

    def decoded(self, kind: Kind, patch: Patch, options: WriteOptions, call: Call) -> Callable[[Manifest], Manifest]:
        """What `patch` makes of an object that is not stored itself, such as a Scale; raises ApiError for what it cannot be."""

        def step(live: Manifest) -> Manifest:
            wanted = self.patched(kind, live, patch)
            return self._checked(kind, wanted, patch, options.field_validation, call)

        return step

    def patched(self, kind: Kind, live: Manifest, patch: Patch) -> Manifest:
        """The live object after a JSON, merge or strategic merge patch; raises ApiError."""
        if patch.wrong:
            raise refusals.bad_request(patch.wrong)
        try:
            match patch.type:
                case PatchType.JSON:
                    return merge.json_patch(live, patch.value)
                case PatchType.MERGE:
                    return merge.merge_patch(live, patch.value)
                case _:
                    return merge.strategic_merge(live, patch.value, kind.schema)
        except merge.PatchError as error:
            raise api_error(error) from error

    def _checked(self, kind: Kind, wanted: Manifest, patch: Patch, level: FieldValidation, call: Call) -> Manifest:
        """The patched object, as it can be decoded. What is wrong with it is said of the patch as a whole, with the object
        that it made."""
        if problem := self._fields.decode_problem(kind, wanted, patch.literals):
            if patch.type is not PatchType.STRATEGIC or kind.schema is None:
                raise _wrong_patch(wanted, patch, problem)
            if problem := restore_problem(kind.schema, wanted):
                raise _wrong_patch(wanted, patch, problem)
            wanted = restored(kind.schema, wanted)
        found = self._fields.unknown(kind, wanted, level, patch.duplicates)
        if found and level is FieldValidation.STRICT:
            raise _wrong_patch(wanted, patch, f"strict decoding error: {', '.join(found)}")
        for each in found:
            call.warn(each)
        return wanted

    def _apply(
        self, kind: Kind, name: str, patch: Patch, options: WriteOptions, call: Call, subresource: str
    ) -> Mutation:
        def mutation(live: Manifest | None) -> Manifest:
            if live is None and subresource:
                raise refusals.not_found(kind.resource, name)
            applied: Manifest = _decode(msgspec.json.encode(patch.value))  # a copy: results share with their input
            self._complete(kind, applied)
            if kind.schema is not None and (b"null" in patch.raw or not body.looks_like_json(patch.raw)):
                applied = schema.with_texts(kind.schema, applied)
            if live is not None:
                live = self._fields.as_read(kind, live)
            before = _decode(msgspec.json.encode(live)) if live is not None else None
            try:
                wanted = merge.apply(
                    live,
                    applied,
                    kind.schema,
                    manager=options.field_manager,
                    force=bool(options.force),
                    subresource=subresource,
                    now=self._now(),
                    reset_fields=reset_fields(kind, subresource),
                )
            except merge.PatchError as error:
                raise api_error(error) from error
            self._check_duplicates(patch, options, call)
            _check_named(wanted, name)
            if (given := wanted["metadata"]["name"]) != name:
                raise refusals.bad_request(
                    f"the name of the object ({given}) does not match the name on the URL ({name})"
                )
            wanted = self._restored(kind, name, wanted, applied)
            if before is None:
                _check_new(kind, name, wanted)
                isolating.reset_status(kind, wanted, None)
            wanted = self._fields.default(kind, wanted, decoded=False)
            if before is not None:
                isolating.isolate(kind, wanted, before, subresource)
            return wanted

        return mutation

    def _restored(self, kind: Kind, name: str, wanted: Manifest, applied: Manifest) -> Manifest:
        """What was merged, in its Go type; the real server says 500 when it does not fit."""
        if kind.schema is None or not (problem := self._fields.decode_problem(kind, wanted)):
            return wanted
        if kind.is_custom:
            raise refusals.bad_request(
                f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {problem}'
            )
        if not (problem := restore_problem(kind.schema, wanted)):
            fitted: Manifest = restored(kind.schema, wanted)
            return fitted
        namespace = _text(applied["metadata"].get("namespace"))
        shown = f"{kind.api_version if kind.group else f'/{kind.version}'}, Kind={kind.name}"
        said = f"unable to convert unstructured object to {shown}: {problem}"
        raise ApiError(500, "", f"failed to convert new object ({namespace}/{name}; {shown}) to proper version: {said}")

    def _check_duplicates(self, patch: Patch, options: WriteOptions, call: Call) -> None:
        """Keys that stand twice in a body are told only when the apply itself went well."""
        if patch.duplicates and options.field_validation is FieldValidation.STRICT:
            lines = "\n  ".join(patch.duplicates)
            raise refusals.bad_request(
                f"error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n  {lines}"
            )
        for each in patch.duplicates:
            call.warn(each)

    def _complete(self, kind: Kind, applied: Manifest) -> None:
        if (applied.get("apiVersion"), applied.get("kind")) != (kind.api_version, kind.name):
            api_version = _text(applied.get("apiVersion"))
            shown = api_version if "/" in api_version else f"/{api_version}"
            raise refusals.bad_request(f"invalid object type: {shown}, Kind={_text(applied.get('kind'))}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _check_new(kind: Kind, name: str, wanted: Manifest) -> None:
    """An apply that creates cannot mean a certain object; which version it means is not looked at."""
    meta = wanted["metadata"]
    meta.pop("resourceVersion", None)
    if uid := meta.get("uid"):
        detail = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise refusals.conflict(kind.resource, name, detail)


def _check_named(wanted: Manifest, name: str) -> None:
    """An object that lost its name is nobody's; raises 400."""
    meta = wanted.get("metadata")
    if not isinstance(meta, dict) or not meta.get("name"):
        raise refusals.unnamed(name)


def _wrong_patch(made: Manifest, patch: Patch, said: str) -> ApiError:
    """Of a strategic merge patch the patch is shown as Go prints it, of others the object that it made."""
    text = go_plain(patch.value) if patch.type is PatchType.STRATEGIC else msgspec.json.encode(made).decode()
    return refusals.invalid(GroupKind("", ""), "", [refusals.invalid_value("patch", text, said)])


def api_error(error: merge.PatchError) -> ApiError:
    """A merge error as the wire carries it."""
    if isinstance(error, merge.ApplyConflict):
        causes = tuple(
            Cause(_APPLY_CONFLICT, f"conflict with {conflict.manager}", conflict.field) for conflict in error.conflicts
        )
        return ApiError(409, "Conflict", error.message, causes=causes)
    reasons = {
        400: "BadRequest",
        409: "Conflict",
        413: "RequestEntityTooLarge",
        415: "UnsupportedMediaType",
        422: "Invalid",
    }
    details = refusals.NO_DETAILS if error.code == 422 else None
    return ApiError(error.code, reasons.get(error.code, ""), error.message, details=details)
