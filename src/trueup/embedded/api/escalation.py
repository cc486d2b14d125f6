"""The guard before roles and bindings: who writes one must hold what it grants, or the right to `escalate` or `bind`.

Follows pkg/registry/rbac/*/policybased/storage.go. Every write is looked at, whatever field it changes; members of
`system:masters` pass. What is granted and lacking is told by `auth.escalation`.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api import refusals
from trueup.embedded.api.admission import Operation, Review
from trueup.embedded.auth import escalation
from trueup.embedded.auth.authorizer import BINDINGS, CLUSTER_BINDINGS, CLUSTER_ROLES, GROUP, ROLES, Authorizer
from trueup.embedded.auth.rbac import Attributes
from trueup.embedded.storage.keys import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, metadata_of

_EVERYTHING = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)
_COLLECTABLE = ("ownerReferences", "finalizers")


class EscalationGuard:
    """Implements `admission.Guard`."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, review: Review) -> None:
        """Raises 403, or 404 for a binding of a role that does not exist."""
        storage, wanted = review.kind.storage, review.object
        if storage.group != GROUP or wanted is None or review.call.user.is_master:
            return
        if review.operation is Operation.UPDATE and review.old is not None and _only_collectable(wanted, review.old):
            return
        if storage in (ROLES, CLUSTER_ROLES):
            self._check_role(review, wanted)
        elif storage in (BINDINGS, CLUSTER_BINDINGS):
            self._check_binding(review, wanted)

    def _check_role(self, review: Review, role: Manifest) -> None:
        name = str(metadata_of(role).get("name") or "")
        if self._may(review, "escalate", review.kind.plural, name):
            return
        self._confirm(review, role.get("rules") or (), name)
        gathers = role.get("aggregationRule") is not None or (review.old or {}).get("aggregationRule") is not None
        held = self._authorizer.rules_of(review.call.user, "")
        if review.kind.storage == CLUSTER_ROLES and gathers and escalation.lacking(held, _EVERYTHING):
            raise self._forbidden(review, name, "must have cluster-admin privileges to use the aggregationRule")

    def _check_binding(self, review: Review, binding: Manifest) -> None:
        reference: dict[str, Any] = binding.get("roleRef") or {}
        name = str(metadata_of(binding).get("name") or "")
        target = str(reference.get("name") or "")
        plurals = {"ClusterRole": "clusterroles", "Role": "roles"}
        if (plural := plurals.get(str(reference.get("kind")))) and self._may(review, "bind", plural, target):
            return
        role = self._authorizer.role(reference, review.namespace)
        if role is None:
            raise refusals.not_found(review.kind.resource, target)
        self._confirm(review, role.get("rules") or (), name)

    def _confirm(self, review: Review, granted: Any, name: str) -> None:
        user, namespace = review.call.user, review.namespace
        if missing := escalation.lacking(self._authorizer.rules_of(user, namespace), granted):
            errors = self._authorizer.missing_roles(user, namespace)
            raise self._forbidden(review, name, escalation.refusal(user, missing, errors))

    def _may(self, review: Review, verb: str, plural: str, name: str) -> bool:
        wanted = Attributes(verb, GROUP, plural, namespace=review.namespace, name=name)
        return self._authorizer.may(review.call.user, wanted)

    def _forbidden(self, review: Review, name: str, said: str) -> ApiError:
        return refusals.forbidden(Resource(GROUP, review.kind.plural), name, said)


def _only_collectable(new: Manifest, old: Manifest) -> bool:
    """Whether only owner references and finalizers change, which the garbage collector must be able to do."""

    def rest(manifest: Manifest) -> Manifest:
        meta = metadata_of(manifest)
        kept = {key: meta[key] for key in meta if key not in (*_COLLECTABLE, "managedFields")}
        return manifest | {"metadata": kept}

    return rest(new) == rest(old) and any(
        metadata_of(new).get(field) != metadata_of(old).get(field) for field in _COLLECTABLE
    )
