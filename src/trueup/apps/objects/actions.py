"""What may be done with one object beside writing it: restart, scale, pause, resume. Each is a patch, or an object to make.

The names are Argo CD's, so that rights written for it (`action/apps/Deployment/restart`) mean the same. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.dialects.reading import format_time
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, metadata_of, name_of, namespace_of, spec_of, status_of, uid_of
from trueup.model.refs import GroupKind

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""As `kubectl rollout restart` writes it."""
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
MOST_REPLICAS = 10_000
NAME_LIMIT = 63


class Parameter(Struct, frozen=True, kw_only=True):
    """Something to be said with an action. `default` is what holds now."""

    name: str
    type: str = "string"
    default: str = ""


class Action(Struct, frozen=True, kw_only=True):
    """`disabled`: it is known, and would change nothing as the object stands."""

    name: str
    title: str
    disabled: bool = False
    icon: str = ""
    parameters: tuple[Parameter, ...] = ()


class Patch(Struct, frozen=True):
    """A JSON merge patch of the object itself."""

    body: dict[str, Any]


class Creation(Struct, frozen=True):
    """Another object to make."""

    manifest: Manifest


class Replacement(Struct, frozen=True):
    """The object goes, so that its controller makes another: a pod that is to start anew."""


Effect = Patch | Creation | Replacement
Parameters = Mapping[str, str]
_Make = Callable[[Manifest, Parameters, datetime], Effect]


class _Known(Struct, frozen=True):
    describe: Callable[[Manifest], Action]
    make: _Make


def actions_of(obj: Manifest, kind: GroupKind) -> tuple[Action, ...]:
    return tuple(known.describe(obj) for known in _TABLE.get(kind, {}).values())


def names_of(kind: GroupKind) -> tuple[str, ...]:
    """Of the actions that a kind has, whatever state an object is in."""
    return tuple(_TABLE.get(kind, {}))


def effect_of(name: str, obj: Manifest, kind: GroupKind, parameters: Parameters, now: datetime) -> Effect:
    """Raises InvalidInput for an action that this kind does not have, and for parameters that make no sense."""
    table = _TABLE.get(kind, {})
    known = table.get(name)
    if known is None:
        raise InvalidInput(f"{kind} has no action {name}", field="action", hint=f"it has: {', '.join(table) or 'none'}")
    allowed = {parameter.name for parameter in known.describe(obj).parameters}
    if unknown := sorted(set(parameters) - allowed):
        raise InvalidInput(
            f"{name} takes no {unknown[0]}",
            field="parameters",
            hint=f"it takes: {', '.join(sorted(allowed)) or 'none'}",
        )
    return known.make(obj, parameters, now)


# the actions


def _restart(obj: Manifest, _: Parameters, now: datetime) -> Effect:
    del obj
    return Patch({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: format_time(now)}}}}})


def _scale(obj: Manifest, parameters: Parameters, now: datetime) -> Effect:
    del obj, now
    text = parameters.get("replicas", "")
    if not text.isascii() or not text.isdigit() or int(text[:9] or 0) > MOST_REPLICAS:
        raise InvalidInput(f"{text!r} is no number of replicas", field="replicas", hint=f"write 0 to {MOST_REPLICAS}")
    return Patch({"spec": {"replicas": int(text)}})


def _describe_scale(obj: Manifest) -> Action:
    now = spec_of(obj).get("replicas", 1)
    return Action(
        name="scale",
        title="Scale",
        icon="scale",
        parameters=(Parameter(name="replicas", type="integer", default=str(now)),),
    )


def _switch(name: str, title: str, icon: str, field: str, *, on: bool) -> _Known:
    """Sets a boolean of the spec; disabled where it has that value."""

    def describe(obj: Manifest) -> Action:
        return Action(name=name, title=title, icon=icon, disabled=bool(spec_of(obj).get(field, False)) is on)

    return _Known(describe, lambda _obj, _parameters, _now: Patch({"spec": {field: on}}))


