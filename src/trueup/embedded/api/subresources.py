"""Subresources with a meaning of their own: tokens, evictions, bindings, logs; and those that only real nodes can serve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from trueup.embedded.api import body, forms, metadata, negotiation, options, reads, refusals
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.http import Answer, Request, Stream
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.tokens import Reference, Tokens
from trueup.embedded.schema import BuiltinSchemas, SchemaNode
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, metadata_of, spec_of

MIN_TOKEN_SECONDS = 600
_REFUSED = {"exec", "attach", "portforward", "proxy"}


@cache
def scale_schema() -> SchemaNode | None:
    """Scale is defined in the documents of the kinds that have it."""
    schemas = BuiltinSchemas.load()
    schemas.node("apps", "v1", "Deployment")
    return schemas.definition("io.k8s.api.autoscaling.v1.Scale")


class Logs(Protocol):
    """Where simulated pods' logs come from."""

    def lines(self, pod: Manifest, container: str, query: Any) -> AsyncIterator[bytes]: ...


class Subresources:
    """Answers what `api.verbs` hands on. `logs` is set by whoever simulates the pods."""

    def __init__(self, store: Store, registry: Registry, writes: Writes, removal: Deletion, tokens: Tokens) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._removal = removal
        self._tokens = tokens
        self.logs: Logs | None = None

    async def respond(self, kind: Kind, request: Request) -> Answer | Stream:
        name = request.target.subresource
        if name in _REFUSED:
            raise ApiError(
                501,
                "NotImplemented",
                f"{kind.plural}/{name} is not possible here: this is Trueup's embedded Kubernetes, whose pods are "
                "simulated and run no process",
            )
        match name:
            case "token":
                return self._token(kind, request)
            case "eviction":
                return await self._eviction(kind, request)
            case "binding":
                return await self._binding(kind, request)
            case "log":
                return self._log(kind, request)
        raise refusals.method_not_allowed()

    def scale_kind(self, kind: Kind) -> Kind:
        """The kind that a patch of a scale subresource is read as."""
        sub = kind.subresources["scale"]
        return Kind(
            group=sub.group,
            version=sub.version,
            plural="scales",
            name=sub.kind,
            singular="scale",
            namespaced=True,
            verbs=frozenset(),
            storage=Resource(sub.group, "scales"),
            storage_version="autoscaling/v1",
            schema=scale_schema(),
        )

    def _sent(self, request: Request) -> Manifest:
        if not request.body:
            return {}
        return body.decode_object(request.body, request.content_type, find_duplicates=False).manifest

    def _token(self, kind: Kind, request: Request) -> Answer:
        account = reads.get(self._store, kind, request.target.namespace, request.target.name)
        sent = self._sent(request)
        spec = dict(spec_of(sent))
        seconds = spec.get("expirationSeconds") or 3600
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < MIN_TOKEN_SECONDS:
            problem = refusals.invalid_value(
                "spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"
            )
            raise refusals.invalid(refusals.GroupKind("authentication.k8s.io", "TokenRequest"), "", [problem])
        reference = spec.get("boundObjectRef") or {}
        bound = None
        if reference.get("kind") in ("Pod", "Secret", "Node"):
            bound = (reference["kind"].lower(), Reference(reference.get("name") or "", reference.get("uid") or ""))
        token, end = self._tokens.issue(
            request.target.namespace,
            Reference(request.target.name, account.uid),
            seconds,
            tuple(spec.get("audiences") or ()),
            bound,
        )
        spec["expirationSeconds"] = seconds
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": request.target.name, "namespace": request.target.namespace},
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": metadata.timestamp(datetime.fromtimestamp(end, UTC))},
        }
        return Answer(forms.encode(answer, negotiation.DEFAULT), 201)

    async def _eviction(self, kind: Kind, request: Request) -> Answer:
        sent = self._sent(request)
        asked = options.delete_options(request.query, sent.get("deleteOptions") or {})
        await self._removal.delete(kind, request.target.namespace, request.target.name, asked, request.call)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Answer(forms.encode(status, negotiation.DEFAULT), 201)

    async def _binding(self, kind: Kind, request: Request) -> Answer:
        target = self._sent(request).get("target") or {}
        node = target.get("name") or ""
        asked = options.write_options(request.query, "CreateOptions")

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(kind.resource, request.target.name)
            if spec_of(live).get("nodeName"):
                raise refusals.conflict(
                    kind.resource, request.target.name, f"pod {request.target.name} is already assigned to a node"
                )
            return live | {"spec": live["spec"] | {"nodeName": node}}

        await self._writes.change(
            kind, request.target.namespace, request.target.name, mutation, asked, request.call, "binding"
        )
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Answer(forms.encode(status, negotiation.DEFAULT), 201)

    def _log(self, kind: Kind, request: Request) -> Stream:
        pod = reads.get(self._store, kind, request.target.namespace, request.target.name).manifest
        containers = [
            each["name"] for part in ("initContainers", "containers") for each in spec_of(pod).get(part) or ()
        ]
        name = str(metadata_of(pod)["name"])
        wanted = request.query.get("container", "")
        if wanted and wanted not in containers:
            raise refusals.bad_request(f"container {wanted} is not valid for pod {name}")
        main = [each["name"] for each in spec_of(pod).get("containers") or ()]
        if not wanted and len(main) > 1:
            raise refusals.bad_request(
                f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
            )
        if self.logs is None:
            raise refusals.internal("no logs: the simulated workloads are not running")
        return Stream(self.logs.lines(pod, wanted or main[0], request.query), "text/plain")
