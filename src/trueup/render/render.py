"""Snapshot + RenderSpec -> manifests + inputs, in two halves.

`build` is what Git alone decides: it may be kept in a cache. `finish` lets the values of variables in, which may come
from Secrets: its result stays in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from msgspec import Struct

from trueup.model.errors import TrueupError
from trueup.model.manifest import Declared
from trueup.model.outcome import Notice
from trueup.model.remote import RemoteFetcher, RemoteNeed
from trueup.model.rendering import Capabilities, RenderMode, RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.built import Asked, Build
from trueup.render.cache import BuildCache, Reason, Verdict, question_of
from trueup.render.engine.build import CUE, HELM, JSONNET, KUSTOMIZE
from trueup.render.engine.identity import identity, rules_identity
from trueup.render.engine.pool import EnginePool
from trueup.render.finish import finished, needs_engine
from trueup.render.gathering import Gathering
from trueup.render.helm import holds_for
from trueup.render.joining import joined, within
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.parts import PartSnapshot
from trueup.render.plugins.plugins import Plugins
from trueup.render.refining import Refine, settled

_MANY = 100
"""Objects to decode that are worth a thread, so that the event loop goes on."""


class Rendered(Struct, frozen=True, kw_only=True):
    """What a render gives. No objects is an answer too: nothing is declared there (any more)."""

    objects: tuple[Declared, ...]
    inputs: Inputs
    source_type: str
    """`Kustomize`, `Directory`, `Helm` or `CUE`."""
    digest: str
    """`sha256:<hex>` of the objects before any Secret passed through them."""
    asked: Asked = Asked()
    """What a chart asked of the cluster."""
    notices: tuple[Notice, ...] = ()
    remotes: tuple[RemoteNeed, ...] = ()
    """What of outside the repository it was made of, too."""
    from_cache: bool = False


class Renderer:
    """Renders with a pool of engines and, where one is given, a cache of builds."""

    def __init__(
        self,
        engines: EnginePool,
        *,
        cache: BuildCache | None = None,
        limits: RenderLimits = DEFAULT_LIMITS,
        capabilities: Callable[[], Capabilities] = Capabilities,
        remotes: RemoteFetcher | None = None,
        refine: Refine | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        self.engines = engines
        self.limits = limits
        self._cache = cache
        self._capabilities = capabilities
        self._remotes = remotes
        """For renders that bring none of their own."""
        self._refine = refine
        self._plugins = plugins or Plugins(())

    async def render(
        self,
        snapshot: Snapshot,
        spec: RenderSpec,
        variables: Mapping[str, str] | None = None,
        *,
        remotes: RemoteFetcher | None = None,
    ) -> Rendered:
        """Raises BuildFailed, NotBuiltYet (both Terminal) or EngineFailed (Transient); with `remotes` SourceError too.

        `variables` hold the data of the substitution's sources and its inline variables, merged; None: only the latter.
        Without `remotes` a kustomization that names something outside its repository is refused.
        """
        gathering = Gathering(remotes or self._remotes)
        built, verdict = await self._build(snapshot, spec, gathering, explain=False)
        rendered = await finish(built, spec, variables, self.engines)
        return msgspec.structs.replace(rendered, from_cache=verdict.used, remotes=gathering.used(built.inputs))

    async def build(
        self,
        snapshot: Snapshot,
        spec: RenderSpec,
        *,
        remotes: RemoteFetcher | None = None,
        explain: bool = False,
    ) -> tuple[Build, Verdict]:
        """The half that Git alone decides, and why it did or did not come from the cache."""
        return await self._build(snapshot, spec, Gathering(remotes or self._remotes), explain=explain)

    async def _build(
        self, snapshot: Snapshot, spec: RenderSpec, gathering: Gathering, *, explain: bool
    ) -> tuple[Build, Verdict]:
        if spec.parts:
            return await self._composed(snapshot, spec, gathering, explain=explain)
        spec, looks = await settled(snapshot, spec, self.engines, self._refine)
        built, verdict = await self._built(snapshot, spec, gathering, explain=explain)
        if looks:
            inputs = Inputs.of(built.inputs.snapshot_id, (*built.inputs.items, *looks))
            built = msgspec.structs.replace(built, inputs=inputs)
        return built, verdict

    async def _composed(
        self, snapshot: Snapshot, spec: RenderSpec, gathering: Gathering, *, explain: bool
    ) -> tuple[Build, Verdict]:
        """Several sources, each by itself; the first that was not kept says why."""
        builds: list[Build] = []
        verdict = Verdict(Reason.USED)
        for part in spec.parts:
            view = PartSnapshot(snapshot, part.root, part.refs)
            try:
                built, said = await self._build(view, part.spec, gathering, explain=explain)
            except TrueupError as error:
                error.message = f"sources[{part.root}]: {error.message}"
                raise
            builds.append(within(built, view, part.root))
            verdict = said if verdict.used else verdict
        return joined(builds, snapshot.id), verdict

    async def _built(
        self, snapshot: Snapshot, spec: RenderSpec, gathering: Gathering, *, explain: bool
    ) -> tuple[Build, Verdict]:
        capabilities = self._capabilities()
        plugin, looks = await self._plugins.choose(snapshot, spec, self.limits)
        if plugin is not None:
            built = await self._plugins.build(plugin, snapshot, spec, self.engines, self.limits, capabilities)
            return built, Verdict(Reason.PRIVATE)
        built, verdict = await self._tool(
            snapshot, msgspec.structs.replace(spec, plugin=None), gathering, explain=explain
        )
        if looks:
            inputs = Inputs.of(built.inputs.snapshot_id, (*built.inputs.items, *looks))
            built = msgspec.structs.replace(built, inputs=inputs)
        return built, verdict

    async def _tool(
        self, snapshot: Snapshot, spec: RenderSpec, gathering: Gathering, *, explain: bool
    ) -> tuple[Build, Verdict]:
        capabilities = self._capabilities()
        begin = partial(gathering.build, snapshot, spec, self.engines, limits=self.limits, capabilities=capabilities)
        await gathering.prepare()
        if self._cache is None or spec.private:
            return await begin(), Verdict(Reason.PRIVATE if spec.private else Reason.OFF)
        question = question_of(spec, await asyncio.to_thread(engine_identities, spec))
        fits = partial(holds_for, spec=spec, capabilities=capabilities)
        find = partial(self._cache.find, question, gathering.view(snapshot), fits, explain=explain)
        kept, verdict = await asyncio.to_thread(find)
        if kept is not None:
            return kept, verdict
        built = await begin()
        await asyncio.to_thread(self._cache.put, question, snapshot, built)
        return built, verdict


def engine_identities(spec: RenderSpec) -> str:
    """Of all code that takes part, without starting an engine. Blocks on the disk the first time."""
    engines: tuple[str, ...] = (KUSTOMIZE, JSONNET, HELM) if spec.mode is RenderMode.ARGOCD else (KUSTOMIZE,)
    if spec.cue is not None:
        engines = (*engines, CUE)
    return "\0".join((rules_identity(), *(identity(engine) for engine in engines)))


async def render(
    snapshot: Snapshot,
    spec: RenderSpec,
    variables: Mapping[str, str] | None,
    engines: EnginePool,
    *,
    limits: RenderLimits = DEFAULT_LIMITS,
    cache: BuildCache | None = None,
    remotes: RemoteFetcher | None = None,
) -> Rendered:
    """One render; see `Renderer.render`."""
    renderer = Renderer(engines, cache=cache, limits=limits)
    return await renderer.render(snapshot, spec, variables, remotes=remotes)


async def finish(build: Build, spec: RenderSpec, variables: Mapping[str, str] | None, engines: EnginePool) -> Rendered:
    """The half that variables decide."""
    if needs_engine(build, spec, variables):
        objects, notices = await engines.use(lambda engine: finished(build, spec, variables, engine))
    elif len(build.objects) > _MANY:
        objects, notices = await asyncio.to_thread(finished, build, spec, variables, None)
    else:
        objects, notices = finished(build, spec, variables, None)
    return Rendered(
        objects=objects,
        inputs=build.inputs,
        source_type=build.source_type,
        digest=_digest(build, spec),
        asked=build.asked,
        notices=(*build.notices, *notices),
    )


def _digest(build: Build, spec: RenderSpec) -> str:
    digest = hashlib.sha256(msgspec.json.encode(spec.common_metadata, order="deterministic"))
    for one in build.objects:
        digest.update(b"\n")
        digest.update(one.object)
    return f"sha256:{digest.hexdigest()}"