def _create_job(obj: Manifest, _: Parameters, now: datetime) -> Effect:
    """A Job of a CronJob's template, owned by it, as `kubectl create job --from` makes it."""
    template = spec_of(obj).get("jobTemplate")
    template = template if isinstance(template, dict) else {}
    metadata = template.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    suffix = f"-{now:%Y%m%d%H%M%S}"
    annotations = dict(metadata.get("annotations") or {}) | {"cronjob.kubernetes.io/instantiate": "manual"}
    return Creation(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name_of(obj)[: NAME_LIMIT - len(suffix)] + suffix,
                "namespace": namespace_of(obj),
                "labels": dict(metadata.get("labels") or {}),
                "annotations": annotations,
                "ownerReferences": [
                    {
                        "apiVersion": "batch/v1",
                        "kind": "CronJob",
                        "name": name_of(obj),
                        "uid": uid_of(obj),
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": template.get("spec") or {},
        }
    )


def _terminate_job(obj: Manifest, _: Parameters, now: datetime) -> Effect:
    del obj, now
    return Patch({"spec": {"activeDeadlineSeconds": 1}})


def _describe_terminate(obj: Manifest) -> Action:
    status = status_of(obj)
    return Action(name="terminate", title="Terminate", icon="stop", disabled=bool(status.get("completionTime")))


def _reconcile(obj: Manifest, _: Parameters, now: datetime) -> Effect:
    del obj
    return Patch({"metadata": {"annotations": {REQUESTED_AT: format_time(now)}}})


def _pod_restart(obj: Manifest, _: Parameters, now: datetime) -> Effect:
    del now
    if not metadata_of(obj).get("ownerReferences"):
        raise InvalidInput("nothing would make this pod anew", field="action", hint="delete it, if it is to go")
    return Replacement()


def _plain(name: str, title: str, icon: str, make: _Make) -> _Known:
    return _Known(lambda _obj: Action(name=name, title=title, icon=icon), make)


_RESTART = _plain("restart", "Restart", "restart", _restart)
_SCALE = _Known(_describe_scale, _scale)
_PAUSE = _switch("pause", "Pause the rollout", "pause", "paused", on=True)
_RESUME = _switch("resume", "Resume the rollout", "play", "paused", on=False)
_SUSPEND = _switch("suspend", "Suspend", "pause", "suspend", on=True)
_UNSUSPEND = _switch("resume", "Resume", "play", "suspend", on=False)
_FLUX = {
    "reconcile": _plain("reconcile", "Reconcile", "restart", _reconcile),
    "suspend": _SUSPEND,
    "resume": _UNSUSPEND,
}

_TABLE: dict[GroupKind, dict[str, _Known]] = {
    GroupKind("apps", "Deployment"): {"restart": _RESTART, "scale": _SCALE, "pause": _PAUSE, "resume": _RESUME},
    GroupKind("apps", "StatefulSet"): {"restart": _RESTART, "scale": _SCALE},
    GroupKind("apps", "DaemonSet"): {"restart": _RESTART},
    GroupKind("apps", "ReplicaSet"): {"scale": _SCALE},
    GroupKind("", "Pod"): {"restart": _plain("restart", "Replace", "restart", _pod_restart)},
    GroupKind("batch", "CronJob"): {
        "create-job": _plain("create-job", "Run now", "play", _create_job),
        "suspend": _SUSPEND,
        "resume": _UNSUSPEND,
    },
    GroupKind("batch", "Job"): {
        "suspend": _SUSPEND,
        "resume": _UNSUSPEND,
        "terminate": _Known(_describe_terminate, _terminate_job),
    },
    **{
        GroupKind(group, kind): _FLUX
        for group, kinds in {
            "kustomize.toolkit.fluxcd.io": ("Kustomization",),
            "helm.toolkit.fluxcd.io": ("HelmRelease",),
            "source.toolkit.fluxcd.io": ("GitRepository", "OCIRepository", "Bucket", "HelmRepository", "HelmChart"),
        }.items()
        for kind in kinds
    },
}
