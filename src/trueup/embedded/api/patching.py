"""Patches: from a content type and a body to a mutation of the live object. The merging itself is `embedded.merge`'s.

https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from trueup.embedded import merge
from trueup.embedded.api import body, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.negotiation import JSON, YAML
from trueup.embedded.api.options import FieldValidation, WriteOptions
from trueup.embedded.api.resetfields import reset_fields
from trueup.embedded.api.restoring import restore_problem
from trueup.embedded.api.writes import Mutation, Writes
from trueup.embedded.api.yamlkeys import keys_twice
from trueup.embedded.gowords import go_plain
from trueup.model.apierror import ApiError, Cause
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind

_APPLY_CONFLICT = "FieldManagerConflict"
_decode = msgspec.json.Decoder(dict).decode
_decode_any = msgspec.json.Decoder().decode


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
    value = _decoded(raw, type_)
    if type_ is PatchType.JSON:
        if not isinstance(value, list):
            raise refusals.bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
            )
    elif not isinstance(value, dict):
        word = {list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")
        said = f"json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
        if type_ is PatchType.APPLY:
            said = f"error decoding patch: error unmarshaling JSON: while decoding JSON: {said}"
        raise refusals.bad_request(said)
    if not find_duplicates or type_ is PatchType.JSON or not (twice := body.duplicate_keys(raw)):
        twice = keys_twice(raw) if type_ is PatchType.APPLY and find_duplicates and not _is_json(raw) else ()
    elif type_ is PatchType.APPLY:
        twice = keys_twice(raw)
    return Patch(type_, value, raw, twice)


def _decoded(raw: bytes, type_: PatchType) -> Any:
    """A body of JSON, or of YAML for an apply. A strategic merge patch of `null` is one with nothing in it."""
    if type_ is PatchType.APPLY:
        try:
            return with_whole_numbers(body.decode_any(raw, YAML), raw)
        except ApiError as error:
            if isinstance(error.__cause__, yaml.MarkedYAMLError):
                raise refusals.bad_request(f"error encoding patch: yaml: {_go_yaml(error.__cause__)}") from error
            raise
    if type_ is PatchType.JSON:
        return body.decode_any(raw, JSON)
    try:
        value = with_whole_numbers(_decode_any(raw), raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusals.bad_request("invalid JSON patch") from error
    return {} if value is None else value


def _go_yaml(error: yaml.MarkedYAMLError) -> str:
    """`line 1: did not find expected ',' or ']'`: both readers are libyaml's children."""
    mark = error.context_mark or error.problem_mark
    return f"line {mark.line + 1}: {error.problem}" if mark is not None else str(error.problem)


def _is_json(raw: bytes) -> bool:
    """As nearly all applies are: then the quick look for keys that stand twice has seen all of it."""
    try:
        _decode_any(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_FRACTION = re.compile(rb"[0-9](\.[0-9]|[eE][+-]?[0-9])")


def with_whole_numbers(value: Any, raw: bytes) -> Any:
    """`1.0` as `1`, which is how Go writes it again. Looks at nothing when the text has no such number."""
    return _whole(value) if _FRACTION.search(raw) else value


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


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
            self._check_patched(kind, wanted, patch, options.field_validation, call)
            _check_named(wanted, name)
            wanted = self._fields.default(kind, wanted)
            self._writes.isolate(kind, wanted, before, subresource)
            return self._fields.track(kind, before, wanted, manager, subresource, self._now())

        return mutation

    def decoded(self, kind: Kind, patch: Patch, options: WriteOptions, call: Call) -> Callable[[Manifest], Manifest]:
        """What `patch` makes of an object that is not stored itself, such as a Scale; raises ApiError for what it cannot be."""

        def step(live: Manifest) -> Manifest:
            wanted = self.patched(kind, live, patch)
            self._check_patched(kind, wanted, patch, options.field_validation, call)
            return wanted

        return step

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

    def _check_patched(self, kind: Kind, wanted: Manifest, patch: Patch, level: FieldValidation, call: Call) -> None:
        """What is wrong with a patched object is said of the patch as a whole, with the object that it made."""
        strategic = patch.type is PatchType.STRATEGIC
        if problem := self._fields.decode_problem(kind, wanted):
            if strategic and kind.schema is not None:
                problem = restore_problem(kind.schema, wanted) or problem
            raise _wrong_patch(wanted, patch, problem)
        found = self._fields.unknown(kind, wanted, level, patch.duplicates)
        if found and level is FieldValidation.STRICT:
            raise _wrong_patch(wanted, patch, f"strict decoding error: {', '.join(found)}")
        for each in found:
            call.warn(each)

    def _apply(
        self, kind: Kind, name: str, patch: Patch, options: WriteOptions, call: Call, subresource: str
    ) -> Mutation:
        def mutation(live: Manifest | None) -> Manifest:
            if live is None and subresource:
                raise refusals.not_found(kind.resource, name)
            applied: Manifest = _decode(msgspec.json.encode(patch.value))  # a copy: results share with their input
            self._complete(kind, name, applied)
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
            self._fields.check_types(kind, wanted)
            if before is None:
                _check_new(kind, name, wanted)
                self._writes.reset_status(kind, wanted, None)
            wanted = self._fields.default(kind, wanted, decoded=False)
            if before is not None:
                self._writes.isolate(kind, wanted, before, subresource)
            return wanted

        return mutation

    def _check_duplicates(self, patch: Patch, options: WriteOptions, call: Call) -> None:
        """Keys that stand twice in a body are told only when the apply itself went well."""
        if patch.duplicates and options.field_validation is FieldValidation.STRICT:
            lines = "\n  ".join(patch.duplicates)
            raise refusals.bad_request(
                f"error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n  {lines}"
            )
        for each in patch.duplicates:
            call.warn(each)

    def _complete(self, kind: Kind, name: str, applied: Manifest) -> None:
        if (applied.get("apiVersion"), applied.get("kind")) != (kind.api_version, kind.name):
            api_version = str(applied.get("apiVersion") or "")
            shown = api_version if "/" in api_version else f"/{api_version}"
            raise refusals.bad_request(f"invalid object type: {shown}, Kind={applied.get('kind') or ''}")
        meta = applied.get("metadata")
        if isinstance(meta, dict) and (given := meta.get("name")) and given != name:
            raise refusals.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


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
        raise refusals.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )


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
