"""Which Application a call of Argo CD's API means, and which of many it wants to see.

Namespaces and projects are said beside the name: in the query, or in the body where Argo CD reads no query.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from trueup.apps.identity import APPLICATION
from trueup.dialects.argocd.repositories import normalise_url
from trueup.dialects.reading import rows_of
from trueup.model.errors import InvalidInput
from trueup.model.manifest import labels_of, spec_of
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Target
from trueup.server.api.refusals import BadQuery, Forbidden
from trueup.server.world.operations import Apps
from trueup.server.world.rows import Known
from trueup.server.world.world import World
from trueup.sync.labelselector import matches, parse_selector

V1 = "/api/v1"
APP = V1 + "/applications/{application}"


class Place(Struct, frozen=True, kw_only=True, rename="camel"):
    """Beside the name: `appNamespace` empty is the control namespace; `project` must be the Application's, if it is said."""

    app_namespace: str = ""
    project: str = ""


class Choice(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which Applications of all. `projects` and `project` are one list."""

    app_namespace: str = ""
    name: str = ""
    projects: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    selector: str = ""
    repo: str = ""
    resource_version: str = ""
    refresh: str = ""
    fields: str = ""


class ArgoApps(Apps):
    """Applications by Argo CD's paths; Apps of other dialects are not there."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._control_namespace = world.control_namespace

    def known(self, call: Call) -> Known:
        namespace = _said(call, "app_namespace") or self._control_namespace
        name = call.path["application"]
        known = self._world.app(APPLICATION, namespace, name)
        project = _said(call, "project")
        if known is None or (project and known.row.project != project):
            raise missing(Target(f"{namespace}/{name}"))
        return known

    def chosen(self, call: Call) -> list[Known]:
        """Those that the caller may see and asks for, by name."""
        wants = wanted(call.query)
        return sorted((one for one in self.visible(call) if wants(one)), key=lambda one: one.ref)


def _said(call: Call, name: str) -> str:
    """Of the query, or of a body that has such a field."""
    for part in (call.query, call.body):
        value = getattr(part, name, "")
        if isinstance(value, str) and value:
            return value
    return ""


async def permit(call: Call, resource: str, action: str, target: Target) -> None:
    """For what the body names. Raises Forbidden in Argo CD's words."""
    if not await call.may(resource, action, target):
        said = f"{resource}, {action}, {target.name}, sub: {call.caller.person.name}"
        raise Forbidden(f"permission denied: {said}")


def wanted(choice: Choice) -> Callable[[Known], bool]:
    """Raises BadQuery for a selector that is none."""
    projects = {*choice.projects, *choice.project} - {""}
    repository = normalise_url(choice.repo) if choice.repo else ""
    if choice.selector:
        try:
            parse_selector(choice.selector)
        except InvalidInput as error:
            raise BadQuery(error.message, field="selector", hint=error.hint) from error

    def fits(known: Known) -> bool:
        return (
            known.ref.kind == APPLICATION
            and (not choice.name or known.ref.name == choice.name)
            and (not choice.app_namespace or known.ref.namespace == choice.app_namespace)
            and (not projects or known.row.project in projects)
            and (not choice.selector or matches(choice.selector, labels_of(known.obj)))
            and (not repository or repository in _repositories(known))
        )

    return fits


def _repositories(known: Known) -> set[str]:
    spec: Any = spec_of(known.obj)
    sources = [*rows_of(spec.get("sources")), *rows_of([spec.get("source")])]
    return {normalise_url(str(one.get("repoURL") or "")) for one in sources}


def version_number(known: Known) -> int:
    """As a number, which Kubernetes promises since 1.35 and every API server keeps."""
    return int(known.row.version) if known.row.version.isdecimal() else 0
