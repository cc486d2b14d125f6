"""What is particular to each built-in kind: defaults that people see, what the server prepares, validates and forbids to
change. One module per API group; `of` finds a kind's rules. Kinds without an entry follow the general rules alone.
"""

from __future__ import annotations

from trueup.embedded.api.rules import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    authorization,
    autoscaling,
    batch,
    certificates,
    core,
    misc,
    networking,
    pods,
    services,
)
from trueup.embedded.api.rules.base import NO_RULES, Rules
from trueup.embedded.storage.keys import Resource

_RULES: dict[Resource, Rules] = {
    resource: rules
    for module in (
        admissionregistration,
        apiextensions,
        apiregistration,
        apps,
        authorization,
        autoscaling,
        batch,
        certificates,
        core,
        misc,
        networking,
        pods,
        services,
    )
    for resource, rules in module.RULES.items()
}


def of(resource: Resource) -> Rules:
    """The rules of a stored resource."""
    return _RULES.get(resource, NO_RULES)
