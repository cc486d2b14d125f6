"""Operations that register, change and forget repositories and clusters: one labelled Secret each, which Argo CD reads as well.

Secrets are asked of the cluster each time: nothing of them is kept here, and no credential is in an answer, an audit entry or an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
import yaml
from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, annotations_of, labels_of, name_of, ref_of, resource_version_of, uid_of
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Listed, Operation, Target
from trueup.server.api.refusals import Conflict
from trueup.server.keeping.placeforms import (
    MANAGED_BY,
    OURS,
    ClusterForm,
    RepositoryForm,
    cluster_secret,
    repository_secret,
    same_place,
    told,
)
from trueup.server.keeping.secretrows import (
    REPOSITORY_TYPES,
    SECRET_TYPE,
    ClusterRow,
    RepositoryRow,
    cluster_row,
    repository_row,
)
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.world import World
from trueup.sync.marks import declared_by

BASE = "/api/trueup/v1"

Form = TypeVar("Form", bound=Struct)
Row = TypeVar("Row", RepositoryRow, ClusterRow)


class DryRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """`dryRun`: nothing is written; the answer is what would be."""

    dry_run: bool = False


class RepositoryKept(Struct, frozen=True, kw_only=True):
    """`yaml`: the Secret as one would write it, its credentials hidden. `deletable`: whether it was made by an API like this."""

    row: RepositoryRow
    yaml: str
    deletable: bool


class ClusterKept(Struct, frozen=True, kw_only=True):
    """As RepositoryKept."""

    row: ClusterRow
    yaml: str
    deletable: bool


class Sort(Struct, Generic[Form, Row], frozen=True, kw_only=True):
    """What repositories and clusters differ in."""

    resource: str
    types: tuple[str, ...]
    word: str
    secret: Callable[[Form, str, Manifest | None], Manifest]
    row: Callable[[Manifest], Row]
    place: Callable[[Row], str]
    answer: Callable[..., Struct]


REPOSITORIES: Sort[RepositoryForm, RepositoryRow] = Sort(
    resource="repositories",
    types=REPOSITORY_TYPES,
    word="repository",
    secret=repository_secret,
    row=repository_row,
    place=lambda row: row.url,
    answer=RepositoryKept,
)
CLUSTERS: Sort[ClusterForm, ClusterRow] = Sort(
    resource="clusters",
    types=("cluster",),
    word="cluster",
    secret=cluster_secret,
    row=cluster_row,
    place=lambda row: row.server,
    answer=ClusterKept,
)


class Keeping(Generic[Form, Row]):
    """The handlers for one sort. The path names the Secret."""

    def __init__(self, sort: Sort[Form, Row], world: World, clients: Clients) -> None:
        self._sort: Sort[Form, Row] = sort
        self._world = world
        self._clients = clients

    async def get(self, call: Call) -> Answer:
        _, secret = await self.found(call, "get")
        return self._answer(secret)

    async def create(self, call: Call) -> Answer:
        made = self._sort.secret(call.body, self._world.control_namespace, None)
        await call.require(self._sort.resource, "create", self.target(made))
        return await self.put_new(call, made, dry_run=call.query.dry_run)

    async def update(self, call: Call) -> Answer:
        """Everything but credentials is put in place of what there is; those that are not said stay."""
        client, before = await self.found(call, "update")
        call.check_version(resource_version_of(before))
        return await self.put_over(call, client, before, call.body, dry_run=call.query.dry_run)

    async def delete(self, call: Call) -> Answer:
        """Only what was made by an API: what stands in Git would come back, and what somebody wrote is theirs to delete."""
        client, secret = await self.found(call, "delete")
        call.check_version(resource_version_of(secret))
        await self.forget(call, client, secret)
        return Answer(status=204)

    # Also for other surfaces.

    @property
    def namespace(self) -> str:
        return self._world.control_namespace

    def is_same(self, one: Manifest, other: Manifest) -> bool:
        return same_place(one, other)

    async def put_new(self, call: Call, made: Manifest, *, dry_run: bool = False) -> Answer:
        client = self._clients.of(call.caller)
        for other in await self.secrets(call):
            if same_place(made, other):
                raise Conflict(
                    f"the {self._sort.word} is registered already, by Secret {name_of(other)}",
                    hint="change that one",
                )
        if dry_run:
            return self._tried(call, made, status=201)
        self._note(call, None, made)
        return self._answer(await client.create(made, manager=MANAGER), status=201)

    async def put_over(
        self, call: Call, client: KubeClient, before: Manifest, form: Form, *, dry_run: bool = False
    ) -> Answer:
        self._refuse_declared(before, "changed")
        made = self._sort.secret(form, self._world.control_namespace, before)
        if self.target(made).name != self.target(before).name:
            await call.require(self._sort.resource, "update", self.target(made))
        for other in await self.secrets(call):
            if name_of(other) != name_of(made) and same_place(made, other):
                raise Conflict(f"Secret {name_of(other)} is about that {self._sort.word} already")
        if dry_run:
            return self._tried(call, made)
        self._note(call, before, made)
        return self._answer(await client.replace(made, manager=MANAGER))

    async def forget(self, call: Call, client: KubeClient, secret: Manifest) -> None:
        self._refuse_declared(secret, "deleted")
        if annotations_of(secret).get(MANAGED_BY) != OURS:
            raise Conflict(
                f"Secret {name_of(secret)} was not made through this API, so it is not deleted through it",
                hint=f"kubectl -n {self._world.control_namespace} delete secret {name_of(secret)}",
            )
        await client.delete(
            await _resource(client),
            name_of(secret),
            self._world.control_namespace,
            uid=uid_of(secret),
            resource_version=resource_version_of(secret),
        )
        self._note(call, secret, None)

    async def secrets(self, call: Call) -> list[Manifest]:
        """All of this sort, whether the caller may see them or not. Empty for who may not list Secrets."""
        client = self._clients.of(call.caller)
        selector = f"{SECRET_TYPE} in ({','.join(self._sort.types)})"
        try:
            return await client.list_all(
                await _resource(client), self._world.control_namespace, label_selector=selector
            )
        except ApiError as error:
            if error.is_forbidden:
                return []
            raise

    # parts

    async def found(self, call: Call, action: str) -> tuple[KubeClient, Manifest]:
        """Raises NotFound for what is no such Secret, and for what the caller may not see."""
        name = call.path["secret"]
        client = self._clients.of(call.caller)
        try:
            secret = await client.get(await _resource(client), name, self._world.control_namespace)
        except ApiError as error:
            if not (error.is_forbidden and client.impersonates):
                raise
            secret = None  # what one may not see does not exist
        if secret is None or labels_of(secret).get(SECRET_TYPE) not in self._sort.types:
            raise missing(Target(name))
        target = self.target(secret)
        if not await call.may(self._sort.resource, "get", target):
            raise missing(Target(name))  # in the words of what is not there: its URL is not the caller's to know
        await call.require(self._sort.resource, action, target)
        return client, secret

    def target(self, secret: Manifest) -> Target:
        """As policies name it, `PROJECT/URL` or `URL`."""
        row = self._sort.row(secret)
        place = self._sort.place(row)
        return Target(f"{row.project}/{place}" if row.project else place, ref_of(secret))

    def _refuse_declared(self, secret: Manifest, verb: str) -> None:
        if owner := declared_by(secret):
            raise Conflict(
                f"Secret {name_of(secret)} is declared in Git ({owner}), so it is not {verb} here",
                hint="change it there; it would come back as it is there",
            )

    def _note(self, call: Call, before: Manifest | None, after: Manifest | None) -> None:
        def text(obj: Manifest | None) -> str:
            return msgspec.json.encode(told(obj)).decode() if obj is not None else ""

        named = after or before
        assert named is not None
        row = self._sort.row(named)
        call.note(target=str(ref_of(named)), project=row.project, before=text(before), after=text(after))

    def _tried(self, call: Call, made: Manifest, *, status: int = 200) -> Answer:
        call.note(target=str(ref_of(made)), message="dry run")
        return self._answer(made, status=status, etag="")

    def _answer(self, secret: Manifest, *, status: int = 200, etag: str | None = None) -> Answer:
        body = self._sort.answer(
            row=self._sort.row(secret),
            yaml=yaml.safe_dump(told(secret), sort_keys=False, allow_unicode=True),
            deletable=annotations_of(secret).get(MANAGED_BY) == OURS and not declared_by(secret),
        )
        version = f'"{resource_version_of(secret)}"' if etag is None else None
        return Answer(body=body, status=status, etag=version)


async def _resource(client: KubeClient) -> Resource:
    return await client.discovery.resource("", "v1", "Secret")


def operations(
    repositories: Keeping[RepositoryForm, RepositoryRow], clusters: Keeping[ClusterForm, ClusterRow]
) -> list[Operation]:
    return [
        *_operations("repositories", "repository", repositories, RepositoryForm, RepositoryKept),
        *_operations("clusters", "cluster", clusters, ClusterForm, ClusterKept),
    ]


def _operations(
    part: str, word: str, keeping: Keeping[Any, Any], form: type[Struct], answer: type[Struct]
) -> list[Operation]:
    one = f"{BASE}/{part}/{{secret}}"

    def at(verb: str, method: str, path: str, summary: str, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"{part}.{verb}",
            method=method,
            path=path,
            summary=summary,
            access=Listed(part, "get" if method == "GET" else verb),
            handler=handler,
            **more,
        )

    return [
        at("get", "GET", one, f"One {word} that has a Secret, by the name of that", keeping.get, answer=answer),
        at(
            "create", "POST", f"{BASE}/{part}", f"Register a {word}", keeping.create,
            query=DryRun, body=form, answer=answer, status=201,
        ),
        at(
            "update", "PUT", one, f"Say anew what is said of a {word}; credentials that are left out stay", keeping.update,
            query=DryRun, body=form, answer=answer,
        ),
        at("delete", "DELETE", one, f"Forget a {word} that was registered so", keeping.delete, status=204),
    ]  # fmt: skip
