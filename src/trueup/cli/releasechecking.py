"""Renders the chart of a HelmRelease that lies in the same working tree, as its install would, knowing no cluster.

`lookup` finds nothing, as in `helm template`. Values of ConfigMaps and Secrets that the tree does not declare are unknown:
what fails without them may be well with them, and is told, not counted.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

from msgspec import Struct, structs

from trueup.cli.charttree import TreeCharts, charts_of_tree
from trueup.controllers.releases.chartroot import CHART_FILE
from trueup.dialects.dialect import Dialect
from trueup.dialects.registry import dialect_for
from trueup.model.app import App
from trueup.model.errors import BuildFailed, SourceError, TrueupError
from trueup.model.manifest import Declared, Manifest, Origin, ref_of
from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec, ValuesSource
from trueup.model.revision import Revision
from trueup.model.snapshot import Entry
from trueup.model.source import HelmChartSource
from trueup.render.building import clean_path
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import Recorder, join
from trueup.render.releases import Preparation, Question, ReleaseEngine, Values, ValuesLayer
from trueup.sources.helm.chart import FoundRepository, knows_none

_IN_TREE = "GitRepository"
Known: TypeAlias = Mapping[ObjectRef, Manifest]
"""ConfigMaps and Secrets; the namespace is empty where the manifest names none."""


class DependencyOutside(SourceError):
    """A chart depends on one of a repository, and nothing may be fetched."""

    reason = "RemoteRefused"


class CheckedRelease(Struct, frozen=True, kw_only=True):
    """`objects` None: it was not rendered, and `notes` say why."""

    objects: tuple[Declared, ...] | None = None
    notes: tuple[str, ...] = ()


class ReleaseChecker:
    """The releases of one working tree. `known`: what the tree declares, which may grow meanwhile. Make it by `release_checker`."""

    def __init__(
        self,
        recorder: Recorder,
        known: Known,
        dialects: tuple[Dialect, ...],
        engines: EnginePool,
        charts: TreeCharts,
    ) -> None:
        self._recorder = recorder
        self._known = known
        self._dialects = dialects
        self._engine = ReleaseEngine(engines)
        self._charts = charts

    async def check(self, app: App) -> CheckedRelease:
        """Raises BuildFailed, SourceError and their kinds, with places in the tree."""
        spec = app.release
        assert spec is not None
        chart = _chart_of(spec, self._dialects)
        if chart is None:
            return CheckedRelease(notes=("its chart comes from elsewhere, so it is not rendered here",))
        path = clean_path(chart.chart)
        if self._recorder.look(join(path, CHART_FILE)).entry is None:
            return CheckedRelease(notes=(f"its chart {chart.chart} is not in this working tree",))
        layers, missing = _layers(spec, self._known)
        notes = (f"values of {', '.join(missing)} are not known here",) if missing else ()
        try:
            objects = await self._rendered(spec, chart, path, layers)
        except DependencyOutside as error:
            return CheckedRelease(notes=(error.message,))
        except TrueupError as error:
            if not missing:
                raise
            return CheckedRelease(notes=(*notes, f"without them it does not render: {error.message}"))
        return CheckedRelease(objects=objects, notes=notes)

    async def _rendered(
        self, spec: ReleaseSpec, chart: HelmChartSource, path: str, layers: Sequence[ValuesLayer]
    ) -> tuple[Declared, ...]:
        try:
            snapshot = await self._charts.chart(chart)
            metadata, _ = await self._engine.metadata(snapshot, "")
            preparation = _preparation(spec, metadata.version, layers)
            prepared = await self._engine.prepare(snapshot, preparation, _finds_nothing)
            return await self._engine.objects(prepared.objects)
        except TrueupError as error:
            if error.origin is not None:
                error.origin = Origin(join(path, error.origin.path), error.origin.line, error.origin.column)
            raise


class _Noted:
    """A tree out of which charts are made: each look, also at a chart that another one needs, is one of the Recorder's.

    Implements `model.snapshot.Snapshot`.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._tree = recorder.snapshot

    @property
    def id(self) -> str:
        return self._tree.id

    @property
    def revision(self) -> Revision:
        return self._tree.revision

    def entry(self, path: str) -> Entry | None:
        with suppress(BuildFailed):  # a link that leads outside: whoever asks finds that out
            self._recorder.look(path)
        return self._tree.entry(path)

    def listing(self, path: str) -> tuple[Entry, ...]:
        with suppress(BuildFailed, OSError):
            self._recorder.listing(path)
        return self._tree.listing(path)

    def read(self, path: str) -> bytes:
        with suppress(BuildFailed):
            self._recorder.look(path)
        return self._tree.read(path)


@asynccontextmanager
async def release_checker(
    recorder: Recorder, known: Known, dialects: tuple[Dialect, ...], engines: EnginePool, *, fetch: bool
) -> AsyncIterator[ReleaseChecker]:
    find = knows_none if fetch else _nothing_is_fetched
    async with charts_of_tree(_Noted(recorder), engines, find=find) as charts:
        yield ReleaseChecker(recorder, known, dialects, engines, charts)


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


def _layers(spec: ReleaseSpec, known: Known) -> tuple[list[ValuesLayer], list[str]]:
    """Values that the tree declares, and whose are not known. An App may give a namespace to what names none."""
    layers: list[ValuesLayer] = []
    missing: list[str] = []
    for source in spec.values_from:
        ref = source.ref
        found = known.get(ref) or known.get(structs.replace(ref, namespace=""))
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
