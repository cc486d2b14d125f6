"""What a person may in one namespace, as a SelfSubjectRulesReview tells it. Pure.

Matching is RBAC's: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from trueup.model.manifest import Manifest
from trueup.server.asperson.rights import Right

Names = bool | frozenset[str]
"""True: all; False: none; else those of these names."""


class Rule(Struct, frozen=True, rename="camel"):
    """One of `status.resourceRules`."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def speaks_of(self, verb: str, group: str, resource: str) -> bool:
        """`resource` with its subresource, if there is one: `pods/log`."""
        of_all = f"*/{resource.partition('/')[2]}" if "/" in resource else "*"
        return (
            bool({verb, "*"} & set(self.verbs))
            and bool({group, "*"} & set(self.api_groups))
            and bool({resource, of_all, "*"} & set(self.resources))
        )


class _Status(Struct, frozen=True, rename="camel"):
    resource_rules: tuple[Rule, ...] = ()
    incomplete: bool = False


class Rules(Struct, frozen=True):
    """`incomplete`: an authorizer that cannot list its rules has a say too, so what is not here may be allowed all the same."""

    rules: frozenset[Rule] = frozenset()
    incomplete: bool = False

    def names(self, verb: str, group: str, resource: str) -> Names:
        found: set[str] = set()
        for rule in self.rules:
            if rule.speaks_of(verb, group, resource):
                if not rule.resource_names:
                    return True
                found.update(rule.resource_names)
        return frozenset(found) if found else False

    def allow(self, right: Right) -> bool:
        resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
        return includes(self.names(right.verb, right.group, resource), right.name)


def includes(names: Names, name: str) -> bool:
    return names if isinstance(names, bool) else name in names


def read_rules(review: Manifest) -> Rules:
    """Of an answer that cannot be read: nothing is allowed."""
    try:
        status = msgspec.convert(review.get("status") or {}, _Status)
    except msgspec.ValidationError:
        return Rules()
    return Rules(frozenset(status.resource_rules), status.incomplete)


def is_allowed(review: Manifest) -> bool:
    """Of a SubjectAccessReview of either kind."""
    status = review.get("status")
    return isinstance(status, dict) and status.get("allowed") is True and status.get("denied") is not True
