"""What Trueup needs of a cluster and a machine, and the verdict on what was found. Pure; `check` does the asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from trueup.cli.components import controller_rules
from trueup.dialects.compare import Lack, lacks
from trueup.dialects.registry import crds
from trueup.model.manifest import Manifest, name_of

OLDEST_KUBERNETES = (1, 28)
"""Server-side apply, aggregated discovery and CRD defaulting as we use them."""
OLDEST_GIT = (2, 31)
"""The first that reads its configuration from GIT_CONFIG_COUNT."""
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


class Finding(Struct, frozen=True, omit_defaults=True):
    """One line of `trueup check`. `ok` None: it could not be found out."""

    what: str
    ok: bool | None
    found: str
    hint: str = ""


class Need(Struct, frozen=True, order=True):
    """One right, as an access review asks for it."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        name = f"{name}/{self.subresource}" if self.subresource else name
        return f"{self.verb} {name}" + (f" in {self.namespace}" if self.namespace else "")

    @property
    def attributes(self) -> dict[str, Any]:
        """`resourceAttributes` of a review."""
        values = {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "namespace": self.namespace,
            "subresource": self.subresource,
        }
        return {key: value for key, value in values.items() if value}


def installer_needs(namespace: str) -> list[Need]:
    """What a person needs for `trueup install`. Whoever may grant everything may do everything."""
    rbac = "rbac.authorization.k8s.io"
    return [
        Need("create", "", "namespaces"),
        *(Need(verb, "apiextensions.k8s.io", "customresourcedefinitions") for verb in ("create", "patch")),
        *(Need("create", rbac, resource) for resource in ("clusterroles", "clusterrolebindings")),
        *(Need("create", rbac, resource, namespace) for resource in ("roles", "rolebindings")),
        *(Need("create", "", resource, namespace) for resource in ("serviceaccounts", "services", "configmaps")),
        Need("create", "apps", "deployments", namespace),
        Need("create", "networking.k8s.io", "networkpolicies", namespace),
        Need("*", "*", "*"),
    ]


def controller_needs(namespace: str) -> list[Need]:
    """What the controller's ServiceAccount needs, read from the rules that `install` applies."""
    needs: set[Need] = set()
    for rule in controller_rules():
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                name, _, subresource = resource.partition("/")
                if _is_served(group, name):
                    needs |= {Need(verb, group, name, "", subresource) for verb in rule["verbs"]}
    leases = {Need(verb, "coordination.k8s.io", "leases", namespace) for verb in ("get", "create", "update")}
    return sorted(needs | leases)


def _is_served(group: str, resource: str) -> bool:
    """A rule of several groups and resources covers pairs that do not exist."""
    own = {(crd["spec"]["group"], crd["spec"]["names"]["plural"]) for crd in crds()}
    return group in ("", "*") or (group, resource) in own


# the verdicts


def judge_kubernetes(version: str) -> Finding:
    """`gitVersion` of /version."""
    wanted = _dotted(OLDEST_KUBERNETES)
    ok = _at_least(version, OLDEST_KUBERNETES)
    return Finding("Kubernetes", ok, version or "unknown", "" if ok else f"upgrade to {wanted} or newer")


def judge_git(version: str) -> Finding:
    """What `git --version` says; empty: there is no git."""
    if not version:
        return Finding("git", False, "not found on PATH", "install git")
    ok = _at_least(version, OLDEST_GIT)
    hint = "" if ok else f"install git {_dotted(OLDEST_GIT)} or newer"
    return Finding("git", ok, version.removeprefix("git version ").strip(), hint)


def judge_rights(who: str, needs: Iterable[Need], answers: Iterable[bool | None]) -> Finding:
    """`answers` beside `needs`; None: the question itself was refused."""
    denied = [str(need) for need, answer in zip(needs, answers, strict=True) if answer is False]
    what = f"rights of {who}"
    if denied:
        shown = "; ".join(denied[:4]) + (f" and {len(denied) - 4} more" if len(denied) > 4 else "")
        return Finding(what, False, f"missing: {shown}", "ask a cluster administrator, or run `trueup install` as one")
    return Finding(what, True, "sufficient")


def judge_crd(ours: Manifest, installed: Manifest | None) -> Finding:
    name = name_of(ours)
    if installed is None:
        return Finding(name, False, "not installed", "trueup install")
    if missing := lacks(ours, installed):
        return Finding(name, False, f"older than this version: it lacks {_first(missing)}", "trueup install")
    if extra := lacks(installed, ours):
        hint = "use the version of trueup that installed it, or `trueup install --adopt`"
        return Finding(name, False, f"it has what this version does not know: {_first(extra)}", hint)
    return Finding(name, True, "installed")


def _first(found: Sequence[Lack]) -> str:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].field or found[0].version}{more}"


def _at_least(text: str, oldest: tuple[int, int]) -> bool:
    match = _NUMBERS.search(text)
    return match is not None and (int(match[1]), int(match[2])) >= oldest


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
