"""Operations on AppProjects: what each allows, who has a role in it, and which Applications it holds."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from trueup.apps.identity import project_of
from trueup.dialects.argocd.appproject_resource import AppProjectSpec
from trueup.dialects.argocd.shared import APP_PROJECT, APPLICATION
from trueup.dialects.reading import read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, name_of, ref_of, resource_version_of, spec_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Target
from trueup.server.api.paging import ListQuery, page
from trueup.server.api.refusals import BadQuery, Conflict
from trueup.server.live.masking import shown
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.world import World

BASE = "/api/trueup/v1"
_OWN_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})


class RoleRow(Struct, frozen=True, kw_only=True):
    name: str
    description: str
    policies: tuple[str, ...]
    groups: tuple[str, ...]
    tokens: int


class ProjectRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`problem`: why the resource cannot be read; then the rest is empty."""

    name: str
    description: str = ""
    source_repos: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    roles: tuple[RoleRow, ...] = ()
    windows: int = 0
    apps: int = 0
    problem: str = ""


class ProjectList(Struct, frozen=True, kw_only=True):
    """`total`: all that fit. `next` empty: this was the last page."""

    items: tuple[ProjectRow, ...]
    total: int
    next: str


class ProjectAnswer(Struct, frozen=True, kw_only=True):
    row: ProjectRow
    resource: dict[str, Any]


class Projects:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    def target(self, call: Call) -> Target:
        name = call.path["project"]
        if name not in self._world.projects:
            raise missing(Target(name))
        return self.target_of(name)

    def target_of(self, name: str) -> Target:
        return Target(name, ObjectRef(APP_PROJECT.group, APP_PROJECT.kind, self._world.control_namespace, name))

    async def list(self, call: Call) -> Answer:
        shows = call.predicate("projects")
        counts = self._counts(call)
        rows = [
            row_of(obj, counts) for name, obj in sorted(self._world.projects.items()) if shows(self.target_of(name))
        ]
        found = page(rows, call.query, lambda row: row.name)
        return Answer(body=ProjectList(items=found.items, total=found.total, next=found.next))

    async def get(self, call: Call) -> Answer:
        obj = self._world.projects[call.path["project"]]
        await call.prepare()
        answer = ProjectAnswer(row=row_of(obj, self._counts(call)), resource=without_tokens(shown(obj)))
        return Answer(body=answer, etag=f'"{resource_version_of(obj)}"')

    async def create(self, call: Call) -> Answer:
        metadata = call.body.get("metadata")
        manifest = self.manifest(call.body, metadata.get("name") if isinstance(metadata, dict) else None)
        await call.require("projects", "create", self.target_of(name_of(manifest)))
        made = await self._clients.of(call.caller).create(manifest, manager=MANAGER)
        _note(call, None, made)
        return Answer(body=ProjectAnswer(row=row_of(made, {}), resource=shown(made)), status=201)

    async def update(self, call: Call) -> Answer:
        """The spec is put in place of the one there is; tokens of roles are kept, for they are not in what is read here."""
        before = self._world.projects[call.path["project"]]
        call.check_version(resource_version_of(before))
        manifest = self.manifest(call.body, call.path["project"])
        manifest = {**before, "spec": with_tokens(spec_of(manifest), spec_of(before))}
        made = await self._clients.of(call.caller).replace(manifest, manager=MANAGER)
        _note(call, before, made)
        await call.prepare()
        return Answer(body=ProjectAnswer(row=row_of(made, self._counts(call)), resource=without_tokens(shown(made))))

    async def delete(self, call: Call) -> Answer:
        """Refused while Applications are in it: they would all fail. The cluster is asked, for our own sight of it may be old."""
        name = call.path["project"]
        if name == "default":
            raise Conflict(
                "every Application without a project is in it", hint="restrict it, if it should allow nothing"
            )
        obj = self._world.projects[name]
        call.check_version(resource_version_of(obj))
        client = self._clients.of(call.caller)
        held = await client.discovery.resource(APPLICATION.group, APPLICATION.version, APPLICATION.kind)
        count = sum(project_of(app) == name for app in await client.list_all(held))
        if count:
            raise Conflict(f"{count} Applications are in it", hint="move or delete them first")
        resource = await client.discovery.resource(APP_PROJECT.group, APP_PROJECT.version, APP_PROJECT.kind)
        await client.delete(resource, name, self._world.control_namespace, uid=uid_of(obj))
        _note(call, obj, None)
        return Answer(status=204)

    def _counts(self, call: Call) -> dict[str, int]:
        """Of the Applications that the caller may see."""
        counts: dict[str, int] = {}
        shows = call.predicate("applications")
        for known in self._world.apps:
            if shows(Target(known.policy_object, known.ref)):
                counts[known.row.project] = counts.get(known.row.project, 0) + 1
        return counts

    def manifest(self, body: dict[str, Any], name: object) -> Manifest:
        """An AppProject of that name in the control namespace, with what people decide and nothing else. Raises BadQuery."""
        if not isinstance(name, str) or not name:
            raise BadQuery("has no name", field="body.metadata.name")
        if unknown := sorted(set(body) - _OWN_FIELDS - {"status"}):
            raise BadQuery("is no part of an AppProject", field=f"body.{unknown[0]}")
        spec = body.get("spec")
        if not isinstance(spec, dict):
            raise BadQuery("is missing", field="body.spec")
        manifest: Manifest = {
            "apiVersion": APP_PROJECT.api_version,
            "kind": APP_PROJECT.kind,
            "metadata": {"name": name, "namespace": self._world.control_namespace},
            "spec": spec,
        }
        read_struct(AppProjectSpec, spec, ref=ref_of(manifest), root="spec")
        return manifest


