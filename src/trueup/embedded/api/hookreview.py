"""What a webhook is asked and what it answers: AdmissionReviews, made and verified. Pure.

Follows apiserver's pkg/admission/plugin/webhook/request, whose words the complaints are.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml
from msgspec import Struct

from trueup.embedded.api.admission import Operation, Review
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import DeleteOptions, FieldValidation, WriteOptions
from trueup.model.apierror import ApiError, Cause
from trueup.model.manifest import Manifest

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


class BadAnswer(Exception):
    """What came back is no answer. The message goes after `failed calling webhook "...": `."""


class Verdict(Struct, frozen=True):
    """What a webhook answered."""

    uid: str = ""
    allowed: bool = False
    status: dict[str, Any] | None = None
    patch: str | None = None
    patch_type: str | None = msgspec.field(name="patchType", default=None)
    warnings: list[str] = []


def version_of(webhook: Manifest) -> str:
    """The first version of the review that the webhook and this server both speak; raises BadAnswer."""
    for version in webhook.get("admissionReviewVersions") or ():
        if version in VERSIONS:
            return str(version)
    raise BadAnswer("webhook does not accept known AdmissionReview versions (v1, v1beta1)")


def request_of(review: Review, seen_as: Kind, version: str, uid: str) -> Manifest:
    """The AdmissionReview; the review's objects are in the version of `seen_as` already."""
    kind = review.kind
    request: Manifest = (
        {"uid": uid} | _named("", seen_as, review.subresource) | _named("request", kind, review.subresource)
    )
    meta = (review.object or review.old or {}).get("metadata") or {}
    if name := review.name or meta.get("name"):
        request["name"] = name
    place = review.namespace or (meta.get("name") if kind.name == "Namespace" and not kind.group else "")
    if place:
        request["namespace"] = place
    request |= {
        "operation": review.operation.value,
        "userInfo": review.call.user.as_user_info(),
        "object": review.object,
        "oldObject": review.old,
        "dryRun": review.dry_run,
        "options": _options(review),
    }
    return {"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": request}


def _named(prefix: str, kind: Kind, subresource: str) -> Manifest:
    def field(name: str) -> str:
        return f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name

    group_version = {"group": kind.group, "version": kind.version}
    found: Manifest = {
        field("kind"): group_version | {"kind": kind.name},
        field("resource"): group_version | {"resource": kind.plural},
    }
    return found | ({field("subResource"): subresource} if subresource else {})


def _options(review: Review) -> Manifest:
    found: Manifest = {"kind": f"{review.operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
    asked = review.options
    if review.dry_run:
        found["dryRun"] = ["All"]
    if isinstance(asked, WriteOptions):
        if asked.field_manager:
            found["fieldManager"] = asked.field_manager
        if asked.field_validation is not FieldValidation.WARN:
            found["fieldValidation"] = asked.field_validation.value
    elif isinstance(asked, DeleteOptions):
        if asked.grace_period_seconds is not None:
            found["gracePeriodSeconds"] = asked.grace_period_seconds
        if asked.propagation is not None:
            found["propagationPolicy"] = asked.propagation.value
        locks = {"uid": asked.uid, "resourceVersion": asked.resource_version}
        if kept := {key: value for key, value in locks.items() if value}:
            found["preconditions"] = kept
    return found


def verdict_of(raw: bytes, version: str, uid: str, *, mutating: bool) -> Verdict:
    """Raises BadAnswer."""
    answer = _decoded(raw)
    group, _, said = str(answer.get("apiVersion") or "").rpartition("/")
    if group == GROUP and said in VERSIONS and said != version:
        problem = f"converting ({said}.AdmissionReview) to ({version}.AdmissionReview): unknown conversion"
        raise BadAnswer(f"failed to call webhook: {problem}")
    if not isinstance(answer.get("response"), dict):
        raise BadAnswer("received invalid webhook response: webhook response was absent")
    try:
        verdict = msgspec.convert(answer["response"], Verdict)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"failed to call webhook: json: {error}") from error
    if verdict.uid != uid:
        raise BadAnswer(f'received invalid webhook response: expected response.uid="{uid}", got "{verdict.uid}"')
    if version == "v1beta1":
        return verdict
    kind = answer.get("kind") or ""
    if (group, said, kind) != (GROUP, version, "AdmissionReview"):
        wanted = f"{GROUP}/{version}, Kind=AdmissionReview"
        raise BadAnswer(
            f"received invalid webhook response: expected webhook response of {wanted}, got {group}/{said}, Kind={kind}"
        )
    if problem := _patch_problem(verdict, mutating=mutating):
        raise BadAnswer(f"received invalid webhook response: {problem}")
    return verdict


def _patch_problem(verdict: Verdict, *, mutating: bool) -> str:
    if not mutating:
        if verdict.patch:
            return "validating webhook may not return response.patch"
        return "validating webhook may not return response.patchType" if verdict.patch_type is not None else ""
    if verdict.patch and verdict.patch_type is None:
        return "webhook returned response.patch but not response.patchType"
    if not verdict.patch and verdict.patch_type is not None:
        return "webhook returned response.patchType but not response.patch"
    return ""


def _decoded(raw: bytes) -> Manifest:
    """As apimachinery's decoder reads it, which takes YAML too."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            found = yaml.load(raw, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise BadAnswer(f"failed to call webhook: couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(found, dict):
        shown = {list: "array", str: "string", bool: "bool"}.get(type(found), "number")
        said = f"json: cannot unmarshal {shown} into Go value of type {_TYPE_META}"
        raise BadAnswer(f"failed to call webhook: couldn't get version/kind; json parse error: {said}")
    return found


def denial(name: str, verdict: Verdict) -> ApiError:
    """The refusal that a webhook's `allowed: false` is."""
    status = verdict.status or {}
    code, reason = status.get("code"), str(status.get("reason") or "")
    said = status.get("message") or reason
    message = f'admission webhook "{name}" denied the request'
    message = f"{message}: {said}" if said else f"{message} without explanation"
    details = dict(status["details"]) if isinstance(status.get("details"), dict) else {}
    causes = tuple(
        Cause(str(each.get("reason") or ""), str(each.get("message") or ""), str(each.get("field") or ""))
        for each in details.pop("causes", None) or ()
        if isinstance(each, dict)
    )
    refused = code if isinstance(code, int) and 400 <= code < 600 else 400
    return ApiError(refused, reason, message, details=details or None, causes=causes)


def forbids_changes(review: Review) -> bool:
    """A delete has no object that a webhook could change."""
    return review.operation is Operation.DELETE or review.object is None
