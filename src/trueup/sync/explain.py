"""A refusal of the API server, said so that a person knows what to do: which field, what was found, what to try.

Pure text to text. The object and its place in Git stand in the change that carries the message. Values are cut out of
messages about Secrets, for the server quotes what it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from trueup.model.apierror import ApiError
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef, join_api_version

LONGEST = 1000
_RBAC = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)?'
)
_ESCALATION = re.compile(r'user "(?P<user>[^"]+)" .*is attempting to grant RBAC permissions not currently held')
_WEBHOOK_DENIED = re.compile(
    r'admission webhook "(?P<name>[^"]+)" denied the request(?: without explanation|: (?P<why>.*))', re.DOTALL
)
_WEBHOOK_FAILED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_POLICY_DENIED = re.compile(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)'.*? denied request(?:: (?P<why>.*))?", re.DOTALL
)
_NO_NAMESPACE = re.compile(r'namespaces "(?P<name>[^"]+)" not found')
_TERMINATING = re.compile(r"in namespace (?P<name>\S+) because it is being terminated")
_TYPED = re.compile(r"failed to create typed patch object \([^)]*\): (?P<path>[^:]+): (?P<what>.*)", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r'unknown field "(?P<path>[^"]+)"')
_DUPLICATE = re.compile(r"duplicate entries for key (?P<key>\[.*?\])")
_GO_TYPE = re.compile(
    r"cannot unmarshal (?P<found>\w+) into Go (?:struct field (?P<path>\S+)|value) of type (?P<wanted>\S+)"
)
_QUOTED_VALUE = re.compile(r"(Invalid value: ).*(: )", re.DOTALL)
_UNSTRUCTURED = re.compile(r"&value\.\w+\{.*\}")


def explain(error: TrueupError, ref: ObjectRef, version: str, *, hide_values: bool = False) -> str:
    """Text for a condition, an event, a record: what is wrong and, on a line of its own, what to try.

    `hide_values`: the object holds, or was made from, secrets.
    """
    if not isinstance(error, ApiError):
        return _with_hint(_cut(error.message), error.hint)
    hide = hide_values or (ref.group, ref.kind) == ("", "Secret")
    for rule in _RULES:
        if (found := rule(error, ref, version)) is not None:
            message, hint = found
            return _with_hint(_cut(_without_values(message) if hide else _shortened(message)), hint)
    message = _without_values(error.message) if hide else _shortened(error.message)
    return _with_hint(_cut(message), error.hint)


def is_permanent(error: TrueupError) -> bool:
    """Whether sending the same object again cannot help, whatever the HTTP code says.

    The server answers 500 to an object that is not of the schema's types.
    """
    if not isinstance(error, ApiError):
        return False
    if _TYPED.search(error.message):
        return True
    return error.code in (400, 413, 415, 422) and not _WEBHOOK_FAILED.search(error.message)


def _immutable(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    if not error.is_immutable:
        return None
    fields = [cause.field for cause in error.immutable_causes if cause.field and cause.field != "spec"]
    hint = f"change it back, rename the {ref.kind}, or set force to have it deleted and made anew"
    if fields:
        return f"{', '.join(dict.fromkeys(fields))} cannot be changed in place", hint
    return f"cannot be changed in place: {_cause_text(error)}", hint


def _forbidden(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    match = _RBAC.search(error.message)
    if match is None:
        return None
    group, resource, verb = match["group"], match["resource"], match["verb"]
    namespace = match["namespace"]
    where = f"in the namespace {namespace}" if namespace else "in the whole cluster"
    what = f"{resource}.{group}" if group else resource
    role = f"Role in {namespace}" if namespace else "ClusterRole"
    who = _account(match["user"])
    verbs = '["create", "patch"]' if verb in ("create", "patch") else f'["{verb}"]'
    rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: {verbs}'
    return f"{who} may not {verb} {what} {where}", f"bind {who} to a {role} with {rule}"


def _escalation(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    match = _ESCALATION.search(error.message)
    if match is None:
        return None
    who = _account(match["user"])
    message = f"{who} may not grant rights that it does not have itself"
    return message, f"give {who} those rights, or the verbs escalate and bind on {ref.kind}s"


def _webhook(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    if match := _WEBHOOK_DENIED.search(error.message):
        why = (match["why"] or "no reason given").strip()
        return f"the admission webhook {match['name']} denied it: {why}", "change the object as the webhook says"
    if match := _POLICY_DENIED.search(error.message):
        why = (match["why"] or "no reason given").strip()
        return f"the policy {match['name']} denied it: {why}", "change the object as the policy says"
    if match := _WEBHOOK_FAILED.search(error.message):
        hint = f"see that the service behind the webhook {match['name']} runs; it is tried again"
        return error.message, hint
    return None


def _namespace(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    if error.is_not_found and (match := _NO_NAMESPACE.search(error.message)):
        hint = f"declare the Namespace {match['name']} in Git beside it, or create it (Argo CD: CreateNamespace=true)"
        return f"the namespace {match['name']} does not exist", hint
    if match := _TERMINATING.search(error.message):
        hint = f"wait until it is gone, or see what holds it: kubectl get namespace {match['name']} -o yaml"
        return f"the namespace {match['name']} is being deleted", hint
    return None


def _types(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:
    kind = f"{join_api_version(ref.group, version)} {ref.kind}"
    if match := _TYPED.search(error.message):
        path, what = match["path"].lstrip("."), match["what"].strip()
        if "not declared in schema" in what:
            return f"{path}: {kind} has no such field", "check its spelling, its indentation and the apiVersion"
        if double := _DUPLICATE.search(what):
            return f"{path}: two items have the key {double['key']}", "remove or rename one of them"
        return f"{path}: {_UNSTRUCTURED.sub('another type', what)}", "see kubectl explain for the type that it needs"
    if match := _UNKNOWN_FIELD.search(error.message):
        return f"{match['path']}: {kind} has no such field", "check its spelling, its indentation and the apiVersion"
    if match := _GO_TYPE.search(error.message):
        path = f"{match['path']}: " if match["path"] else ""
        return f"{path}found {match['found']}, needs {match['wanted']}", "quote it, or take the quotes away"
    return None


def _invalid(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    """The causes alone: the message repeats them, with the whole object in front."""
    rows = [cause for cause in error.causes if cause.field and cause.message]
    if error.code != 422 or not rows:
        return None
    shown = [f"{row.field}: {_shortened(row.message)}" for row in rows[:5]]
    more = f"; and {len(rows) - 5} more" if len(rows) > 5 else ""
    return "; ".join(dict.fromkeys(shown)) + more, ""


def _unauthorized(error: ApiError, ref: ObjectRef, version: str) -> tuple[str, str] | None:  # noqa: ARG001
    if error.code != 401:
        return None
    return "the cluster does not accept our credentials", "renew the token or certificate of the kubeconfig"


_RULES: tuple[Callable[[ApiError, ObjectRef, str], tuple[str, str] | None], ...] = (
    _immutable,
    _forbidden,
    _escalation,
    _webhook,
    _namespace,
    _types,
    _invalid,
    _unauthorized,
)


def _account(user: str) -> str:
    """`system:serviceaccount:shop:deployer` -> `the ServiceAccount shop/deployer`."""
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return f"the ServiceAccount {parts[2]}/{parts[3]}"
    return f"the user {user}"


def _cause_text(error: ApiError) -> str:
    return "; ".join(cause.message for cause in error.causes) or error.message


def _shortened(text: str) -> str:
    """The server quotes whole templates: `Invalid value: core.PodTemplateSpec{...}: field is immutable`."""
    match = _QUOTED_VALUE.search(text)
    return text if match is None or len(match[0]) < 120 else _QUOTED_VALUE.sub(r"\1…\2", text)


def _without_values(text: str) -> str:
    return _UNSTRUCTURED.sub("another type", _QUOTED_VALUE.sub(r"\1(hidden)\2", text))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _with_hint(text: str, hint: str) -> str:
    return f"{text}\n  try: {hint}" if hint else text
