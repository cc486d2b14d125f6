"""Groups that belong to the Kubernetes community: their definitions say who approved them. Pure.

https://github.com/kubernetes/enhancements/pull/1111
"""

from __future__ import annotations

from urllib.parse import urlsplit

from trueup.model.manifest import Manifest, metadata_of

ANNOTATION = "api-approved.kubernetes.io"
CONDITION = "KubernetesAPIApprovalPolicyConformant"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
MISSING = f'protected groups must have approval annotation "{ANNOTATION}", {_SEE}'
INVALID = (
    f'protected groups must have approval annotation "{ANNOTATION}" with either a URL or a reason starting with '
    f'"unapproved", {_SEE}'
)


def is_protected(group: str) -> bool:
    return any(group == one or group.endswith(f".{one}") for one in ("k8s.io", "kubernetes.io"))


def approval_of(definition: Manifest) -> str:
    """What the annotation says; empty when there is none."""
    return str((metadata_of(definition).get("annotations") or {}).get(ANNOTATION) or "")


def is_valid(said: str) -> bool:
    if said.startswith("unapproved"):
        return True
    try:
        parts = urlsplit(said)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def condition_of(said: str) -> tuple[str, str, str]:
    """Status, reason and message of the condition."""
    if not said:
        return "False", "MissingAnnotation", MISSING
    if said.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f'not approved: "{said}"'
    if not is_valid(said):
        return "False", "InvalidAnnotation", INVALID
    return "True", "ApprovedAnnotation", f"approved in {said}"
