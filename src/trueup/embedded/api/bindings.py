"""`pods/binding` and the old `bindings`: how a scheduler says on which node a pod is to run.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/binding-v1/
"""

from __future__ import annotations

from trueup.embedded.api import names, refusals, subbodies
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Answer, Request
from trueup.embedded.api.kinds import Kind, Registry, Subresource
from trueup.embedded.api.options import WriteOptions
from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.api.writes import Writes
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, metadata_of, spec_of, status_of

_BINDING = Subresource("binding", frozenset({"create"}), "", "v1", "Binding")
_SUBJECT = Resource("", "pods/binding")


class Bindings:
    """Assigns pods to nodes."""

    def __init__(self, registry: Registry, writes: Writes, fields: Fields) -> None:
        self._registry = registry
        self._writes = writes
        self._fields = fields

    async def bind(self, pods: Kind, request: Request) -> Answer:
        """Raises ApiError: Conflict for a pod that has a node, is ending or may not be scheduled yet."""
        binding, asked = subbodies.read(request, subbodies.kind_of(_BINDING), self._fields, self._registry)
        name, named = request.target.name, str(metadata_of(binding).get("name") or "")
        if name and named != name:
            raise refusals.bad_request("name in URL does not match name in Binding object")
        if not named:
            raise refusals.bad_request("Name parameter required.")
        if problems := _problems(binding):
            # The real server gives these errors no status of their own, and its framework makes a 500 of them.
            texts = [str(problem) for problem in problems]
            said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            raise refusals.ApiError(500, "", said)
        await self._assign(pods, request, named, binding, asked)
        return Answer(subbodies.success(), 201)

    async def _assign(self, pods: Kind, request: Request, name: str, binding: Manifest, asked: WriteOptions) -> None:
        now = self._writes.now()
        sent = metadata_of(binding)

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(pods.resource, name)
            if problem := _unassignable(live, name):
                raise refusals.conflict(_SUBJECT, name, problem)
            meta = live["metadata"]
            if (uid := sent.get("uid")) and uid != meta["uid"]:
                raise refusals.conflict(
                    pods.resource, name, _other_pod(request.target.namespace, name, uid, meta["uid"])
                )
            if version := sent.get("resourceVersion"):
                meta["resourceVersion"] = version
            for key in ("annotations", "labels"):
                if sent.get(key):
                    meta[key] = {**(meta.get(key) or {}), **sent[key]}
            live["spec"]["nodeName"] = binding["target"]["name"]
            rows = [row for row in status_of(live).get("conditions") or () if row.get("type") != "PodScheduled"]
            scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
            live["status"] = {**status_of(live), "conditions": [*rows, scheduled]}
            return live

        await self._writes.change(pods, request.target.namespace, name, mutation, asked, request.call, "binding")


def _other_pod(namespace: str, name: str, wanted: str, found: str) -> str:
    return (
        f"StorageError: invalid object, Code: 4, Key: /registry/pods/{namespace}/{name}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    )


def _unassignable(pod: Manifest, name: str) -> str:
    if metadata_of(pod).get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := spec_of(pod).get("nodeName"):
        return f'pod {name} is already assigned to node "{node}"'
    if spec_of(pod).get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def _problems(binding: Manifest) -> list[FieldProblem]:
    target = binding.get("target") or {}
    kind, node = target.get("kind") or "", target.get("name") or ""
    problems = []
    if kind not in ("", "Node"):
        problems.append(refusals.not_supported("target.kind", kind, ["Node", "<empty>"]))
    if not node:
        problems.append(refusals.required("target.name"))
    elif kind in ("", "Node"):
        problems += [refusals.invalid_value("target.name", node, each) for each in names.subdomain_problems(node)]
    return problems
