"""Making, changing and deleting Applications at Argo CD's paths.

A client decides the spec, labels, annotations and finalizers; the status and the operation under way are never taken from it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from trueup.apps.identity import APPLICATION, DEFAULT_PROJECT, policy_object, project_of
from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.dialects.argocd.shared import FINALIZER, FINALIZER_BACKGROUND, FINALIZER_FOREGROUND
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, ref_of, resource_version_of, spec_of, uid_of
from trueup.server.acting.apps import Acting, text_of
from trueup.server.acting.decided import decided, fresh, says_the_same, with_decided
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Surface, Target
from trueup.server.api.refusals import BadQuery
from trueup.server.argo.finding import APP, V1, ArgoApps, Place, permit
from trueup.server.argo.upserting import made_or_there
from trueup.server.live.masking import refuse_masks, shown
from trueup.server.live.objects import MANAGER
from trueup.server.world.rows import Known
from trueup.server.world.world import World

API_VERSION = "argoproj.io/v1alpha1"
TRIES = 5
"""At writing, when the controller writes at the same moment."""


class CreateQuery(Struct, frozen=True, kw_only=True):
    """`upsert`: one that is there already and says something else is changed. `validate` is taken, and what is wrong with the
    spec is said either way; whether its repository answers, the controller finds out."""

    upsert: bool = False
    validate: bool = True


class UpdateQuery(Place, frozen=True, kw_only=True, rename="camel"):
    validate: bool = True


class DeleteQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """`cascade` false: what it made stays."""

    cascade: bool = True
    propagation_policy: Literal["", "foreground", "background"] = ""


class PatchBody(Place, frozen=True, kw_only=True, rename="camel"):
    """`patch` is a text: of JSON Patch, or of a merge patch."""

    name: str = ""
    patch: str
    patch_type: Literal["", "json", "merge"] = "json"


class Changing:
    """The handlers."""

    def __init__(self, world: World, apps: ArgoApps, acting: Acting) -> None:
        self._world = world
        self._apps = apps
        self._acting = acting

    async def create(self, call: Call) -> Answer:
        manifest = self._fresh(call.body)
        ref = ref_of(manifest)
        call.note(target=str(ref))
        await self._require(call, "create", manifest)
        self._check(manifest)
        known = self._world.app(APPLICATION, ref.namespace, ref.name)
        client, _ = await self._acting.reach(call, ref)
        there, was_there = await made_or_there(client, manifest, known.obj if known else None)
        if not was_there:
            call.note(target=str(ref), after=text_of(there))
            await self._world.heard_of(ref)
        elif not says_the_same(there, manifest):
            if not call.query.upsert:
                raise BadQuery(
                    "existing application spec is different, use upsert flag to force update", field="", ref=ref
                )
            await self._require(call, "update", there)
            await self._require(call, "update", manifest)
            there = await self._replaced(call, self._target(there), manifest)
        return Answer(body=shown(there))

    async def update(self, call: Call) -> Answer:
        known = self._apps.known(call)
        return Answer(body=shown(await self._changed(call, known, self._named(call.body, known))))

    async def update_spec(self, call: Call) -> Answer:
        known = self._apps.known(call)
        manifest = {**known.obj, "spec": call.body}
        return Answer(body=spec_of(shown(await self._changed(call, known, manifest))))

    async def patch(self, call: Call) -> Answer:
        """The API server works the patch out in a dry run; of the result, only what a client decides is kept."""
        known = self._apps.known(call)
        client, resource = await self._acting.reach(call, known.ref)
        manifest = await patched(client, resource, known, call.body)
        return Answer(body=shown(await self._changed(call, known, manifest)))

    async def delete(self, call: Call) -> Answer:
        known, query = self._apps.known(call), call.query
        if query.propagation_policy and not query.cascade:
            raise BadQuery("cannot be set when cascading is disabled", field="propagationPolicy")
        client, resource = await self._acting.reach(call, known.ref)
        live = await client.get(resource, known.ref.name, known.ref.namespace)
        if live is None:
            raise missing(Target(known.policy_object, known.ref))
        self._acting.check_place(live, known)
        before = list(live["metadata"].get("finalizers") or [])
        after = finalizers_for(before, cascade=query.cascade, propagation=query.propagation_policy)
        if after != before:
            patch = {"metadata": {"finalizers": after, "resourceVersion": resource_version_of(live)}}
            live = await client.merge_patch(resource, known.ref.name, known.ref.namespace, patch, manager=MANAGER)
        await client.delete(resource, known.ref.name, known.ref.namespace, uid=uid_of(live))
        call.note(target=str(known.ref), before=text_of(known.obj), message="" if query.cascade else "its objects stay")
        return Answer(body={})

    # parts

    async def _changed(self, call: Call, known: Known, manifest: Manifest) -> Manifest:
        """Asks for the right in the project that it goes to, too."""
        if refuse_masks(decided(manifest)):
            raise BadQuery("it holds masked values, which would replace the real ones", field="body")
        await self._require(call, "update", manifest)
        self._check(manifest)
        return await self._replaced(call, Target(known.policy_object, known.ref), manifest)

    async def _replaced(self, call: Call, target: Target, manifest: Manifest) -> Manifest:
        """What a client decides put into the newest resource: as in Argo CD whatever version was read, since the status, too, makes
        new ones."""
        ref = ref_of(manifest)
        client, resource = await self._acting.reach(call, ref)
        for tries_left in reversed(range(TRIES)):
            live = await client.get(resource, ref.name, ref.namespace)
            if live is None or self._target(live).name != target.name:
                raise missing(target)  # gone, or in a project since, where other rights hold
            try:
                made = await client.replace(with_decided(live, manifest), manager=MANAGER)
            except ApiError as error:
                if not error.is_conflict or not tries_left:
                    raise
                continue
            call.note(target=str(ref), before=text_of(live), after=text_of(made))
            return made
        raise AssertionError("unreachable")

    async def _require(self, call: Call, action: str, manifest: Manifest) -> None:
        await permit(call, "applications", action, self._target(manifest))

    def _target(self, manifest: Manifest) -> Target:
        return Target(policy_object(manifest, self._world.control_namespace), ref_of(manifest))

    def _check(self, manifest: Manifest) -> None:
        """Raises BadQuery, and what the dialect finds wrong in the spec."""
        project = project_of(manifest)
        if project != DEFAULT_PROJECT and project not in self._world.projects:
            raise BadQuery(f"application references project {project} which does not exist", field="spec.project")
        self._world.app_kinds[ref_of(manifest).group_kind].read_app(manifest)

    def _fresh(self, body: dict[str, Any]) -> Manifest:
        """A new Application of what a client sent. Raises BadQuery."""
        if refuse_masks(body):
            raise BadQuery("it holds masked values, which would replace the real ones", field="body")
        metadata, spec = body.get("metadata"), body.get("spec")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
            raise BadQuery("is missing", field="metadata.name")
        if not isinstance(spec, dict):
            raise BadQuery("is missing", field="spec")
        namespace = metadata.get("namespace") or self._world.control_namespace
        if not isinstance(namespace, str):
            raise BadQuery("is no name", field="metadata.namespace")
        named = {"name": metadata["name"], "namespace": namespace}
        return fresh({"apiVersion": API_VERSION, "kind": APPLICATION, "metadata": metadata | named, "spec": spec})

    def _named(self, body: dict[str, Any], known: Known) -> Manifest:
        """The body as that Application. Raises BadQuery where it is another."""
        metadata = body.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        metadata.setdefault("name", known.ref.name)
        metadata["namespace"] = metadata.get("namespace") or known.ref.namespace
        if (metadata["name"], metadata["namespace"]) != (known.ref.name, known.ref.namespace):
            raise BadQuery("names another Application than the path", field="metadata", hint=f"it is {known.ref}")
        if not isinstance(body.get("spec"), dict):
            raise BadQuery("is missing", field="spec")
        return {"apiVersion": API_VERSION, "kind": APPLICATION, "metadata": metadata, "spec": body["spec"]}


async def patched(client: KubeClient, resource: Resource, known: Known, body: PatchBody) -> Manifest:
    """The Application as it would be; nothing is written."""
    try:
        patch = msgspec.json.decode(body.patch)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadQuery(f"is no JSON: {error}", field="patch") from error
    ref = known.ref
    if body.patch_type == "merge":
        if not isinstance(patch, dict):
            raise BadQuery("a merge patch is an object", field="patch")
        made = await client.merge_patch(resource, ref.name, ref.namespace, patch, manager=MANAGER, dry_run=True)
    else:
        if not isinstance(patch, list):
            raise BadQuery("a JSON patch is a list of operations", field="patch", hint='or say "patchType": "merge"')
        made = await client.json_patch(resource, ref.name, ref.namespace, patch, manager=MANAGER, dry_run=True)
    return made


def finalizers_for(before: list[str], *, cascade: bool, propagation: str) -> list[str]:
    """Which say whether an Application's objects go with it, and in which order."""
    others = [one for one in before if one not in (FINALIZER, FINALIZER_BACKGROUND, FINALIZER_FOREGROUND)]
    if not cascade:
        return others
    own = FINALIZER_BACKGROUND if propagation == "background" else FINALIZER
    return before if not propagation and len(others) < len(before) else [*others, own]


def operations(changing: Changing, apps: ArgoApps) -> list[Operation]:
    def change(name: str, method: str, path: str, summary: str, action: str, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.app-{name}",
            method=method,
            path=path,
            summary=summary,
            access=Needs("applications", action, apps.target),
            surface=Surface.ARGOCD,
            handler=handler,
            **({"query": Place} | more),
        )

    body = {"body": dict[str, Any]}
    return [
        Operation(
            id="argo.app-create",
            method="POST",
            path=V1 + "/applications",
            summary="Make an Application",
            access=Listed("applications", "create"),
            query=CreateQuery,
            body=dict[str, Any],
            surface=Surface.ARGOCD,
            handler=changing.create,
        ),
        change("update", "PUT", APP, "Change an Application", "update", changing.update, query=UpdateQuery, **body),
        change(
            "spec", "PUT", APP + "/spec", "Change its spec", "update", changing.update_spec, query=UpdateQuery, **body
        ),
        change("patch", "PATCH", APP, "Patch an Application", "update", changing.patch, body=PatchBody),
        change("delete", "DELETE", APP, "Delete an Application", "delete", changing.delete, query=DeleteQuery),
    ]
