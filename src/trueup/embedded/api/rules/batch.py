"""Jobs and CronJobs. Follows pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation and pkg/registry/batch/job/strategy.go."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules import podwarnings
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, non_negative, set_default
from trueup.embedded.api.rules.poddefaults import default_template
from trueup.embedded.api.rules.podspecs import template_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, name_of

_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_NEEDED = 'valid values: "OnFailure", "Never"'


def _default_job(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    limit = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
    policy = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    set_default(spec, parallelism=1, backoffLimit=limit, suspend=False, manualSelector=False)
    default_text(spec, completionMode="NonIndexed", podReplacementPolicy=policy)
    default_template(spec.get("template"))
    _label_like_template(manifest)


def _label_like_template(manifest: Manifest) -> None:
    """A Job without labels shares those of its template, and so those that the template still gets."""
    labels, meta = at(manifest, "spec", "template", "metadata", "labels"), child(manifest, "metadata")
    if isinstance(labels, dict) and labels and not meta.get("labels"):
        meta["labels"] = labels


def _prepare_job(manifest: Manifest) -> None:
    """Unless `manualSelector` is set, the selector and the template's labels come from the uid."""
    spec, meta = manifest["spec"], manifest["metadata"]
    if spec.get("manualSelector"):
        return
    template = child(spec, "template")
    labels = child(child(template, "metadata"), "labels")
    for label in _NAME_LABELS:
        labels.setdefault(label, meta["name"])
    for label in _UID_LABELS:
        labels.setdefault(label, meta["uid"])
    child(child(spec, "selector"), "matchLabels").setdefault(_UID_LABELS[0], meta["uid"])
    _label_like_template(manifest)


def _job_spec_problems(spec: dict[str, Any], path: str) -> list[FieldProblem]:
    problems = [problem for field in _COUNTS for problem in non_negative(f"{path}.{field}", spec.get(field))]
    problems += template_problems(spec.get("template") or {}, f"{path}.template")
    policy = at(spec, "template", "spec", "restartPolicy")
    if policy == "Always":
        problems.append(required(f"{path}.template.spec.restartPolicy", _NEEDED))
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        problems.append(not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed" and spec.get("completions") is None:
        problems.append(required(f"{path}.completions", "when completion mode is Indexed"))
    return problems


def _validate_job(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = [] if spec.get("selector") else [required("spec.selector")]
    return problems + _job_spec_problems(spec, "spec")


def _job_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    fresh, before = new.get("spec") or {}, old.get("spec") or {}
    problems = []
    for field in (
        "selector",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ):
        problems += immutable(f"spec.{field}", fresh.get(field), before.get(field))
    if not (before.get("suspend") and not at(old, "status", "startTime")):
        problems += immutable("spec.template", fresh.get("template"), before.get("template"))
    if fresh.get("completions") != before.get("completions") and fresh.get("completionMode") != "Indexed":
        problems += immutable("spec.completions", fresh.get("completions"), before.get("completions"))
    return problems


def _default_cron_job(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    default_text(spec, concurrencyPolicy="Allow")
    set_default(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    default_template(at(spec, "jobTemplate", "spec", "template"))


def _validate_cron_job(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = []
    schedule = spec.get("schedule") or ""
    if len(name_of(manifest)) > _LONGEST_CRON_NAME:
        said = f"must be no more than {_LONGEST_CRON_NAME} characters"
        problems.append(invalid_value("metadata.name", name_of(manifest), said))
    if (zone := spec.get("timeZone")) is not None:
        problems += _zone_problems(zone)
    if not schedule:
        problems.append(required("spec.schedule"))
    elif "TZ" in schedule:
        said = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        problems.append(invalid_value("spec.schedule", schedule, said))
    elif said := _beyond(schedule):
        problems.append(invalid_value("spec.schedule", schedule, said))
    elif not _is_schedule(schedule):
        fields = len(schedule.split())
        said = f"expected exactly 5 fields, found {fields}: [{schedule}]" if fields != 5 else "it cannot be parsed"
        problems.append(invalid_value("spec.schedule", schedule, said))
    if (policy := spec.get("concurrencyPolicy")) not in ("Allow", "Forbid", "Replace"):
        problems.append(not_supported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace")))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        problems += non_negative(f"spec.{field}", spec.get(field))
    return problems + _job_spec_problems(at(spec, "jobTemplate", "spec") or {}, "spec.jobTemplate.spec")


_FIELD = re.compile(r"(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/\d+)?(,(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/\d+)?)*")
_NAMED = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)")


_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_LONGEST_CRON_NAME = 52  # eleven signs are added for the name of a Job


def _beyond(schedule: str) -> str:
    """What is said of the first number that its field cannot have; empty when there is none."""
    fields = schedule.split()
    if len(fields) != len(_RANGES):
        return ""
    for field, (low, high) in zip(fields, _RANGES, strict=True):
        for part in field.split(","):
            first, _, last = part.partition("/")[0].partition("-")
            last = last or first
            if first.isdigit() and int(first) < low:
                return f"beginning of range ({first}) below minimum ({low}): {part}"
            if last.isdigit() and int(last) > high:
                return f"end of range ({last}) above maximum ({high}): {part}"
    return ""


def _zone_problems(zone: str) -> list[FieldProblem]:
    if not zone:
        return [invalid_value("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [
            invalid_value(
                "spec.timeZone",
                zone,
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
            )
        ]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid_value("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []


def _is_schedule(text: str) -> bool:
    fields = text.split()
    if text.startswith("@"):
        return bool(_NAMED.fullmatch(text.strip()))
    return len(fields) == 5 and all(_FIELD.fullmatch(field) for field in fields)


RULES: dict[Resource, Rules] = {
    Resource("batch", "jobs"): Rules(
        default=_default_job,
        prepare_create=_prepare_job,
        validate=_validate_job,
        validate_update=_job_update,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
        deletes_orphan=True,
    ),
    Resource("batch", "cronjobs"): Rules(
        default=_default_cron_job,
        validate=_validate_cron_job,
        warnings=podwarnings.of_template("spec", "jobTemplate", "spec", "template"),
        counts_generation=True,
    ),
}
