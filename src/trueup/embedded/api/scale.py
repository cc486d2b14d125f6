"""The scale subresource: a Scale object read from, and its replicas written into, any kind that can be scaled.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ (Scale) and the CRDs' `subresources.scale` paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.api import refusals
from trueup.embedded.api.kinds import Kind, ScalePaths
from trueup.embedded.api.refusals import FieldProblem
from trueup.model.manifest import Manifest, metadata_of
from trueup.model.refs import GroupKind

_MOST = (1 << 31) - 1
_BUILTIN = ScalePaths(".spec.replicas", ".status.replicas")


def scale_of(kind: Kind, manifest: Manifest) -> Manifest:
    """The `autoscaling/v1` Scale of an object."""
    paths = kind.scale or _BUILTIN
    meta = metadata_of(manifest)
    shown = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    status: dict[str, Any] = {"replicas": _integer(_at(manifest, paths.status_replicas)) or 0}
    if selector := _selector(kind, manifest, paths):
        status["selector"] = selector
    replicas = _integer(_at(manifest, paths.spec_replicas))
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown, "spec": spec, "status": status}


def check_has_replicas(kind: Kind, manifest: Manifest) -> None:
    """A custom resource is read as a Scale only when it says how many it wants; raises 500, as the real server does."""
    if kind.scale is not None and _at(manifest, kind.scale.spec_replicas) is None:
        raise refusals.internal(f'the spec replicas field "{kind.scale.spec_replicas}" does not exist')


def problems(kind: Kind, manifest: Manifest, *, of_status: bool) -> list[FieldProblem]:
    """What is wrong with the numbers that a custom resource's Scale would show; of a status write with those of the status."""
    if kind.scale is None:
        return []
    paths = (kind.scale.status_replicas,) if of_status else (kind.scale.spec_replicas, kind.scale.status_replicas)
    found = [(path, number) for path in paths if (number := _integer(_at(manifest, path))) is not None]
    told = [
        refusals.invalid_value(path, number, "should be a non-negative integer") for path, number in found if number < 0
    ]
    most = f"should be less than or equal to {_MOST}"
    return told + [refusals.invalid_value(path, number, most) for path, number in found if number > _MOST]


def scaled(kind: Kind, live: Manifest, scale: Manifest) -> Manifest:
    """The object with the replicas of a Scale. Changes `live`; raises 422 for a number that is none or negative."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas is None:
        replicas = 0
    name = str(metadata_of(live).get("name"))
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise refusals.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            "into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0 and kind.scale is not None:
        problem = refusals.invalid_value(kind.scale.spec_replicas, replicas, "should be a non-negative integer")
        raise refusals.invalid(kind.group_kind, name, [problem])
    if replicas < 0:
        problem = refusals.invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise refusals.invalid(GroupKind("autoscaling", "Scale"), name, [problem])
    steps = (kind.scale or _BUILTIN).spec_replicas.strip(".").split(".")
    place = live
    for step in steps[:-1]:
        place = place.setdefault(step, {})
    place[steps[-1]] = replicas
    return live


def _selector(kind: Kind, manifest: Manifest, paths: ScalePaths) -> str:
    if kind.scale is not None:
        found = _at(manifest, paths.label_selector) if paths.label_selector else None
        return found if isinstance(found, str) else ""
    selector = _at(manifest, ".spec.selector")
    if kind.plural == "replicationcontrollers":
        selector = {"matchLabels": selector}
    return selector_text(selector) if isinstance(selector, dict) else ""


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector in the form of query parameters: `app=web,tier in (a,b)`."""
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = each.get("key", ""), ",".join(sorted(each.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(each.get("operator", ""), key)
        terms.append((key, text))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0]))


def _at(manifest: Any, path: str) -> Any:
    for step in filter(None, path.split(".")):
        manifest = manifest.get(step) if isinstance(manifest, dict) else None
    return manifest


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
