"""Aggregated ClusterRoles: the rules of a role with an `aggregationRule` are those of the roles that it selects.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.client import Client
from trueup.embedded.api.rules.selectors import matches
from trueup.embedded.auth.authorizer import CLUSTER_ROLES
from trueup.embedded.storage.history import HistoryLost
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, labels_of, metadata_of, name_of

MANAGER = "clusterrole-aggregation-controller"


def aggregated_rules(role: Manifest, roles: list[Manifest]) -> list[Any]:
    """Every distinct rule of the selected roles, in the order of their names; the role itself is never a source."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    rules: list[Any] = []
    for other in roles:
        if name_of(other) != name_of(role) and any(matches(selector, labels_of(other)) for selector in selectors):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


async def aggregate(client: Client) -> None:
    """Keeps every aggregated role in step, until cancelled."""
    watch = client.watch(CLUSTER_ROLES)
    while True:
        roles = list(client.list(CLUSTER_ROLES))
        for role in roles:
            if role.get("aggregationRule"):
                await _settle(client, role, aggregated_rules(role, roles))
        try:
            await watch.next()
        except HistoryLost:
            watch = client.watch(CLUSTER_ROLES)


def _has_been_settled(role: Manifest) -> bool:
    """Whether its rules are ours: rules that somebody wrote by hand stay until there are others to put in their place."""
    return any(entry.get("manager") == MANAGER for entry in metadata_of(role).get("managedFields") or ())


async def _settle(client: Client, role: Manifest, rules: list[Any]) -> None:
    if rules == (role.get("rules") or []) or not (rules or _has_been_settled(role)):
        return
    try:
        await client.patch(CLUSTER_ROLES, "", name_of(role), {"rules": rules})
    except ApiError as error:
        if not (error.is_not_found or error.is_conflict):
            raise
