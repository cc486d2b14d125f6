"""Renders the chart of a HelmRelease that lies in the same working tree, as its install would, knowing no cluster.

`lookup` finds nothing, as in `helm template`. Values of ConfigMaps and Secrets that the tree does not declare are unknown:
what fails without them may be well with them, and is told, not counted.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from trueup.cli.charttree import chart_of_tree
from trueup.controllers.releases.chartroot import CHART_FILE
from trueup.dialects.dialect import Dialect
from trueup.dialects.registry import dialect_for
from trueup.model.app import App
from trueup.model.errors import SourceError, TrueupError
from trueup.model.manifest import Declared, Manifest, Origin, ref_of
from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec, ValuesSource
from trueup.model.snapshot import EntryType
from trueup.model.source import GitReference, GitSource, HelmChartSource
from trueup.render.building import clean_path
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import Recorder, join
from trueup.render.releases import Preparation, Question, ReleaseEngine, Values, ValuesLayer
from trueup.sources.helm.chart import FoundRepository, knows_none

_IN_TREE = "GitRepository"


class DependencyOutside(SourceError):
    """A chart depends on one of a repository, and nothing may be fetched."""

    reason = "RemoteRefused"


class CheckedRelease(Struct, frozen=True, kw_only=True):
    """`objects` None: it was not rendered, and `notes` say why."""

    objects: tuple[Declared, ...] | None = None
    notes: tuple[str, ...] = ()


async def check_release(
    app: App,
    recorder: Recorder,
    known: Sequence[Declared],
    dialects: tuple[Dialect, ...],
    engines: EnginePool,
    *,
    fetch: bool,
) -> CheckedRelease:
    """`known`: what the tree declares. Raises BuildFailed, SourceError and their kinds, with places in the tree."""
    spec = app.release
    assert spec is not None
    chart = _chart_of(spec, dialects)
    if chart is None:
        return CheckedRelease(notes=("its chart comes from elsewhere, so it is not rendered here",))
    path = clean_path(chart.chart)
    if recorder.look(join(path, CHART_FILE)).entry is None:
        return CheckedRelease(notes=(f"its chart {chart.chart} is not in this working tree",))
    await asyncio.to_thread(_write_down, recorder, path)
    for name in chart.values_files:
        recorder.look(clean_path(name))
    layers, missing = _layers(spec, known)
    notes = (f"values of {', '.join(missing)} are not known here",) if missing else ()
    try:
        objects = await _rendered(spec, recorder, chart, path, layers, engines, fetch=fetch)
    except DependencyOutside as error:
        return CheckedRelease(notes=(error.message,))
    except TrueupError as error:
        if not missing:
            raise
        return CheckedRelease(notes=(*notes, f"without them it does not render: {error.message}"))
    return CheckedRelease(objects=objects, notes=notes)


def _chart_of(spec: ReleaseSpec, dialects: tuple[Dialect, ...]) -> HelmChartSource | None:
    """The chart by its path in a Git repository; None: it is another kind of chart."""
    if spec.chart_object is None:
        return None
    dialect = dialect_for(ref_of(spec.chart_object).group_kind, dialects)
    assert dialect is not None
    chart = dialect.read_source(spec.chart_object)
    if not isinstance(chart, HelmChartSource) or not isinstance(chart.origin, ObjectRef):
        return None
    return chart if chart.origin.kind == _IN_TREE else None


def _write_down(recorder: Recorder, path: str) -> None:
    """Every file and folder of the chart counts, whatever the library makes of it."""
    for entry in recorder.listing(path):
        inner = join(path, entry.name)
        if entry.type is EntryType.DIRECTORY:
            _write_down(recorder, inner)
        else:
            recorder.look(inner)


def _layers(spec: ReleaseSpec, known: Sequence[Declared]) -> tuple[list[ValuesLayer], list[str]]:
    """Values that the tree declares, and whose are not known. An App may give a namespace to what names none."""
    declared = {(item.ref.kind, item.ref.namespace, item.ref.name): item.manifest for item in known}
    layers: list[ValuesLayer] = []
    missing: list[str] = []
    for source in spec.values_from:
        ref = source.ref
        found = declared.get((ref.kind, ref.namespace, ref.name)) or declared.get((ref.kind, "", ref.name))
        text = _text(found, source) if found is not None else None
        if text is None:
            missing.append(str(ref))
            continue
        layers.append(
            ValuesLayer(
                name=f"the key {source.key} of {ref}",
                text=text,
                target_path=source.target_path,
                literal=source.literal,
                secret=ref.kind == "Secret",
            )
        )
    return layers, missing


def _text(obj: Manifest, source: ValuesSource) -> str | None:
    """None: it has no such key here, or one that only the cluster can read."""
    plain, value = (_mapping(obj, name).get(source.key) for name in ("stringData", "data"))
    if plain is not None:
        return str(plain)
    if value is None or source.ref.kind != "Secret":
        return None if value is None else str(value)
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except ValueError:
        return None


def _mapping(obj: Manifest, name: str) -> Mapping[str, Any]:
    """Empty where the tree has something else: what the API server would refuse holds no values."""
    found: Any = obj.get(name)
    return found if isinstance(found, dict) else {}


async def _rendered(
    spec: ReleaseSpec,
    recorder: Recorder,
    chart: HelmChartSource,
    path: str,
    layers: Sequence[ValuesLayer],
    engines: EnginePool,
    *,
    fetch: bool,
) -> tuple[Declared, ...]:
    engine = ReleaseEngine(engines)
    origin = GitSource(url="https://localhost/", reference=GitReference())
    find = knows_none if fetch else _nothing_is_fetched
    try:
        async with chart_of_tree(recorder.snapshot, chart, origin, engines, find=find) as snapshot:
            metadata, _ = await engine.metadata(snapshot, "")
            prepared = await engine.prepare(snapshot, _preparation(spec, metadata.version, layers), _finds_nothing)
            return await engine.objects(prepared.objects)
    except TrueupError as error:
        if error.origin is not None:
            error.origin = Origin(join(path, error.origin.path), error.origin.line, error.origin.column)
        raise


def _preparation(spec: ReleaseSpec, version: str, layers: Sequence[ValuesLayer]) -> Preparation:
    return Preparation(
        chart="",
        name=spec.name,
        namespace=spec.namespace,
        revision=1,
        upgrade=False,
        values=Values(layers=tuple(layers), inline=spec.values),
        version=version,
        validate_values=spec.install.validate_values,
        post_renderers=spec.post_renderers,
        strategy=spec.post_render_strategy,
        labels=spec.origin_labels,
        common_metadata=spec.common_metadata,
    )


async def _finds_nothing(question: Question) -> dict[str, Any] | None:
    return None if question.name else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": []}


async def _nothing_is_fetched(namespace: str, url: str) -> FoundRepository | None:  # noqa: ARG001
    raise DependencyOutside(
        f"its chart needs one of {url}, which is not fetched here: put it into the chart's charts folder, or use --fetch"
    )
