"""Authorization against the roles and bindings that are stored now. The rules of each user are kept until one changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes, Rule, read_rules, subject_of
from trueup.embedded.storage.history import Event
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, name_of

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = Resource(GROUP, "roles"), Resource(GROUP, "clusterroles")
BINDINGS, CLUSTER_BINDINGS = Resource(GROUP, "rolebindings"), Resource(GROUP, "clusterrolebindings")
KEPT_USERS = 1024


class Decision(Struct, frozen=True):
    """Whether, and why in the real server's words: the binding that allows, or the roles that could not be found."""

    allowed: bool
    reason: str = ""


class Grant(Struct, frozen=True):
    """One binding's rules for a user; `missing` says that its role does not exist."""

    rules: tuple[Rule, ...]
    because: str
    missing: str = ""


class Authorizer:
    """Answers `may`. Members of `system:masters` may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: dict[tuple[str, tuple[str, ...], str], tuple[Grant, ...]] = {}
        store.listen(self._forget)

    def may(self, user: User, wanted: Attributes) -> bool:
        return self.decide(user, wanted).allowed

    def decide(self, user: User, wanted: Attributes) -> Decision:
        if user.is_master:
            return Decision(True)
        missing = []
        for grant in self._grants_of(user, wanted.namespace):
            if any(rule.allows(wanted) for rule in grant.rules):
                return Decision(True, f"RBAC: {grant.because}")
            if grant.missing:
                missing.append(grant.missing)
        return Decision(False, f"RBAC: {_joined(missing)}" if missing else "")

    def rules_of(self, user: User, namespace: str) -> tuple[Rule, ...]:
        """Every rule that counts for a user in a namespace; cluster scope is the empty one."""
        return tuple(rule for grant in self._grants_of(user, namespace) for rule in grant.rules)

    def missing_roles(self, user: User, namespace: str) -> list[str]:
        """What stands in the user's bindings and does not exist."""
        return [grant.missing for grant in self._grants_of(user, namespace) if grant.missing]

    def role(self, reference: Mapping[str, Any], namespace: str) -> Manifest | None:
        """The role that a binding in `namespace` refers to."""
        name = reference.get("name") or ""
        if reference.get("kind") == "ClusterRole":
            record = self._store.get(CLUSTER_ROLES, "", name)
        else:
            record = self._store.get(ROLES, namespace, name)
        return record.manifest if record else None

    def _grants_of(self, user: User, namespace: str) -> tuple[Grant, ...]:
        key = (user.name, user.groups, namespace)
        if (found := self._grants.get(key)) is None:
            if len(self._grants) >= KEPT_USERS:
                self._grants.clear()
            found = self._grants[key] = tuple(self._find(user, namespace))
        return found

    def _find(self, user: User, namespace: str) -> Iterator[Grant]:
        for record in self._store.scan(CLUSTER_BINDINGS):
            if subject := subject_of(user, record.manifest.get("subjects") or (), ""):
                yield self._grant(record.manifest, "", subject)
        if not namespace:
            return
        for record in self._store.scan(BINDINGS, namespace):
            if subject := subject_of(user, record.manifest.get("subjects") or (), namespace):
                yield self._grant(record.manifest, namespace, subject)

    def _grant(self, binding: Manifest, namespace: str, subject: str) -> Grant:
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind") or "", reference.get("name") or ""
        named = f"{name_of(binding)}/{namespace}" if namespace else name_of(binding)
        because = (
            f'allowed by {"Role" if namespace else "ClusterRole"}Binding "{named}" of {kind} "{name}" to {subject}'
        )
        role = self.role(reference, namespace)
        if role is None:
            return Grant((), because, f'{kind.lower()}.{GROUP} "{name}" not found')
        return Grant(read_rules(role), because)

    def _forget(self, event: Event) -> None:
        if event.record.resource.group == GROUP:
            self._grants.clear()


def _joined(messages: list[str]) -> str:
    """As apimachinery shows several errors as one."""
    distinct = list(dict.fromkeys(messages))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
