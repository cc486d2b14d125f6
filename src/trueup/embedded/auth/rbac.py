"""RBAC's decision: may a user with these rules do this? Pure; which rules a user has is looked up elsewhere.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/ and pkg/registry/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from trueup.embedded.auth.identity import SERVICE_ACCOUNT_PREFIX, User

ALL = "*"


class Attributes(Struct, frozen=True):
    """What a request wants to do. With `path`, it is about no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """`deployments`, `deployments/scale`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(Struct, frozen=True):
    """One `PolicyRule`, in its own order."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def allows(self, wanted: Attributes) -> bool:
        if ALL not in self.verbs and wanted.verb not in self.verbs:
            return False
        if wanted.path:
            return any(path_matches(pattern, wanted.path) for pattern in self.paths)
        if ALL not in self.groups and wanted.group not in self.groups:
            return False
        if not self._covers(wanted):
            return False
        return not self.names or wanted.name in self.names

    def _covers(self, wanted: Attributes) -> bool:
        if ALL in self.resources or wanted.full_resource in self.resources:
            return True
        return bool(wanted.subresource) and f"*/{wanted.subresource}" in self.resources


def read_rules(role: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole manifest."""
    return tuple(
        Rule(
            verbs=tuple(rule.get("verbs") or ()),
            groups=tuple(rule.get("apiGroups") or ()),
            resources=tuple(rule.get("resources") or ()),
            names=tuple(rule.get("resourceNames") or ()),
            paths=tuple(rule.get("nonResourceURLs") or ()),
        )
        for rule in role.get("rules") or ()
    )


def subject_of(user: User, subjects: Iterable[Mapping[str, Any]], namespace: str) -> str:
    """The first of a binding's subjects that is the user, as reasons name it (`User "jane"`); empty when none is.

    `namespace` is the binding's, for accounts that name none.
    """
    for subject in subjects:
        name = subject.get("name") or ""
        match subject.get("kind"):
            case "User":
                if name == user.name:
                    return f'User "{name}"'
            case "Group":
                if name in user.groups:
                    return f'Group "{name}"'
            case "ServiceAccount":
                home = subject.get("namespace") or namespace
                if home and user.name == f"{SERVICE_ACCOUNT_PREFIX}{home}:{name}":
                    return f'ServiceAccount "{name}/{home}"'
    return ""


def path_matches(pattern: str, path: str) -> bool:
    """Whether a path is the one that a rule names, or begins as it says (`/healthz/*`)."""
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def refusal(user: User, wanted: Attributes, reason: str = "") -> str:
    """Why a request is forbidden, in the real server's words; `reason` is the authorizer's."""
    because = f": {reason}" if reason else ""
    if wanted.path:
        return f'User "{user.name}" cannot {wanted.verb} path "{wanted.path}"{because}'
    said = f'User "{user.name}" cannot {wanted.verb} resource "{wanted.full_resource}" in API group "{wanted.group}"'
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    return f"{said} {where}{because}"
