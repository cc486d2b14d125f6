"""The query parameters of requests, typed and checked once.

Defaults and messages follow apimachinery's `meta/v1` options and their validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from trueup.embedded.api.refusals import (
    FieldProblem,
    bad_request,
    forbidden_field,
    go_value,
    invalid,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.target import is_true
from trueup.embedded.gowords import integer64, is_integer, quoted
from trueup.model.refs import GroupKind


class FieldValidation(StrEnum):
    """What happens to unknown and duplicate fields."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


class Propagation(StrEnum):
    """What happens to dependents of a deleted object."""

    ORPHAN = "Orphan"
    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


class ListOptions(Struct, frozen=True, kw_only=True):
    """Parameters of list, watch and deletecollection."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_: str = ""
    timeout_seconds: int | None = None
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None


class WriteOptions(Struct, frozen=True, kw_only=True):
    """Parameters of create, update and patch."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = FieldValidation.WARN
    force: bool | None = None


class DeleteOptions(Struct, frozen=True, kw_only=True):
    """A delete's parameters, from its body or its query. `propagation` None is the kind's default."""

    dry_run: bool = False
    grace_period_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: Propagation | None = None


def list_options(query: Mapping[str, str], *, watching: bool) -> ListOptions:
    """Raises 400 for numbers that are none, 422 for combinations that make no sense."""
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
        limit=_integer(query, "limit") or 0,
        continue_=query.get("continue", ""),
        timeout_seconds=_integer(query, "timeoutSeconds"),
        allow_watch_bookmarks=is_true(query.get("allowWatchBookmarks")),
        send_initial_events=is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None,
    )
    if problems := _list_problems(options, watching):
        raise invalid(GroupKind("meta.k8s.io", "ListOptions"), "", problems)
    return options


def _list_problems(options: ListOptions, watching: bool) -> list[FieldProblem]:
    match, version = options.resource_version_match, options.resource_version
    problems = []
    if watching:
        if options.send_initial_events is None and match:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            problems.append(forbidden_field("resourceVersionMatch", detail))
        elif options.send_initial_events is not None and match != "NotOlderThan":
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            problems.append(forbidden_field("resourceVersionMatch", detail))
        if match not in ("", "NotOlderThan"):
            problems.append(not_supported("resourceVersionMatch", match, ["NotOlderThan"]))
        if options.send_initial_events is None:
            return problems
        if options.continue_:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(forbidden_field("resourceVersionMatch", detail))
        return problems
    if options.send_initial_events is not None:
        problems.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        if not version:
            detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            problems.append(forbidden_field("resourceVersionMatch", detail))
        if options.continue_:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(forbidden_field("resourceVersionMatch", detail))
        if match not in ("Exact", "NotOlderThan"):
            problems.append(not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]))
        elif match == "Exact" and version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            problems.append(forbidden_field("resourceVersionMatch", detail))
    return problems


def write_options(query: Mapping[str, str], kind: str, *, applying: bool = False) -> WriteOptions:
    """`kind` is the options' own kind for messages (CreateOptions, ...). Raises 422."""
    problems: list[FieldProblem] = []
    dry_run = _dry_run([query["dryRun"]] if "dryRun" in query else [], problems)
    manager = query.get("fieldManager", "")
    if len(manager.encode()) > 128:
        problems.append(FieldProblem("fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes"))
    elif not manager.isprintable():
        place, sign = next((place, sign) for place, sign in enumerate(manager) if not sign.isprintable())
        said = f"invalid character U+{ord(sign):04X} (at position {place})"
        problems.append(FieldProblem("fieldManager", "FieldValueInvalid", f"Invalid value: {quoted(manager)}: {said}"))
    validation = query.get("fieldValidation", "") or FieldValidation.WARN
    if validation not in tuple(FieldValidation):
        problems.append(not_supported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]))
        validation = FieldValidation.WARN
    force = is_true(query["force"]) if "force" in query else None
    if applying and not manager:
        problems.append(required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not applying and force is not None:
        problems.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if problems:
        raise invalid(GroupKind("meta.k8s.io", kind), "", problems)
    return WriteOptions(
        dry_run=dry_run, field_manager=manager, field_validation=FieldValidation(validation), force=force
    )


def delete_options(query: Mapping[str, str], body: Mapping[str, Any] | None) -> DeleteOptions:
    """A body wins over the query, as in the real server. Raises 400 and 422."""
    if body is None:
        body = {
            key: value
            for key, value in (
                ("gracePeriodSeconds", _integer(query, "gracePeriodSeconds")),
                ("propagationPolicy", query.get("propagationPolicy")),
                ("orphanDependents", is_true(query["orphanDependents"]) if "orphanDependents" in query else None),
                ("dryRun", [query["dryRun"]] if "dryRun" in query else None),
            )
            if value is not None
        }
    problems: list[FieldProblem] = []
    dry_run = _dry_run(body.get("dryRun") or [], problems)
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    policy, orphan = body.get("propagationPolicy"), body.get("orphanDependents")
    if policy is not None and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        problems.append(invalid_value("propagationPolicy", policy, detail))
    elif policy is not None and policy not in tuple(Propagation):
        problems.append(not_supported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]))
    if problems:
        raise invalid(GroupKind("meta.k8s.io", "DeleteOptions"), "", problems)
    if policy is None and orphan is not None:
        policy = Propagation.ORPHAN if orphan else Propagation.BACKGROUND
    return DeleteOptions(
        dry_run=dry_run,
        # A negative grace period means one second: https://issues.k8s.io/100000 and its fix
        grace_period_seconds=1 if grace is not None and grace < 0 else grace,
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        propagation=Propagation(policy) if policy else None,
    )


def _dry_run(values: list[str], problems: list[FieldProblem]) -> bool:
    if any(value != "All" for value in values):
        said = f'Unsupported value: {go_value(values)}: supported values: "All"'
        problems.append(FieldProblem("dryRun", "FieldValueNotSupported", said))
    return bool(values)


def _integer(query: Mapping[str, str], name: str) -> int | None:
    if not (text := query.get(name, "")):
        return None
    if (number := integer64(text)) is None:
        what = "value out of range" if is_integer(text) else "invalid syntax"
        raise bad_request(f"strconv.ParseInt: parsing {quoted(text)}: {what}")
    return number
