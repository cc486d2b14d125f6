"""Which requests a webhook wants to see: its rules, and its selectors over the namespace and the object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.api.admission import Review
from trueup.embedded.api.rules.selectors import matches as selects
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, labels_of

_NAMESPACES = Resource("", "namespaces")


def matches(webhook: Mapping[str, Any], review: Review, namespace: Manifest | None) -> bool:
    """`namespace` is the request's, None for cluster scope."""
    if not any(_rule_matches(rule, review) for rule in webhook.get("rules") or ()):
        return False
    around = webhook.get("namespaceSelector") or {}
    if review.kind.storage == _NAMESPACES:
        place: Manifest | None = review.object or review.old
    else:
        place = namespace
    # Other cluster-scoped objects are in no namespace, and no selector of namespaces keeps a webhook from them.
    if around and place is not None and not selects(around, labels_of(place)):
        return False
    wanted = webhook.get("objectSelector") or {}
    if not wanted:
        return True
    return any(each is not None and selects(wanted, labels_of(each)) for each in (review.object, review.old))


def _rule_matches(rule: Mapping[str, Any], review: Review) -> bool:
    kind = review.kind
    if not _holds(rule.get("operations"), review.operation.value):
        return False
    if not _holds(rule.get("apiGroups"), kind.group) or not _holds(rule.get("apiVersions"), kind.version):
        return False
    scope = rule.get("scope") or "*"
    if scope != "*" and (scope == "Namespaced") != kind.namespaced:
        return False
    return any(_covers(pattern, kind.plural, review.subresource) for pattern in rule.get("resources") or ())


def _holds(values: Any, wanted: str) -> bool:
    return any(value in ("*", wanted) for value in values or ())


def _covers(pattern: str, plural: str, subresource: str) -> bool:
    """`pods`, `pods/status`, `pods/*`, `*/scale`, `*`, `*/*`."""
    resource, _, below = pattern.partition("/")
    return resource in ("*", plural) and (below == "*" or below == subresource)
