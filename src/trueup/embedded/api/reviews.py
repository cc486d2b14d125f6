"""Reviews: questions that are asked by creating an object which nobody stores.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api import metadata, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.writes import utc_now
from trueup.embedded.auth.authenticator import Authenticator, Unauthenticated
from trueup.embedded.auth.authorizer import Authorizer
from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes
from trueup.model.manifest import Manifest, spec_of

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


class Reviews:
    """Answers every review kind."""

    def __init__(self, authorizer: Authorizer, authenticator: Authenticator) -> None:
        self._authorizer = authorizer
        self._authenticator = authenticator

    def answer(self, kind: Kind, namespace: str, manifest: Manifest, call: Call) -> Manifest:
        """The review with its status; raises 400 for a question that is none."""
        spec = spec_of(manifest)
        match kind.name:
            case "SelfSubjectReview":
                status: dict[str, Any] = {"userInfo": call.user.as_user_info()}
            case "TokenReview":
                status = self._token(str(spec.get("token") or ""))
            case "SelfSubjectRulesReview":
                status = self._rules(call.user, str(spec.get("namespace") or ""))
            case "SelfSubjectAccessReview":
                status = self._access(call.user, spec)
            case _:
                status = self._access(_subject(spec), spec, namespace)
        meta = dict(manifest.get("metadata") or {})
        if kind.name == "SelfSubjectReview":
            meta.setdefault("creationTimestamp", metadata.timestamp(utc_now()))
        return manifest | {"metadata": meta, "status": status}

    def _access(self, user: User, spec: Any, namespace: str = "") -> dict[str, Any]:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (resource is None) == (path is None):
            raise refusals.bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        if resource is not None:
            if namespace and resource.get("namespace") != namespace:
                raise refusals.bad_request("must match metadata.namespace")
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
        return {"allowed": self._authorizer.may(user, wanted)}

    def _rules(self, user: User, namespace: str) -> dict[str, Any]:
        if not namespace:
            raise refusals.bad_request("no namespace on request")
        resource_rules: list[dict[str, Any]] = []
        path_rules: list[dict[str, Any]] = []
        if user.is_master:
            resource_rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
            path_rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
        for rule in self._authorizer.rules_of(user, namespace):
            verbs = sorted(rule.verbs)
            if rule.paths:
                path_rules.append({"verbs": verbs, "nonResourceURLs": list(rule.paths)})
            if rule.resources:
                entry = {"verbs": verbs, "apiGroups": sorted(rule.groups), "resources": sorted(rule.resources)}
                if rule.names:
                    entry["resourceNames"] = sorted(rule.names)
                resource_rules.append(entry)
        return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}

    def _token(self, token: str) -> dict[str, Any]:
        try:
            user = self._authenticator.of_token(token)
        except Unauthenticated as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": user.as_user_info()}


def _subject(spec: Any) -> User:
    return User(str(spec.get("user") or ""), tuple(spec.get("groups") or ()), str(spec.get("uid") or ""))
