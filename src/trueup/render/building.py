"""The half of a render that Git alone decides: which tool the path asks for, and the engines that it needs, one after another.

Detection is Argo CD's: an explicit block decides, otherwise the files of the path itself; Flux always means Kustomize, and CUE
is only what asks for it. The first engine is the one that reads manifests; no work of one engine waits for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import assert_never

from msgspec import Struct

from trueup.model.errors import BuildFailed, NotBuiltYet
from trueup.model.manifest import Origin
from trueup.model.remote import RemoteContent
from trueup.model.rendering import Capabilities, DirectoryOptions, RenderMode, RenderSpec
from trueup.model.snapshot import Snapshot
from trueup.render import cue, helm, jsonnet
from trueup.render.built import Build
from trueup.render.directory import SKIP_MARK, Directory, read_directory
from trueup.render.engine.build import CUE, HELM, JSONNET
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.inputs import Ignoring, Recorder, join
from trueup.render.kustomization import build_kustomization, has_kustomization
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.overlaid import overlaid_objects
from trueup.render.remotevalues import with_fetched


class Tool(StrEnum):
    """What turns the files of a path into manifests; the value is the source type that is shown."""

    KUSTOMIZE = "Kustomize"
    HELM = "Helm"
    DIRECTORY = "Directory"
    CUE = "CUE"


class _Begun(Struct, frozen=True, kw_only=True):
    """A build as far as the first engine brings it."""

    recorder: Recorder
    path: str
    tool: Tool
    found: Directory = Directory(())


async def build(
    snapshot: Snapshot,
    spec: RenderSpec,
    engines: EnginePool,
    *,
    limits: RenderLimits = DEFAULT_LIMITS,
    capabilities: Capabilities = Capabilities(),  # noqa: B008 frozen
    remotes: Sequence[RemoteContent] = (),
) -> Build:
    """Raises BuildFailed, NotBuiltYet (both Terminal), EngineFailed (Transient) or RemotesNeeded.

    `remotes` are what was fetched for it; the snapshot shows them at their places (`remotes.WithRemotes`).
    """
    begun = await engines.use(lambda engine: _begin(engine, snapshot, spec, limits, remotes), seconds=limits.seconds)
    match begun.tool:
        case Tool.HELM:
            return await _chart(begun, spec, engines, limits, capabilities, remotes)
        case Tool.CUE:
            return await _package(begun, spec, engines, limits)
        case Tool.DIRECTORY if begun.found.jsonnet:
            return await _with_jsonnet(begun, spec, engines, limits)
        case Tool.DIRECTORY | Tool.KUSTOMIZE:
            return Build(
                objects=begun.found.objects,
                inputs=begun.recorder.inputs(),
                source_type=begun.tool.value,
                notices=begun.found.notices,
            )
        case unknown:
            assert_never(unknown)


def _begin(
    engine: EngineProcess,
    snapshot: Snapshot,
    spec: RenderSpec,
    limits: RenderLimits,
    remotes: Sequence[RemoteContent],
) -> _Begun:
    """With a process in hand; blocks."""
    recorder = Recorder(snapshot, Ignoring(spec.ignore) if spec.mode is RenderMode.FLUX else None)
    at = recorder.look(clean_path(spec.path))
    if at.entry is None:
        raise BuildFailed(f"the path {spec.path!r} does not exist in {snapshot.revision.short}")
    if not at.is_directory:
        raise BuildFailed(f"the path {spec.path!r} is a file", hint="name the directory that holds it")
    tool = _asked(spec) or _detected(recorder, at.path, spec)
    begun = partial(_Begun, recorder=recorder, path=at.path, tool=tool)
    match tool:
        case Tool.HELM | Tool.CUE:
            return begun()
        case Tool.DIRECTORY:
            return begun(found=read_directory(engine, recorder, at.path, _directory_options(spec), limits))
        case Tool.KUSTOMIZE:
            kustomized = build_kustomization(engine, recorder, at.path, spec, limits, remotes)
            return begun(found=Directory(kustomized.objects, kustomized.notices))
        case unknown:
            assert_never(unknown)


def _asked(spec: RenderSpec) -> Tool | None:
    """What holds whatever the path holds."""
    if spec.cue is not None:
        return Tool.CUE
    return Tool.KUSTOMIZE if spec.mode is RenderMode.FLUX else None


def _detected(recorder: Recorder, path: str, spec: RenderSpec) -> Tool:
    """An explicit block decides; otherwise a kustomization before a chart before a plain directory."""
    if spec.directory is not None:
        return Tool.DIRECTORY
    if spec.force_kustomize:
        return Tool.KUSTOMIZE
    if spec.force_helm:
        return Tool.HELM
    if has_kustomization(recorder, path):
        return Tool.KUSTOMIZE
    if recorder.look(join(path, "Chart.yaml")).is_file:
        if spec.helm is None:
            raise NotBuiltYet("Helm charts are not rendered yet", origin=Origin(join(path, "Chart.yaml")))
        return Tool.HELM
    return Tool.DIRECTORY


async def _with_jsonnet(begun: _Begun, spec: RenderSpec, engines: EnginePool, limits: RenderLimits) -> Build:
    evaluated = await engines.beside(JSONNET).use(
        lambda engine: jsonnet.evaluate(
            engine,
            begun.recorder,
            begun.path,
            begun.found.jsonnet,
            _directory_options(spec).jsonnet,
            limits,
            SKIP_MARK,
        ),
        seconds=limits.seconds,
    )
    return Build(
        objects=begun.found.with_evaluated(evaluated),
        inputs=begun.recorder.inputs(),
        source_type=begun.tool.value,
        notices=begun.found.notices,
    )


async def _package(begun: _Begun, spec: RenderSpec, engines: EnginePool, limits: RenderLimits) -> Build:
    options = spec.cue
    assert options is not None, "only who asks for it gets it"
    objects = await engines.beside(CUE).use(
        lambda engine: cue.export(engine, begun.recorder, begun.path, options, limits), seconds=limits.seconds
    )
    if not spec.overlay.is_empty:
        objects = await engines.use(
            lambda engine: overlaid_objects(engine, objects, spec.overlay, limits), seconds=limits.seconds
        )
    return Build(objects=objects, inputs=begun.recorder.inputs(), source_type=begun.tool.value)


async def _chart(
    begun: _Begun,
    spec: RenderSpec,
    engines: EnginePool,
    limits: RenderLimits,
    capabilities: Capabilities,
    remotes: Sequence[RemoteContent],
) -> Build:
    options = spec.helm
    assert options is not None, "detection asks for it"
    fetched = with_fetched(options, remotes)
    templated = await engines.beside(HELM).use(
        lambda engine: helm.template(engine, begun.recorder, begun.path, fetched, capabilities, limits, remotes),
        seconds=limits.seconds,
    )
    objects = await engines.use(lambda engine: helm.read(engine, templated, limits), seconds=limits.seconds)
    return Build(
        objects=objects,
        inputs=begun.recorder.inputs(),
        source_type=begun.tool.value,
        question=helm.question(options),
        asked=helm.answers(templated, options, capabilities),
    )


def _directory_options(spec: RenderSpec) -> DirectoryOptions:
    return spec.directory or DirectoryOptions()


def clean_path(path: str) -> str:
    """`"./apps/web/"` -> `"apps/web"`; `".."` stays, to be refused where it leads out."""
    return "/".join(part for part in path.split("/") if part not in {"", "."})
