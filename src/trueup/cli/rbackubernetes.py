"""`trueup rbac` where Kubernetes decides: which of its rights a call needs, and what the cluster says of each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from trueup.cli.install import installed_rights
from trueup.cluster.client import KubeClient
from trueup.cluster.exchange import JSON_TYPE
from trueup.dialects.argocd.shared import APPLICATION
from trueup.dialects.dialect import ServedKind
from trueup.dialects.registry import all_dialects
from trueup.model.apierror import ApiError
from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.rights import Rights
from trueup.server.api.operation import Target
from trueup.server.asperson.persons import SERVICE_ACCOUNT
from trueup.server.asperson.reviews import REVIEWS
from trueup.server.asperson.rights import APPS, SOURCES, Kinds, Right, rights_of
from trueup.server.asperson.rules import is_allowed


class Judged(Struct, frozen=True, kw_only=True):
    """One right, and the authorizer's word for it."""

    right: str
    allowed: bool
    reason: str


async def deciding(client: KubeClient, namespace: str) -> Rights:
    """What the installation says decides; policies where it may not be asked."""
    try:
        return await installed_rights(client, namespace)
    except ApiError:
        return Rights.POLICY


async def judge(
    client: KubeClient, who: str, groups: Sequence[str], asked: tuple[str, str, str], control_namespace: str
) -> list[Judged]:
    """`asked`: action, resource and object. Nothing: nobody may. Raises InvalidInput, and what the API server refuses."""
    action, resource, target = asked
    rights = rights_of(resource, action, target_of(resource, target, control_namespace), _kinds(control_namespace))
    return [await _review(client, who, groups, right) for right in rights or ()]


def target_of(resource: str, target: str, control_namespace: str) -> Target:
    """`KIND/NAMESPACE/NAME` of an App or a source; of an Application also as policies say it. `*`: any. Raises InvalidInput."""
    if target in ("*", "*/*") or resource not in (APPS, SOURCES, "logs", "exec"):
        return Target(target)
    parts = target.split("/")
    served = {kind.kind.lower(): kind for kind in _served()}
    if len(parts) == 3 and (kind := served.get(parts[0].lower())) is not None:
        return Target(target, ObjectRef(kind.group, kind.kind, parts[1], parts[2]))
    if resource == SOURCES or len(parts) not in (2, 3) or ":" in target:
        raise InvalidInput(
            f"{target!r} names no App or source",
            hint=f"write KIND/NAMESPACE/NAME, with KIND one of {', '.join(sorted(served))}",
        )
    namespace = parts[1] if len(parts) == 3 else control_namespace
    return Target(target, ObjectRef(APPLICATION.group, APPLICATION.kind, namespace, parts[-1]))


def _served() -> list[ServedKind]:
    return [kind for one in all_dialects() for kind in (one.app_kind, *one.source_kinds)]


def _kinds(control_namespace: str) -> Kinds:
    return Kinds({kind.group_kind: kind.plural for kind in _served()}, control_namespace)


def _usual_groups(who: str) -> tuple[str, ...]:
    """Which the API server adds to whoever is known, and to a service account."""
    namespace, _, account = who.removeprefix(SERVICE_ACCOUNT).partition(":")
    if not who.startswith(SERVICE_ACCOUNT) or not account:
        return ("system:authenticated",)
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")


async def _review(client: KubeClient, who: str, groups: Sequence[str], right: Right) -> Judged:
    """As somebody else asks it: with the right to create SubjectAccessReviews."""
    spec = {"user": who, "groups": [*groups, *_usual_groups(who)], "resourceAttributes": right.attributes}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}
    path = f"{REVIEWS}/subjectaccessreviews"
    answer = (await client.raw("POST", path, body=msgspec.json.encode(body), content_type=JSON_TYPE)).manifest
    status = answer.get("status") or {}
    said = str(status.get("reason") or status.get("evaluationError") or "no role allows it")
    return Judged(right=str(right), allowed=is_allowed(answer), reason=said)
