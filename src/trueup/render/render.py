"""Snapshot + RenderSpec -> manifests + inputs, in two halves.

`build` is what Git alone decides: it may be kept in a cache. `finish` lets the values of variables in, which may come
from Secrets: its result stays in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from functools import partial

import msgspec
from msgspec import Struct

from trueup.model.errors import BuildFailed, NotBuiltYet
from trueup.model.manifest import Declared, Origin
from trueup.model.outcome import Notice
from trueup.model.rendering import DirectoryOptions, RenderMode, RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.built import Build, BuiltObject
from trueup.render.cache import BuildCache, cache_key
from trueup.render.directory import SKIP_MARK, Directory, read_directory
from trueup.render.engine.build import JSONNET, identity
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.finish import finished, needs_engine
from trueup.render.inputs import Ignoring, Recorder, join
from trueup.render.jsonnet import evaluate
from trueup.render.kustomization import build_kustomization, has_kustomization
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits

KUSTOMIZE = "Kustomize"
DIRECTORY = "Directory"
_MANY = 100
"""Objects to decode that are worth a thread, so that the event loop goes on."""


class Rendered(Struct, frozen=True, kw_only=True):
    """What a render gives. No objects is an answer too: nothing is declared there (any more)."""

    objects: tuple[Declared, ...]
    inputs: Inputs
    source_type: str
    """`Kustomize` or `Directory`."""
    digest: str
    """`sha256:<hex>` of the objects before any Secret passed through them."""
    notices: tuple[Notice, ...] = ()
    from_cache: bool = False


class Renderer:
    """Renders with a pool of engines and, where one is given, a cache of builds."""

    def __init__(
        self, engines: EnginePool, *, cache: BuildCache | None = None, limits: RenderLimits = DEFAULT_LIMITS
    ) -> None:
        self.engines = engines
        self.limits = limits
        self._cache = cache

    async def render(
        self, snapshot: Snapshot, spec: RenderSpec, variables: Mapping[str, str] | None = None
    ) -> Rendered:
        """Raises BuildFailed, NotBuiltYet (both Terminal) or EngineFailed (Transient).

        `variables` hold the data of the substitution's sources and its inline variables, merged; None: only the latter.
        """
        built, from_cache = await self.build(snapshot, spec)
        rendered = await finish(built, spec, variables, self.engines)
        return msgspec.structs.replace(rendered, from_cache=from_cache)

    async def build(self, snapshot: Snapshot, spec: RenderSpec) -> tuple[Build, bool]:
        """The half that Git alone decides, and whether it came from the cache."""
        if self._cache is None:
            return await build(snapshot, spec, self.engines, limits=self.limits), False
        key = cache_key(spec, await self._engine_versions(spec))
        if (kept := await asyncio.to_thread(self._cache.find, key, snapshot)) is not None:
            return kept, True
        built = await build(snapshot, spec, self.engines, limits=self.limits)
        await asyncio.to_thread(self._cache.put, key, built)
        return built, False

    async def _engine_versions(self, spec: RenderSpec) -> str:
        """Of the engines that may take part."""
        version = await self.engines.version()
        if spec.mode is RenderMode.ARGOCD:
            version += "\0" + await asyncio.to_thread(identity, JSONNET)
        return version


async def render(
    snapshot: Snapshot,
    spec: RenderSpec,
    variables: Mapping[str, str] | None,
    engines: EnginePool,
    *,
    limits: RenderLimits = DEFAULT_LIMITS,
    cache: BuildCache | None = None,
) -> Rendered:
    """One render; see `Renderer.render`."""
    return await Renderer(engines, cache=cache, limits=limits).render(snapshot, spec, variables)


async def build(
    snapshot: Snapshot, spec: RenderSpec, engines: EnginePool, *, limits: RenderLimits = DEFAULT_LIMITS
) -> Build:
    """The half that Git alone decides."""
    first = await engines.use(lambda engine: _begin(engine, snapshot, spec, limits), seconds=limits.seconds)
    if not first.directory.jsonnet:
        return first.end(())
    work = partial(
        evaluate,
        recorder=first.recorder,
        root=first.path,
        paths=first.directory.jsonnet,
        options=_directory_options(spec).jsonnet,
        limits=limits,
        skip_mark=SKIP_MARK,
    )
    return first.end(await engines.beside(JSONNET).use(work, seconds=limits.seconds))


class _Begun(Struct, frozen=True, kw_only=True):
    """A build as far as the first engine brings it."""

    recorder: Recorder
    path: str
    source_type: str
    directory: Directory

    def end(self, evaluated: tuple[BuiltObject, ...]) -> Build:
        return Build(
            objects=self.directory.with_evaluated(evaluated) if evaluated else self.directory.objects,
            inputs=self.recorder.inputs(),
            source_type=self.source_type,
            notices=self.directory.notices,
        )


def _begin(engine: EngineProcess, snapshot: Snapshot, spec: RenderSpec, limits: RenderLimits) -> _Begun:
    """With a process in hand; blocks."""
    recorder = Recorder(snapshot, Ignoring(spec.ignore) if spec.mode is RenderMode.FLUX else None)
    at = recorder.look(clean_path(spec.path))
    if at.entry is None:
        raise BuildFailed(f"the path {spec.path!r} does not exist in {snapshot.revision.short}")
    if not at.is_directory:
        raise BuildFailed(f"the path {spec.path!r} is a file", hint="name the directory that holds it")
    if spec.mode is RenderMode.ARGOCD and not _is_kustomize(recorder, at.path, spec):
        found = read_directory(engine, recorder, at.path, _directory_options(spec), limits)
        return _Begun(recorder=recorder, path=at.path, source_type=DIRECTORY, directory=found)
    built = Directory(build_kustomization(engine, recorder, at.path, spec, limits))
    return _Begun(recorder=recorder, path=at.path, source_type=KUSTOMIZE, directory=built)


def _directory_options(spec: RenderSpec) -> DirectoryOptions:
    return spec.directory or DirectoryOptions()


def _is_kustomize(recorder: Recorder, path: str, spec: RenderSpec) -> bool:
    """Argo CD's discovery: an explicit block decides, otherwise the files of the path itself."""
    if recorder.look(join(path, ".argocd-source.yaml")).is_file:
        raise NotBuiltYet(
            "parameter overrides in .argocd-source.yaml are not carried out yet",
            origin=Origin(join(path, ".argocd-source.yaml")),
        )
    if spec.directory is not None:
        return False
    if spec.force_kustomize or has_kustomization(recorder, path):
        return True
    if recorder.look(join(path, "Chart.yaml")).is_file:
        raise NotBuiltYet("Helm charts are not rendered yet", origin=Origin(join(path, "Chart.yaml")))
    return False


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
        notices=(*build.notices, *notices),
    )


def _digest(build: Build, spec: RenderSpec) -> str:
    digest = hashlib.sha256(msgspec.json.encode(spec.common_metadata, order="deterministic"))
    for one in build.objects:
        digest.update(b"\n")
        digest.update(one.object)
    return f"sha256:{digest.hexdigest()}"


def clean_path(path: str) -> str:
    """`"./apps/web/"` -> `"apps/web"`; `".."` stays, to be refused where it leads out."""
    return "/".join(part for part in path.split("/") if part not in {"", "."})
