"""Which requests a webhook wants to see, and as which version: its rules, its match policy, its selectors. Pure.

With `matchPolicy: Equivalent` a rule for one version of a resource means all of them; the webhook then gets the object in the
version that its rule names. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trueup.embedded.api.admission import Review
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.rules.selectors import matches as selects
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, labels_of

_NAMESPACES = Resource("", "namespaces")


def matched(
    webhook: Mapping[str, Any], review: Review, namespace: Manifest | None, equivalents: Iterable[Kind]
) -> Kind | None:
    """The kind as which the webhook wants to see the request; None when it does not. `namespace` is the request's, None
    for cluster scope; `equivalents` are the same resource in other groups and versions."""
    if not _selects(webhook, review, namespace):
        return None
    kinds = [review.kind]
    if webhook.get("matchPolicy") != "Exact":
        kinds += equivalents
    rules = webhook.get("rules") or ()
    return next((kind for kind in kinds if any(_rule_matches(rule, review, kind) for rule in rules)), None)


def _selects(webhook: Mapping[str, Any], review: Review, namespace: Manifest | None) -> bool:
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


def _rule_matches(rule: Mapping[str, Any], review: Review, kind: Kind) -> bool:
    if not _holds(rule.get("operations"), review.operation.value):
        return False
    if not _holds(rule.get("apiGroups"), kind.group) or not _holds(rule.get("apiVersions"), kind.version):
        return False
    scope = rule.get("scope") or "*"
    # A namespace is in itself, for requests about it; for rules it is an object of the cluster.
    if scope != "*" and (scope == "Namespaced") != kind.namespaced:
        return False
    return any(_covers(pattern, kind.plural, review.subresource) for pattern in rule.get("resources") or ())


def _holds(values: Any, wanted: str) -> bool:
    return any(value in ("*", wanted) for value in values or ())


def _covers(pattern: str, plural: str, subresource: str) -> bool:
    """`pods`, `pods/status`, `pods/*`, `*/scale`, `*`, `*/*`."""
    resource, _, below = pattern.partition("/")
    return resource in ("*", plural) and below in ("*", subresource)
