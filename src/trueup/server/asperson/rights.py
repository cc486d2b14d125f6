"""Which rights of Kubernetes stand for what the table of operations asks. Pure.

A right here is what a SubjectAccessReview asks about. What an operation does to the cluster is done as the person, so the API server
decides that once more, on each object, with its own eyes: these rights say what exists for somebody, and refuse early with good words.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trueup.dialects.argocd.shared import APP_PROJECT
from trueup.model.refs import GroupKind
from trueup.server.api.operation import Target

OWN_GROUP = "trueup.dev"
AUDIT = "auditentries"
"""No such kind is served: as with other virtual resources, a role can name it all the same."""


class Right(Struct, frozen=True):
    """`namespace` empty: in all of them, or cluster-scoped. `name` empty: whichever."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def kind_text(self) -> str:
        """`deployments.apps`, `pods/log`."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{resource}.{self.group}" if self.group else resource

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.kind_text}{f' {self.name}' if self.name else ''}{where}"

    @property
    def attributes(self) -> dict[str, str]:
        """As `spec.resourceAttributes` of a review has it."""
        said = {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {key: value for key, value in said.items() if value}


APPS, SOURCES = "applications", "sources"
APP_VERBS: dict[str, str] = {
    "get": "get",
    "create": "create",
    "update": "patch",
    "delete": "delete",
    "sync": "patch",
    "rollback": "patch",
    "override": "patch",
}
"""Of Apps and sources: whatever is asked of one is written to its resource, by a patch unless all of it is replaced."""
VERBS = {verb: verb for verb in ("get", "create", "update", "delete")}
"""Of everything else."""
SETTINGS_OBJECTS: dict[str, tuple[str, str]] = {
    "accounts": ("secrets", "argocd-secret"),
    "settings": ("configmaps", "argocd-cm"),
    "certificates": ("configmaps", "argocd-ssh-known-hosts-cm"),
    "gpgkeys": ("configmaps", "argocd-gpg-keys-cm"),
}
"""What is kept in one object of the control namespace: whoever may read or write that may read or write what is in it."""
SECRETS = frozenset({"repositories", "write-repositories", "clusters"})
"""What is a Secret of the control namespace each."""
ALL_IN_ALL = Right("get", "*", "*")
"""Whoever has it may read whatever there is."""


class Kinds(Struct, frozen=True):
    """The plural of each kind of App and source, and where the settings are."""

    plurals: Mapping[GroupKind, str]
    control_namespace: str

    @property
    def watched(self) -> tuple[Right, ...]:
        """The right to see all of each, anywhere."""
        return tuple(Right("get", kind.group, plural) for kind, plural in self.plurals.items())


def rights_of(resource: str, action: str, target: Target, kinds: Kinds) -> tuple[Right, ...] | None:
    """All of which are needed. None: nobody may, for nothing in Kubernetes stands for it."""
    ref = target.ref
    if resource in (APPS, SOURCES, "logs", "exec"):
        verb = APP_VERBS.get(action, "")
        if ref is None:
            # A pattern of many, such as `*/*`: only whoever may everywhere.
            verb = verb or "get"
            return tuple(Right(verb, right.group, right.resource) for right in kinds.watched)
        plural = kinds.plurals.get(ref.group_kind)
        if plural is None:
            return None
        if resource in (APPS, SOURCES) and verb:
            # Nobody's right to create knows names.
            return (Right(verb, ref.group, plural, ref.namespace, "" if verb == "create" else ref.name),)
        # Of its objects, pods and logs the API server judges each for itself when it is asked as the person.
        return (Right("get", ref.group, plural, ref.namespace, ref.name),)
    verb = VERBS.get(action, "")
    if resource == "projects" and verb:
        name = "" if verb == "create" or "*" in target.name else target.name
        return (Right(verb, APP_PROJECT.group, APP_PROJECT.plural, kinds.control_namespace, name),)
    if resource in SECRETS and ref is not None and ref.group_kind in kinds.plurals:
        # One that has no Secret, and is only named by this: whoever sees it sees the name.
        return (
            (Right("get", ref.group, kinds.plurals[ref.group_kind], ref.namespace, ref.name),)
            if verb == "get"
            else None
        )
    if resource in SECRETS and verb:
        name = "" if verb == "create" or ref is None else ref.name
        return (Right(verb, "", "secrets", kinds.control_namespace, name),)
    if resource in SETTINGS_OBJECTS and verb:
        plural, name = SETTINGS_OBJECTS[resource]
        if resource == "settings" and ref is not None and ref.name:
            name = ref.name  # one of two ConfigMaps
        return (Right("get" if verb == "get" else "update", "", plural, kinds.control_namespace, name),)
    if resource == "audit":
        return (Right("get", OWN_GROUP, AUDIT),)
    return None


def advice(rights: tuple[Right, ...] | None) -> str:
    """What to ask for."""
    if rights is None:
        return "nothing in Kubernetes' RBAC stands for this, so nobody may"
    return "ask for a role that allows: " + ", ".join(map(str, rights))
