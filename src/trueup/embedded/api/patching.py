"""Patches: from a content type and a body to a mutation of the live object. The merging itself is `embedded.merge`'s.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded import merge
from trueup.embedded.api import body, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.negotiation import JSON, YAML
from trueup.embedded.api.options import FieldValidation, WriteOptions
from trueup.embedded.api.resetfields import reset_fields
from trueup.embedded.api.writes import Mutation, Writes
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

    @property
    def is_apply(self) -> bool:
        return self.type is PatchType.APPLY


def read_patch(kind: Kind, raw: bytes, content_type: str, *, find_duplicates: bool) -> Patch:
    """Raises 400 for what cannot be read, 415 for a language that this kind does not speak."""
    offered = [each for each in PatchType if each is not PatchType.STRATEGIC or not kind.is_custom]
    media_type = body.media_type_of(content_type)
    if media_type not in offered:
        if kind.is_custom:
            raise refusals.unsupported_media_type(offered)
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details=refusals.NO_DETAILS)
    type_ = PatchType(media_type)
    value = body.decode_any(raw, YAML if type_ is PatchType.APPLY else JSON)
    if type_ is PatchType.JSON:
        if not isinstance(value, list):
            raise refusals.bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
            )
    elif not isinstance(value, dict):
        raise refusals.bad_request(
            "error decoding patch: json: cannot unmarshal the patch into a Go value of type map[string]interface {}"
        )
    duplicates = body.duplicate_keys(raw) if find_duplicates and type_ is not PatchType.JSON else ()
    return Patch(type_, value, raw, duplicates)


class Patches:
    """Makes mutations for `Writes.change`."""

    def __init__(self, writes: Writes, fields: Fields, now: Callable[[], str]) -> None:
        self._writes = writes
        self._fields = fields
        self._now = now

    def mutation(
        self, kind: Kind, name: str, patch: Patch, options: WriteOptions, call: Call, subresource: str = ""
    ) -> Mutation:
        """What `patch` makes of the live object."""
        if patch.is_apply:
            return self._apply(kind, name, patch, options, subresource)
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
            self._check_meta(kind, wanted)
            self._check_patched(kind, wanted, patch, options.field_validation, call)
            wanted = self._fields.default(kind, wanted)
            self._writes.isolate(kind, wanted, before, subresource)
            return self._fields.track(kind, before, wanted, manager, subresource, self._now())

        return mutation

    def patched(self, kind: Kind, live: Manifest, patch: Patch) -> Manifest:
        """The live object after a JSON, merge or strategic merge patch; raises ApiError."""
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

    def _check_meta(self, kind: Kind, wanted: Manifest) -> None:
        if not isinstance(wanted.get("metadata"), dict):
            problem = refusals.required("metadata", "the patched object has no metadata")
            raise refusals.invalid(kind.group_kind, "", [problem])

    def _check_patched(self, kind: Kind, wanted: Manifest, patch: Patch, level: FieldValidation, call: Call) -> None:
        """What is wrong with a patched object is said of the patch as a whole, with the object that it made."""
        if problem := self._fields.decode_problem(kind, wanted):
            raise _wrong_patch(wanted, problem)
        found = self._fields.unknown(kind, wanted, level, patch.duplicates)
        if found and level is FieldValidation.STRICT:
            raise _wrong_patch(wanted, f"strict decoding error: {', '.join(found)}")
        for each in found:
            call.warn(each)

    def _apply(self, kind: Kind, name: str, patch: Patch, options: WriteOptions, subresource: str) -> Mutation:
        def mutation(live: Manifest | None) -> Manifest:
            if live is None and subresource:
                raise refusals.not_found(kind.resource, name)
            applied: Manifest = _decode(msgspec.json.encode(patch.value))  # a copy: results share with their input
            self._complete(kind, name, applied)
            if live is None and applied["metadata"].get("resourceVersion"):
                raise refusals.not_found(kind.resource, name)
            if patch.duplicates and options.field_validation is FieldValidation.STRICT:
                raise refusals.bad_request(f"error strict decoding YAML: {', '.join(patch.duplicates)}")
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
            self._fields.check_types(kind, wanted)
            if before is None:
                self._writes.reset_status(kind, wanted, None)
            wanted = self._fields.default(kind, wanted, decoded=False)
            if before is not None:
                self._writes.isolate(kind, wanted, before, subresource)
            return wanted

        return mutation

    def _complete(self, kind: Kind, name: str, applied: Manifest) -> None:
        if (applied.get("apiVersion"), applied.get("kind")) != (kind.api_version, kind.name):
            api_version = str(applied.get("apiVersion") or "")
            shown = api_version if "/" in api_version else f"/{api_version}"
            raise refusals.bad_request(f"invalid object type: {shown}, Kind={applied.get('kind') or ''}")
        meta = applied.get("metadata")
        if meta is None:
            meta = applied["metadata"] = {}
        if not isinstance(meta, dict):
            raise refusals.bad_request("metadata must be an object")
        if meta.setdefault("name", name) != name:
            raise refusals.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
            )


def _wrong_patch(made: Manifest, said: str) -> ApiError:
    text = msgspec.json.encode(made).decode()
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
