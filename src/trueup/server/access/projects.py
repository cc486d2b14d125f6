"""The roles of an AppProject as rules that hold for that project's objects alone. Pure."""

from __future__ import annotations

from msgspec import Struct

from trueup.server.access.builtin import PROJECT_RESOURCES
from trueup.server.access.rules import Binding, Effect, Place, Rule, Rules, read_rules

_SCOPED = frozenset({"repositories", "clusters"})
"""May belong to a project too, and then their objects begin with its name."""


class ProjectRole(Struct, frozen=True, kw_only=True):
    """One of `spec.roles`: its policies as written, and the groups that have it."""

    name: str
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Project(Struct, frozen=True, kw_only=True):
    name: str
    roles: tuple[ProjectRole, ...] = ()


def role_subject(project: str, role: str) -> str:
    """Who a token of a project's role is."""
    return f"proj:{project}:{role}"


def project_rules(project: Project) -> Rules:
    """As Argo CD makes them: each role may see the project itself, and its groups have it."""
    found = Rules()
    for role in project.roles:
        subject = role_subject(project.name, role.name)
        place = Place(f"AppProject/{project.name} role {role.name}")
        found += read_rules("\n".join(role.policies), place.name)
        found += Rules(
            rules=(
                Rule(
                    subject=subject,
                    resource="projects",
                    action="get",
                    object=project.name,
                    effect=Effect.ALLOW,
                    place=place,
                ),
            ),
            bindings=tuple(Binding(subject=group, role=subject, place=place) for group in role.groups),
        )
    return found


def project_of(resource: str, target: str) -> str:
    """The project that an object belongs to; empty: none."""
    if resource in PROJECT_RESOURCES or (resource in _SCOPED and "/" in target):
        return target.partition("/")[0]
    return target if resource == "projects" else ""


def subject_project(subject: str) -> str:
    """The project of a role's token; empty: it is no such subject."""
    parts = subject.split(":")
    return parts[1] if len(parts) == 3 and parts[0] == "proj" else ""
