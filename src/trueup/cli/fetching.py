"""Sources fetched on this machine, with this person's rights: what the controller would fetch, and what it is made of."""

from __future__ import annotations

from trueup.cli.console import tell
from trueup.cli.progress import Progress
from trueup.cli.session import Session
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.repositories import KnownRepositories
from trueup.controllers.resources import Resources
from trueup.controllers.values import ValueStore
from trueup.dialects.argocd.repositories import SECRET_TYPE
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.flux.shared import HELM_REPOSITORY
from trueup.model.apierror import ApiError
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.source import HelmRepositorySource, Source, SourceKey, address_of, has_content, parents_of
from trueup.sources.fetching import Fetcher
from trueup.sources.parent import Parent
from trueup.sources.secrets import SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot


async def read_source(session: Session, key: SourceKey) -> Source:
    """The source that a resource stands for; one by value is itself. Raises InvalidInput when it is not there."""
    if not isinstance(key, ObjectRef):
        return key
    kind = next((kind for kind in await session.kinds() if kind.group_kind == key.group_kind), None)
    obj = await session.client.get(kind.resource, key.name, key.namespace) if kind else None
    if kind is None or obj is None:
        raise InvalidInput(f"the source {key} is not there", hint="trueup get sources")
    return kind.dialect.read_source(obj)


class Fetching:
    """Raises SourceError and its kinds, or InvalidInput."""

    def __init__(self, session: Session, fetcher: Fetcher, reporter: Progress) -> None:
        self._session = session
        self._fetcher = fetcher
        self._reporter = reporter
        self._credentials: SourceCredentials | None = None

    async def read(self, key: SourceKey) -> Source:
        return await read_source(self._session, key)

    async def fetch(self, source: Source) -> TreeSnapshot:
        """With everything that it is made of."""
        credentials = await self._known_credentials()
        secrets = await credentials.find(source, fresh=False)
        parents: list[Parent] = []
        for key in parents_of(source):
            parent = await self.read(key)
            parents.append(
                Parent(
                    key=key,
                    source=parent,
                    secrets=await credentials.find(parent, fresh=False),
                    snapshot=await self.fetch(parent) if has_content(parent) else None,
                )
            )
        self._reporter.update(f"fetching {address_of(source)}")
        return await self._fetcher.fetch(source, secrets, parents)

    async def _known_credentials(self) -> SourceCredentials:
        if self._credentials is None:
            repositories = await self._repositories()
            self._credentials = SourceCredentials(ValueStore(self._get), lambda: repositories)
        return self._credentials

    async def _get(self, ref: ObjectRef) -> Manifest | None:
        return await self._session.get(ref, "v1")

    async def _repositories(self) -> list[Manifest]:
        resource = await self._session.client.discovery.resource("", "v1", "Secret")
        try:
            return await self._session.client.list_all(resource, CONTROL_NAMESPACE, label_selector=SECRET_TYPE)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            tell(f"the repository Secrets cannot be read ({error.message}); trying without credentials")
            return []


class ListedRepositories:
    """The HelmRepositories that charts' dependencies may come from, as this person may list them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, namespace: str, url: str) -> tuple[HelmRepositorySource, SourceSecrets] | None:
        """`sources.helm.chart.FindHelmRepository`."""
        kinds = await self._session.kinds()
        kind = next((kind for kind in kinds if kind.group_kind == HELM_REPOSITORY.group_kind), None)
        if kind is None:
            return None
        resources = Resources()
        for obj in await self._session.client.list_all(kind.resource, namespace):
            resources.put(obj)
        credentials = SourceCredentials(ValueStore(lambda ref: self._session.get(ref, "v1")), list)
        return await KnownRepositories(resources, {kind.group_kind: kind.dialect}, credentials).find(namespace, url)
