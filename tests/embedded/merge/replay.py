"""Plays single steps of cases with our own merging, each from the state that the real server had before it."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.embedded.merge.scenario import Case, Kind, Outcome, Step, crds, kinds, stable
from trueup.embedded.merge import (
    ApplyConflict,
    PatchError,
    apply,
    json_patch,
    merge_patch,
    rows_for_parent,
    rows_for_scale,
    settle_times,
    strategic_merge,
    track_update,
)
from trueup.embedded.schema import (
    BuiltinSchemas,
    FieldError,
    SchemaNode,
    apply_defaults,
    prune,
    structural,
    tidy_metadata,
    validate,
)
from trueup.model.fields import FieldSet

NOW = "<time>"
REPLICAS = ("f:spec", "f:replicas")

RESET = {
    "": FieldSet.from_fields_v1({"f:status": {}}),
    "status": FieldSet.from_fields_v1({"f:spec": {}, "f:metadata": {".": {}, "f:labels": {}}}),
}
RESET_CUSTOM = RESET | {"status": FieldSet.from_fields_v1({"f:spec": {}, "f:metadata": {}})}


@cache
def builtin() -> BuiltinSchemas:
    return BuiltinSchemas.load()


@cache
def node_of(kind: str) -> SchemaNode:
    if kind in crds():
        return structural(crds()[kind]["schema"], builtin().definition)
    node = builtin().node(*kinds()[kind].group_version, kind)
    assert node is not None
    return node


def has_status(kind: str) -> bool:
    return "status" in crds()[kind]["subresources"] if kind in crds() else "status" in node_of(kind).properties


def play(case: Case, step: Step, before: dict[str, Any] | None, real: dict[str, Any] | None) -> Outcome:
    """What the step does to `before`. `real` is what the server stored: for updates of built-in kinds, ownership is
    computed for that object, because its defaults are not this folder's subject."""
    kind = kinds()[case.kind]
    try:
        after = (
            _scaled(case, kind, step, before)
            if step.subresource == "scale"
            else _written(case, kind, step, before, real)
        )
    except ApplyConflict as conflict:
        causes = [
            {"field": one.field, "message": f"conflict with {one.manager}", "reason": "FieldManagerConflict"}
            for one in conflict.conflicts
        ]
        return Outcome(409, status={"reason": "Conflict", "message": conflict.message, "causes": causes})
    except PatchError as error:
        return Outcome(error.code, status={"message": error.message})
    if case.kind in crds() and (errors := _errors(case, step, after)):
        causes = [{"field": one.path, "message": one.message, "reason": one.reason} for one in errors]
        listed = ", ".join(map(str, errors))
        text = f"[{listed}]" if len(errors) > 1 else listed
        group, name = kind.group_version[0], case.name
        message = f'{case.kind}.{group} "{name}" is invalid: {text}'
        return Outcome(422, status={"message": message, "causes": causes})
    after = settle_times(before, after)
    return Outcome(201 if before is None else 200, stable(after), unchanged=after is before)


def _errors(case: Case, step: Step, after: dict[str, Any]) -> list[FieldError]:
    """The status subresource looks at the status alone."""
    node = node_of(case.kind)
    status = node.properties.get("status") if step.subresource == "status" else None
    if status is None:
        return validate(node, after)
    return validate(status, after["status"], at="status") if "status" in after else []


def _written(
    case: Case, kind: Kind, step: Step, before: dict[str, Any] | None, real: dict[str, Any] | None
) -> dict[str, Any]:
    node, custom = node_of(case.kind), case.kind in crds()
    reset = (RESET_CUSTOM if custom else RESET)[step.subresource] if has_status(case.kind) else None
    who: dict[str, Any] = {"manager": step.manager, "subresource": step.subresource, "now": NOW, "reset_fields": reset}
    if step.verb == "apply":
        after = apply(before, case.complete(step.object, kind, step), node, force=step.force, **who)
        return _settled(apply_defaults(node, after) if custom else after, before, case, step)
    match step.verb:
        case "create":
            new = case.complete(step.object, kind, step)
        case "update":
            new = merge_patch(before or {}, step.change)
        case "merge":
            new = merge_patch(before or {}, step.patch)
        case "json":
            new = json_patch(before or {}, step.ops)
        case _:
            new = strategic_merge(before or {}, step.patch, None if custom else node)
    if custom:
        new = apply_defaults(node, prune(node, new)[0])
        return _settled(track_update(before, new, node, **who), before, case, step)
    rows = new.get("metadata", {}).get("managedFields")
    tracked = track_update(before, _with_rows(real or new, rows), node, **who)
    return _with_rows(_settled(new, before, case, step), tracked["metadata"].get("managedFields"))


def _settled(after: dict[str, Any], before: dict[str, Any] | None, case: Case, step: Step) -> dict[str, Any]:
    """What the storage strategy does: the main resource cannot write the status, the status resource nothing else.
    Metadata is a Go struct even in custom resources, and omits what is empty."""
    after = tidy_metadata(after)
    if not has_status(case.kind):
        return after
    if step.subresource == "status":
        assert before is not None
        out = {key: value for key, value in before.items() if key != "status"}
        out |= {"status": after["status"]} if "status" in after else {}
        return _with_rows(out, after["metadata"].get("managedFields"))
    out = {key: value for key, value in after.items() if key != "status"}
    return out | ({"status": before["status"]} if before is not None and "status" in before else {})


def _with_rows(obj: dict[str, Any], rows: list[dict[str, Any]] | None) -> dict[str, Any]:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata | ({"managedFields": rows} if rows is not None else {})}


def _scaled(case: Case, kind: Kind, step: Step, before: dict[str, Any] | None) -> dict[str, Any]:
    """A write to the Scale object and back."""
    assert before is not None
    node = builtin().node("autoscaling", "v1", "Scale")
    paths = {kind.api_version: REPLICAS}
    scale: dict[str, Any] = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": case.name, "namespace": before["metadata"]["namespace"]},
        "spec": {"replicas": before["spec"]["replicas"]},
    }
    scale["metadata"]["managedFields"] = rows_for_scale(before, paths)
    if step.verb == "apply":
        applied = case.complete(step.object, kind, step)
        after = apply(scale, applied, node, manager=step.manager, force=step.force, subresource="scale", now=NOW)
    else:
        change = step.change if step.verb == "update" else step.patch
        after = track_update(
            scale, merge_patch(scale, change), node, manager=step.manager, subresource="scale", now=NOW
        )
    out = _with_rows(before, rows_for_parent(before, after, kind.api_version, paths))
    return out | {"spec": before["spec"] | {"replicas": after["spec"]["replicas"]}}
