"""One build that may turn out to need remotes: build, fetch what is missing, build again. The decision what is missing is
the library's own (it fails there); the fetching is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from msgspec import structs

from trueup.model.errors import BuildFailed, TrueupError
from trueup.model.remote import RemoteContent, RemoteFetcher, RemoteNeed
from trueup.model.rendering import Capabilities, RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.building import build
from trueup.render.built import Build
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import holds
from trueup.render.limits import RenderLimits
from trueup.render.remotes import MOST_REMOTES, MOST_ROUNDS, PLACE, RemotesNeeded, WithRemotes, is_remote, refused
from trueup.sources.giturl import mask_url
from trueup.sources.remotetext import is_remote_file, parse_remote_base

_NOT_FETCHED = "remote bases and URLs are not fetched here, so that the repository alone decides what runs"
_COPY = "copy it into the repository (a submodule counts), or have it fetched: render --fetch, run without --no-remote-bases"


class Gathering:
    """`fetcher` None: nothing may be fetched."""

    def __init__(self, fetcher: RemoteFetcher | None) -> None:
        self._fetcher = fetcher
        self._contents: dict[str, RemoteContent] = {}
        self._needs: dict[str, RemoteNeed] = {}

    async def prepare(self) -> None:
        """Fetches what the last build needed, so that a kept build can be recognised. What fails shows later, if it matters."""
        if self._fetcher is not None and self._fetcher.expected:
            with contextlib.suppress(TrueupError):
                await self._fetch(self._fetcher.expected)

    def view(self, snapshot: Snapshot) -> Snapshot:
        return WithRemotes(snapshot, self._contents.values()) if self._contents else snapshot

    def used(self, inputs: Inputs) -> tuple[RemoteNeed, ...]:
        """The needs whose content the build looked at."""
        looked = {item.path.split("/")[2] for item in inputs.items if item.path.startswith(PLACE + "/")}
        return tuple(
            structs.replace(self._needs[content.text], revision=content.snapshot.revision)
            for content in self._contents.values()
            if content.key in looked
        )

    async def build(
        self,
        snapshot: Snapshot,
        spec: RenderSpec,
        engines: EnginePool,
        *,
        limits: RenderLimits,
        capabilities: Capabilities,
    ) -> Build:
        """Raises what a build raises, and SourceError where a remote cannot be fetched."""
        for _ in range(MOST_ROUNDS):
            try:
                built = await build(
                    self.view(snapshot),
                    spec,
                    engines,
                    limits=limits,
                    capabilities=capabilities,
                    remotes=tuple(self._contents.values()),
                )
                return self._placed(built)
            except RemotesNeeded as needed:
                missing = tuple(need for need in needed.needs if need.text not in self._contents)
                try:
                    if not missing:
                        raise needed.otherwise from None
                    await self._get(missing, needed.otherwise)
                except TrueupError as error:
                    raise self._placed_error(error) from None
            except TrueupError as error:
                raise self._placed_error(error) from error.__cause__
        raise BuildFailed(f"remote bases name further ones, more than {MOST_ROUNDS} deep", hint="look for a circle")

    def _placed(self, built: Build) -> Build:
        """With the places of remote objects as people know them: the repository and the path in it."""
        if not self._contents:
            return built
        objects = tuple(structs.replace(one, path=self._shown(one.path)) for one in built.objects)
        return structs.replace(built, objects=objects)

    def _placed_error(self, error: TrueupError) -> TrueupError:
        if error.origin is not None:
            error.origin = structs.replace(error.origin, path=self._shown(error.origin.path))
        return error

    def _shown(self, path: str) -> str:
        if not is_remote(path):
            return path
        key, _, below = path.removeprefix(f"{PLACE}/").partition("/")
        found = next((content for content in self._contents.values() if content.key == key), None)
        if found is None:
            return path
        if found.is_file:
            return mask_url(found.text)
        if found.chart is not None:
            return f"{mask_url(found.repository).rstrip('/')}/{found.chart.name}-{found.snapshot.revision}//{below}"
        return f"{mask_url(found.repository)}//{below}" + (f"?ref={found.reference}" if found.reference else "")

    async def _get(self, missing: tuple[RemoteNeed, ...], otherwise: Exception) -> None:
        if self._fetcher is None:
            remote = tuple(need for need in missing if is_remote_file(need.text) or parse_remote_base(need.text))
            raise refused(remote, _NOT_FETCHED, _COPY) if remote else otherwise
        if not await self._fetch(missing):
            raise otherwise

    async def _fetch(self, needs: Iterable[RemoteNeed]) -> bool:
        """Whether any of them named something remote."""
        assert self._fetcher is not None
        wanted = {need.text: need for need in needs}
        if len(self._contents) + len(wanted) > MOST_REMOTES:
            raise BuildFailed(f"kustomizations and charts name more than {MOST_REMOTES} remotes")
        fetched = await self._fetcher.fetch(tuple(wanted.values()))
        for content in fetched:
            self._contents[content.text] = content
            self._needs[content.text] = wanted[content.text]
        return bool(fetched)


async def remotes_moved(fetcher: RemoteFetcher, snapshot: Snapshot, inputs: Inputs) -> bool:
    """Whether a look into a remote would find something else now. Raises what fetching raises."""
    contents = await fetcher.fetch(fetcher.expected)
    view = WithRemotes(snapshot, contents)
    looks = [item for item in inputs.items if is_remote(item.path)]
    return await asyncio.to_thread(lambda: not all(holds(item, view) for item in looks))
