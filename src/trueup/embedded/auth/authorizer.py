"""Authorization against the roles and bindings that are stored now. The rules of each user are kept until one changes."""

from __future__ import annotations

from collections.abc import Iterator

from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes, Rule, is_subject, read_rules
from trueup.embedded.storage.history import Event
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, namespace_of

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = Resource(GROUP, "roles"), Resource(GROUP, "clusterroles")
BINDINGS, CLUSTER_BINDINGS = Resource(GROUP, "rolebindings"), Resource(GROUP, "clusterrolebindings")
KEPT_USERS = 1024


class Authorizer:
    """Answers `may`. Members of `system:masters` may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[tuple[str, tuple[str, ...], str], tuple[Rule, ...]] = {}
        store.listen(self._forget)

    def may(self, user: User, wanted: Attributes) -> bool:
        if user.is_master:
            return True
        return any(rule.allows(wanted) for rule in self.rules_of(user, wanted.namespace))

    def rules_of(self, user: User, namespace: str) -> tuple[Rule, ...]:
        """Every rule that counts for a user in a namespace; cluster scope is the empty one."""
        key = (user.name, user.groups, namespace)
        if (found := self._rules.get(key)) is None:
            if len(self._rules) >= KEPT_USERS:
                self._rules.clear()
            found = self._rules[key] = tuple(self._find(user, namespace))
        return found

    def _find(self, user: User, namespace: str) -> Iterator[Rule]:
        for record in self._store.scan(CLUSTER_BINDINGS):
            if is_subject(user, record.manifest.get("subjects") or (), ""):
                yield from self._bound(record.manifest)
        if not namespace:
            return
        for record in self._store.scan(BINDINGS, namespace):
            if is_subject(user, record.manifest.get("subjects") or (), namespace):
                yield from self._bound(record.manifest)

    def _bound(self, binding: Manifest) -> tuple[Rule, ...]:
        reference = binding.get("roleRef") or {}
        name = reference.get("name") or ""
        if reference.get("kind") == "ClusterRole":
            role = self._store.get(CLUSTER_ROLES, "", name)
        else:
            role = self._store.get(ROLES, namespace_of(binding), name)
        return read_rules(role.manifest) if role else ()

    def _forget(self, event: Event) -> None:
        if event.record.resource.group == GROUP:
            self._rules.clear()
