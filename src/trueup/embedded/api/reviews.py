"""Reviews: questions that are asked by creating an object which nobody stores.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access . Validation follows
pkg/apis/authorization/validation, whose refusals name no kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.api import metadata, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.refusals import FieldProblem, invalid_value
from trueup.embedded.api.writes import utc_now
from trueup.embedded.auth.authenticator import Authenticator, Unauthenticated
from trueup.embedded.auth.authorizer import Authorizer
from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes
from trueup.embedded.auth.tokens import AUDIENCE
from trueup.model.manifest import Manifest, spec_of
from trueup.model.refs import GroupKind

KINDS = frozenset(
    {
        "SelfSubjectReview",
        "TokenReview",
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
    }
)
_GROUP = "authorization.k8s.io"
_ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


class Reviews:
    """Answers every review kind."""

    def __init__(self, authorizer: Authorizer, authenticator: Authenticator) -> None:
        self._authorizer = authorizer
        self._authenticator = authenticator

    def answer(self, kind: Kind, namespace: str, manifest: Manifest, call: Call) -> Manifest:
        """The review with its status; raises 400 or 422 for a question that is none."""
        spec = spec_of(manifest)
        meta = dict(manifest.get("metadata") or {})
        match kind.name:
            case "SelfSubjectReview":
                meta.setdefault("creationTimestamp", metadata.timestamp(utc_now()))
                return manifest | {"metadata": meta, "status": {"userInfo": call.user.as_user_info()}}
            case "TokenReview":
                return manifest | {"status": self._token(spec)}
            case "SelfSubjectRulesReview":
                status = self._rules(call.user, str(spec.get("namespace") or ""))
                return {"kind": kind.name, "apiVersion": kind.api_version, "metadata": {}, "spec": {}, "status": status}
            case "SelfSubjectAccessReview":
                _refuse(_attribute_problems(spec, meta))
                return manifest | {"status": self._access(call.user, spec)}
            case "SubjectAccessReview":
                _refuse(_subject_problems(spec) + _attribute_problems(spec, meta))
                return manifest | {"status": self._access(_subject(spec), spec)}
        if (meta.get("namespace") or namespace) != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        _refuse(_subject_problems(spec) + _local_problems(spec, meta, namespace))
        manifest = manifest | {"metadata": {"namespace": namespace} | meta}
        return manifest | {"status": self._access(_subject(spec), spec)}

    def _access(self, user: User, spec: Mapping[str, Any]) -> dict[str, Any]:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes") or {}
        if resource is not None:
            wanted = Attributes(
                verb=resource.get("verb") or "",
                group=resource.get("group") or "",
                resource=resource.get("resource") or "",
                subresource=resource.get("subresource") or "",
                namespace=resource.get("namespace") or "",
                name=resource.get("name") or "",
            )
        else:
            wanted = Attributes(verb=path.get("verb") or "", path=path.get("path") or "")
        decision = self._authorizer.decide(user, wanted)
        return {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})

    def _rules(self, user: User, namespace: str) -> dict[str, Any]:
        if not namespace:
            raise refusals.bad_request("no namespace on request")
        resource_rules: list[dict[str, Any]] = []
        path_rules: list[dict[str, Any]] = []
        for rule in self._authorizer.rules_of(user, namespace):
            if rule.resources:
                entry = {"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources}
                resource_rules.append(entry | ({"resourceNames": rule.names} if rule.names else {}))
            if rule.paths:
                path_rules.append({"verbs": rule.verbs, "nonResourceURLs": rule.paths})
        missing = self._authorizer.missing_roles(user, namespace)
        status: dict[str, Any] = {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}
        if missing:
            status |= {"incomplete": True, "evaluationError": ", ".join(missing)}
        return status

    def _token(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        token = str(spec.get("token") or "")
        if not token:
            raise refusals.bad_request("token is required for TokenReview in authentication")
        audiences = tuple(spec.get("audiences") or ())
        try:
            user, found = self._authenticator.of_token(token, audiences or (AUDIENCE,))
        except Unauthenticated as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": user.as_user_info(), "audiences": list(found)}


def _subject(spec: Mapping[str, Any]) -> User:
    return User(str(spec.get("user") or ""), tuple(spec.get("groups") or ()), str(spec.get("uid") or ""))


def _refuse(problems: list[FieldProblem]) -> None:
    if problems:
        raise refusals.invalid(GroupKind(_GROUP, ""), "", problems)


def _subject_problems(spec: Mapping[str, Any]) -> list[FieldProblem]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid_value("spec.user", "", "at least one of user or group must be specified")]


def _attribute_problems(spec: Mapping[str, Any], meta: Mapping[str, Any]) -> list[FieldProblem]:
    problems = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        problems.append(invalid_value("spec", _shown(path), _ONE_OF))
    if any(key != "managedFields" for key in meta):
        problems.append(invalid_value("metadata", meta, "must be empty"))
    return problems


def _local_problems(spec: Mapping[str, Any], meta: Mapping[str, Any], namespace: str) -> list[FieldProblem]:
    problems = _attribute_problems(spec, {key: value for key, value in meta.items() if key != "namespace"})
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and (asked := resource.get("namespace") or "") != namespace:
        problems.append(invalid_value("spec.resourceAttributes.namespace", asked, "must match metadata.namespace"))
    if path is not None:
        said = "disallowed on this kind of request"
        problems.append(invalid_value("spec.nonResourceAttributes", _shown(path), said))
    return problems


def _shown(path: Mapping[str, Any] | None) -> dict[str, str] | None:
    """As the real server's own type is written."""
    return None if path is None else {"Path": path.get("path") or "", "Verb": path.get("verb") or ""}