def row_of(obj: Manifest, counts: dict[str, int]) -> ProjectRow:
    name = name_of(obj)
    try:
        spec = read_struct(AppProjectSpec, spec_of(obj), ref=ref_of(obj), root="spec")
    except InvalidInput as error:
        return ProjectRow(name=name, apps=counts.get(name, 0), problem=str(error))
    return ProjectRow(
        name=name,
        description=spec.description,
        source_repos=tuple(spec.source_repos),
        destinations=tuple(f"{one.name or one.server or '*'}/{one.namespace or '*'}" for one in spec.destinations),
        roles=tuple(
            RoleRow(
                name=role.name,
                description=role.description,
                policies=role.policies,
                groups=role.groups,
                tokens=len(role.jwt_tokens),
            )
            for role in spec.roles
        ),
        windows=len(spec.sync_windows),
        apps=counts.get(name, 0),
    )


def without_tokens(obj: Manifest) -> Manifest:
    """Ids and times of tokens are for the operations on tokens, and for those who may."""
    spec = dict(spec_of(obj))
    roles = [{key: value for key, value in role.items() if key != "jwtTokens"} for role in spec.get("roles") or ()]
    if roles:
        spec["roles"] = roles
    return {**{key: value for key, value in obj.items() if key != "status"}, "spec": spec}


def with_tokens(spec: Any, before: Any) -> dict[str, Any]:
    kept = {role.get("name"): role.get("jwtTokens") for role in before.get("roles") or () if isinstance(role, dict)}
    roles = []
    for role in spec.get("roles") or ():
        bare = {key: value for key, value in role.items() if key != "jwtTokens"}
        tokens = kept.get(role.get("name"))
        roles.append(bare | ({"jwtTokens": tokens} if tokens else {}))
    return {**spec, "roles": roles} if roles else dict(spec)


def _note(call: Call, before: Manifest | None, after: Manifest | None) -> None:
    def text(obj: Manifest | None) -> str:
        return msgspec.json.encode(without_tokens(shown(obj))).decode() if obj is not None else ""

    named = after or before
    call.note(target=str(ref_of(named)) if named else "", before=text(before), after=text(after))


def operations(projects: Projects) -> list[Operation]:
    one = BASE + "/projects/{project}"
    return [
        Operation(
            id="projects.list",
            method="GET",
            path=BASE + "/projects",
            summary="AppProjects with their roles, and how many Applications each holds",
            access=Listed("projects"),
            query=ListQuery,
            answer=ProjectList,
            handler=projects.list,
        ),
        Operation(
            id="projects.get",
            method="GET",
            path=one,
            summary="One AppProject, with the native resource",
            access=Needs("projects", "get", projects.target),
            answer=ProjectAnswer,
            handler=projects.get,
        ),
        Operation(
            id="projects.create",
            method="POST",
            path=BASE + "/projects",
            summary="Make an AppProject",
            access=Listed("projects", "create"),
            body=dict[str, Any],
            answer=ProjectAnswer,
            status=201,
            handler=projects.create,
        ),
        Operation(
            id="projects.update",
            method="PUT",
            path=one,
            summary="Put another spec in an AppProject's place",
            access=Needs("projects", "update", projects.target),
            body=dict[str, Any],
            answer=ProjectAnswer,
            handler=projects.update,
        ),
        Operation(
            id="projects.delete",
            method="DELETE",
            path=one,
            summary="Delete an AppProject that holds no Application",
            access=Needs("projects", "delete", projects.target),
            status=204,
            handler=projects.delete,
        ),
    ]
