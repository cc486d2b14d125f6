"""One command's conversation with a cluster: which one, which kinds of Apps and sources it serves, and finding one by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from trueup.cli.home import find_home
from trueup.cli.names import KindWords, choose, not_found, read_selectors
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig, load_config
from trueup.cluster.resource import Resource
from trueup.dialects.dialect import Dialect, ServedKind
from trueup.dialects.registry import all_dialects
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import GroupKind, ObjectRef

T = TypeVar("T")

MANAGER = "trueup-cli"
"""The field manager of what a person does by this program."""


def find_config(kubeconfig: Path | None, context: str) -> ClusterConfig:
    """The named file, else KUBECONFIG, else the cluster of `trueup up`, else as `load_config` goes on."""
    local = find_home().kubeconfig
    if kubeconfig is None and not os.environ.get("KUBECONFIG") and local.is_file():
        try:
            return load_config(local, context or None)
        except InvalidInput:
            if not context:
                raise  # a named context may be one of ~/.kube/config
    return load_config(kubeconfig, context or None)


class Kind(Struct, frozen=True):
    """One kind of Apps or sources, as this cluster serves it."""

    dialect: Dialect
    resource: Resource
    is_source: bool

    @property
    def group_kind(self) -> GroupKind:
        return self.resource.group_kind

    @property
    def short(self) -> str:
        """`ks`, `app`: what a table calls it."""
        names = self.resource.short_names
        return names[0] if names else self.resource.kind.lower()

    @property
    def words(self) -> frozenset[str]:
        resource = self.resource
        names = (resource.plural, resource.singular, resource.kind.lower(), resource.name, *resource.short_names)
        generic = ("source", "sources") if self.is_source else ()
        return frozenset(name for name in (*names, *generic) if name)


class Found(Struct, frozen=True):
    """A resource of one of our kinds."""

    kind: Kind
    obj: Manifest

    @property
    def ref(self) -> ObjectRef:
        return ref_of(self.obj)


class Session:
    """`namespace` is what `-n` said; empty: every namespace."""

    def __init__(self, client: KubeClient, *, namespace: str = "", dialects: tuple[Dialect, ...] = ()) -> None:
        self.client = client
        self.namespace = namespace
        self.dialects = dialects or all_dialects()
        self._kinds: tuple[Kind, ...] | None = None

    async def kinds(self) -> tuple[Kind, ...]:
        """What the cluster serves, Apps before sources. Raises InvalidInput when it serves none of it."""
        if self._kinds is None:
            apps = [await self._served(dialect, dialect.app_kind, is_source=False) for dialect in self.dialects]
            sources = [
                await self._served(dialect, kind, is_source=True)
                for dialect in self.dialects
                for kind in dialect.source_kinds
            ]
            self._kinds = tuple(kind for kind in (*apps, *sources) if kind is not None)
            if not self._kinds:
                names = ", ".join(dialect.app_kind.kind for dialect in self.dialects)
                raise InvalidInput(
                    f"{self.client.config.server} serves none of our kinds ({names})",
                    hint="trueup install, or another --kubeconfig or --context",
                )
        return self._kinds

    async def _served(self, dialect: Dialect, served: ServedKind, *, is_source: bool) -> Kind | None:
        catalog = await self.client.discovery.catalog()
        version = next((v for v in served.versions if catalog.find(served.group, v, served.kind)), None)
        resource = catalog.find(served.group, version, served.kind) if version else None
        return Kind(dialect, resource, is_source) if resource else None

    async def words(self) -> KindWords:
        """Every word for a kind; `app` is both a word for Argo CD's kind and the prefix that everybody writes."""
        words: dict[str, set[GroupKind]] = {}
        for kind in await self.kinds():
            for word in kind.words:
                words.setdefault(word, set()).add(kind.group_kind)
        return {word: frozenset(kinds) for word, kinds in words.items()}

    async def items(self, kinds: Iterable[Kind], *, name: str = "") -> list[Found]:
        """Everything of these kinds, in the order of kind, namespace and name. `name`: only what is called so."""
        selector = f"metadata.name={name}" if name else ""
        kinds = list(kinds)
        lists = await asyncio.gather(*(self._list(kind.resource, selector) for kind in kinds))
        found = [Found(kind, obj) for kind, items in zip(kinds, lists, strict=True) for obj in items]
        order = {kind.group_kind: number for number, kind in enumerate(kinds)}
        return sorted(found, key=lambda item: (order[item.kind.group_kind], item.ref))

    async def _list(self, resource: Resource, selector: str) -> list[Manifest]:
        try:
            return await self.client.list_all(resource, self.namespace, field_selector=selector)
        except ApiError as error:
            if not error.is_forbidden or self.namespace:
                raise
            # Who may not look everywhere may still look where the kubeconfig says.
            return await self.client.list_all(resource, self.client.config.namespace, field_selector=selector)
        except KindNotServed:
            return []

    async def find(self, text: str, *, sources: bool = True) -> Found:
        """The App of that name; a source where the name says so (`gitrepository/podinfo`). Raises InvalidInput."""
        kinds = await self.kinds()
        words = await self.words()
        selectors = read_selectors(text, words)
        named = frozenset(group_kind for selector in selectors for group_kind in selector.kinds)
        looked = [kind for kind in kinds if not kind.is_source or (sources and kind.group_kind in named)]
        found = await self.items(looked, name=selectors[0].name)
        ref = choose(text, selectors, (item.ref for item in found))
        if ref is None:
            everything = await self.items(looked)
            raise not_found(text, selectors, (item.ref for item in everything), what="App")
        return next(item for item in found if item.ref == ref)

    async def find_all(self, texts: Collection[str]) -> list[Found]:
        """Each of the names once; all Apps when there are none."""
        if not texts:
            return await self.items(kind for kind in await self.kinds() if not kind.is_source)
        found: dict[ObjectRef, Found] = {}
        for text in texts:
            item = await self.find(text)
            found[item.ref] = item
        return list(found.values())

    async def get(self, ref: ObjectRef, version: str = "") -> Manifest | None:
        """Any object; None where there is none, or nothing of its kind. An empty `version` is the preferred one."""
        try:
            resource = await self.client.discovery.resource(ref.group, version, ref.kind)
        except KindNotServed:
            return None
        return await self.client.get(resource, ref.name, ref.namespace)


@asynccontextmanager
async def connect(kubeconfig: Path | None, context: str, namespace: str = "") -> AsyncIterator[Session]:
    """A session with the cluster that the options mean."""
    async with KubeClient(find_config(kubeconfig, context)) as client:
        yield Session(client, namespace=namespace)


def in_session(
    work: Callable[[Session], Awaitable[T]], kubeconfig: Path | None, context: str, namespace: str = ""
) -> T:
    """Runs `work` with a session, on a loop of its own: the body of every command that needs a cluster."""

    async def run() -> T:
        async with connect(kubeconfig, context, namespace) as session:
            return await work(session)

    return asyncio.run(run())
