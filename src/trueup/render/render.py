"""Snapshot + RenderSpec -> manifests + inputs, in two halves.

`build` is what Git alone decides: it may be kept in a cache. `finish` lets the values of variables in, which may come
from Secrets: its result stays in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Declared
from trueup.model.outcome import Notice
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.built import Build
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.inputs import Ignoring, Recorder
from trueup.render.kustomization import build_kustomization
from trueup.render.limits import RenderLimits


class Rendered(Struct, frozen=True, kw_only=True):
    """What a render gives. No objects is an answer too: nothing is declared there (any more)."""

    objects: tuple[Declared, ...]
    inputs: Inputs
    source_type: str
    digest: str
    """`sha256:<hex>` of the manifests."""
    notices: tuple[Notice, ...] = ()


async def render(
    snapshot: Snapshot,
    spec: RenderSpec,
    variables: Mapping[str, str] | None,
    engines: EnginePool,
    *,
    limits: RenderLimits = RenderLimits(),
) -> Rendered:
    """Both halves. Raises BuildFailed, NotBuiltYet (Terminal) or EngineFailed (Transient)."""
    return await finish(await build(snapshot, spec, engines, limits=limits), spec, variables, engines)


async def build(
    snapshot: Snapshot, spec: RenderSpec, engines: EnginePool, *, limits: RenderLimits = RenderLimits()
) -> Build:
    """The half that Git alone decides."""
    return await engines.use(lambda engine: build_with(engine, snapshot, spec, limits), seconds=limits.seconds)


def build_with(engine: EngineProcess, snapshot: Snapshot, spec: RenderSpec, limits: RenderLimits) -> Build:
    """The same with a process in hand; blocks."""
    flux = spec.mode is RenderMode.FLUX
    recorder = Recorder(snapshot, Ignoring(spec.ignore) if flux else None)
    path = clean_path(spec.path)
    at = recorder.look(path)
    if at.entry is None:
        raise BuildFailed(f"the path {spec.path} does not exist in {snapshot.revision}")
    if not at.is_directory:
        raise BuildFailed(f"the path {spec.path} is a file", hint="name the directory that holds it")
    objects = build_kustomization(engine, recorder, at.path, spec, limits)
    return Build(objects=objects, inputs=recorder.inputs(), source_type="Kustomize")


async def finish(
    build: Build, spec: RenderSpec, variables: Mapping[str, str] | None, engines: EnginePool
) -> Rendered:
    """The half that variables decide."""
    objects = tuple(Declared(msgspec.json.decode(one.object), None) for one in build.objects)
    return Rendered(objects=objects, inputs=build.inputs, source_type=build.source_type, digest=digest_of(objects))


def digest_of(objects: tuple[Declared, ...]) -> str:
    digest = hashlib.sha256()
    for one in objects:
        digest.update(msgspec.json.encode(one.manifest, order="deterministic"))
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()}"


def clean_path(path: str) -> str:
    """`"./apps/web/"` -> `"apps/web"`; `".."` stays, to be refused where it leads out."""
    return "/".join(part for part in path.split("/") if part not in {"", "."})
