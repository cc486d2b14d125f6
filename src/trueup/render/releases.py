"""What Helm's library defines about releases: the record that an install or upgrade would make, its digests, its Secret.

Nothing here decides or applies. A render may look at the cluster (`lookup`) and may be post-rendered; the caller hands in
how to look, and Kustomize does the rest. Values that came from Secrets never stand in an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from trueup.model.errors import BuildFailed, EngineFailed, TrueupError
from trueup.model.manifest import Declared, Manifest, Origin
from trueup.model.release import PostRenderer, PostRenderStrategy
from trueup.model.releaserecord import ChartAbout, ChartMetadata, Release
from trueup.model.rendering import Capabilities, CommonMetadata
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.engine.build import HELM
from trueup.render.engine.frames import Problem
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess, Refused, Unanswered
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.masking import Masker
from trueup.render.postrender import post_rendered
from trueup.render.requests import as_error, request_parsed

ANSWER_SECONDS = 30.0
"""How long the cluster may take to answer one lookup."""


class NoRelease(BuildFailed):
    """A Secret that should record a release does not hold one that can be read."""

    reason = "StorageFailed"


class ValuesLayer(Struct, frozen=True, kw_only=True, rename="camel"):
    """One followed entry of `valuesFrom`. `name` is for people; `secret`: its text came from a Secret."""

    name: str
    text: str
    target_path: str = ""
    literal: bool = False
    secret: bool = False

    def __repr__(self) -> str:
        return f"ValuesLayer({self.name})"


class Values(Struct, frozen=True, kw_only=True):
    """All values of a release, not merged yet: the library merges them, and says the digest of what comes out."""

    layers: tuple[ValuesLayer, ...] = ()
    inline: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Values({len(self.layers)} layers)"

    @property
    def tainted(self) -> bool:
        return any(layer.secret for layer in self.layers)


class Question(Struct, frozen=True, rename="camel"):
    """A `lookup`; an empty name asks for a list, an empty namespace for all of them (or a cluster-scoped kind)."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""


class Preparation(Struct, frozen=True, kw_only=True):
    """What to make a release of."""

    chart: str
    name: str
    namespace: str
    revision: int
    upgrade: bool
    values: Values
    version: str = ""
    """In place of the chart's own; empty: that."""
    previous: Release | None = None
    """Whose values are kept (`preserveValues`)."""
    capabilities: Capabilities = Capabilities()
    validate_values: bool = True
    post_renderers: tuple[PostRenderer, ...] = ()
    strategy: PostRenderStrategy = PostRenderStrategy.COMBINED
    labels: dict[str, str] = {}
    common_metadata: CommonMetadata = CommonMetadata()


class Document(Struct, frozen=True):
    text: str
    path: str = ""


class _Asked(Struct, frozen=True, rename="camel"):
    kube_version: bool = False
    api_versions: dict[str, bool] = msgspec.field(default_factory=dict, name="apiVersions")
    all: bool = False


class _Prepared(Struct, frozen=True, rename="camel"):
    release: Release
    config_digest: str
    objects: tuple[Document, ...] = ()
    asked: _Asked = _Asked()


class Prepared(Struct, frozen=True, kw_only=True):
    """`looked_up`: the answers of the cluster that the manifest depends on were asked for; `secret`: some were Secrets."""

    release: Release
    objects: tuple[Document, ...]
    config_digest: str
    tainted: bool


class Recorded(Struct, frozen=True, rename="camel"):
    """A release as its Secret holds it. `objects` are the documents of its manifest, in its order."""

    digest: str
    config_digest: str
    release: Release = Release()
    labels: dict[str, str] = {}
    objects: tuple[Document, ...] = ()


class _Stored(Struct, frozen=True, rename="camel"):
    secret: dict[str, Any]
    digest: str
    config_digest: str


class _Definitions(Struct, frozen=True):
    crds: tuple[Document, ...] = ()


class _Metadata(Struct, frozen=True):
    metadata: ChartMetadata


class _About(Struct, frozen=True):
    metadata: ChartAbout


Lookup = Callable[[Question], Awaitable[dict[str, Any] | None]]
"""Answers a lookup under the tenant's rights: an object, a list, or None. Raises TrueupError for what it may not see."""


class ReleaseEngine:
    """The library behind the pipe. Every method raises EngineFailed when the engine dies or hangs."""

    def __init__(self, engines: EnginePool, *, limits: RenderLimits = DEFAULT_LIMITS) -> None:
        self._readers = engines
        self._helm = engines.beside(HELM)
        self._limits = limits

    async def metadata(self, snapshot: Snapshot, path: str) -> tuple[ChartMetadata, Inputs]:
        """Of the chart in that directory, from its Chart.yaml alone. Raises BuildFailed."""
        recorder = Recorder(snapshot)
        files = SnapshotFiles(recorder, self._limits)

        def ask(engine: EngineProcess) -> Raw:
            return engine.call("metadata", {"path": path}, files)

        raw = await self._call(ask)
        return msgspec.json.decode(raw, type=_Metadata).metadata, recorder.inputs()

    async def about(self, snapshot: Snapshot, path: str) -> ChartAbout:
        """What the same Chart.yaml says to people. Raises BuildFailed."""
        files = SnapshotFiles(Recorder(snapshot), self._limits)
        raw = await self._call(lambda engine: engine.call("metadata", {"path": path}, files))
        return msgspec.json.decode(raw, type=_About).metadata

    async def definitions(self, snapshot: Snapshot, path: str) -> tuple[Document, ...]:
        """The CRDs of the `crds` directories of a chart and its subcharts. Raises BuildFailed."""
        files = SnapshotFiles(Recorder(snapshot), self._limits)
        raw = await self._call(lambda engine: engine.call("definitions", {"path": path}, files))
        return msgspec.json.decode(raw, type=_Definitions).crds

    async def values_digest(self, values: Values) -> str:
        """Of the merged values (`configDigest`). Raises BuildFailed naming the reference that cannot be merged."""
        raw = await self._call(lambda engine: engine.call("values", _values_params(values)))
        return msgspec.json.decode(raw, type=dict[str, str])["digest"]

    async def prepare(self, snapshot: Snapshot, wanted: Preparation, lookup: Lookup) -> Prepared:
        """Renders the chart as an install or upgrade would. Raises BuildFailed with file and line."""
        recorder = Recorder(snapshot)
        files = SnapshotFiles(recorder, self._limits)
        answers = _Answers(lookup, wanted, self._readers, asyncio.get_running_loop())

        def ask(engine: EngineProcess) -> Raw:
            return engine.call("release", _params(wanted, self._limits), files, answerer=answers.answer)

        masker = Masker.of_texts(layer.text for layer in wanted.values.layers if layer.secret)
        try:
            raw = await self._call(ask)
        except TrueupError as error:
            raise masker.masked(error) from None
        found = msgspec.json.decode(raw, type=_Prepared)
        return Prepared(
            release=found.release,
            objects=found.objects,
            config_digest=found.config_digest,
            tainted=wanted.values.tainted or answers.saw_secret,
        )

    async def encode(
        self, release: Release, labels: dict[str, str], *, update: bool, oci_digest: str = ""
    ) -> tuple[Manifest, Recorded]:
        """The Secret that records the release, as the library's own storage writes it; it names no namespace."""
        params = {"release": release, "labels": labels, "update": update, "ociDigest": oci_digest}
        raw = await self._call(lambda engine: engine.call("encode", params))
        stored = msgspec.json.decode(raw, type=_Stored)
        return stored.secret, Recorded(stored.digest, stored.config_digest, release, labels)

    async def decode(self, secret: Manifest, *, oci_digest: str = "") -> Recorded:
        """The release that a Secret records. Raises NoRelease."""
        kept = {name: secret[name] for name in ("apiVersion", "kind", "metadata", "data", "type") if name in secret}
        params = {"secret": kept, "ociDigest": oci_digest}
        try:
            raw = await self._call(lambda engine: engine.call("decode", params))
        except BuildFailed as error:
            name = secret.get("metadata", {}).get("name")
            raise NoRelease(
                f"the Secret {name} records no release that can be read: {error.message}",
                hint="delete that Secret, or restore it from a backup",
            ) from None
        return msgspec.json.decode(raw, type=Recorded)

    async def objects(self, documents: tuple[Document, ...]) -> tuple[Declared, ...]:
        """The objects of documents, lists inlined. Raises BuildFailed for YAML that cannot be read."""
        if not documents:
            return ()
        return await self._readers.use(lambda engine: _declared(engine, documents), seconds=self._limits.seconds)

    async def _call(self, ask: Callable[[EngineProcess], Raw]) -> Raw:
        try:
            return await self._helm.use(ask, seconds=self._limits.seconds)
        except Refused as refused:
            raise _as_error(refused.problem) from None


class _Answers:
    """Answers what the library asks in the middle of a render; called on the engine's thread."""

    def __init__(
        self, lookup: Lookup, wanted: Preparation, engines: EnginePool, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._lookup = lookup
        self._wanted = wanted
        self._engines = engines
        self._loop = loop
        self.saw_secret = False

    def answer(self, kind: str, question: Raw) -> object:
        match kind:
            case "lookup":
                return self._look_up(msgspec.json.decode(question, type=Question))
            case "post-render":
                text = msgspec.json.decode(question, type=dict[str, str])["text"]
                return self._wait(post_rendered(text, self._wanted.post_renderers, self._engines))
            case _:
                raise Unanswered(f"unknown kind of question {kind!r}")

    def _look_up(self, question: Question) -> object:
        self.saw_secret = self.saw_secret or question.kind == "Secret"
        found = self._wait(_bounded(self._lookup(question)))
        return {"found": found is not None, "object": found or {}}

    def _wait(self, work: Any) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except TrueupError as error:
            raise Unanswered(str(error)) from error
        except TimeoutError as error:
            raise Unanswered(f"the cluster gave no answer within {ANSWER_SECONDS:g} s") from error


async def _bounded(answer: Awaitable[dict[str, Any] | None]) -> dict[str, Any] | None:
    async with asyncio.timeout(ANSWER_SECONDS):
        return await answer


def _values_params(values: Values) -> dict[str, object]:
    return {"layers": values.layers, "inline": values.inline}


def _params(wanted: Preparation, limits: RenderLimits) -> dict[str, object]:
    return _values_params(wanted.values) | {
        "path": wanted.chart,
        "releaseName": wanted.name,
        "namespace": wanted.namespace,
        "revision": wanted.revision,
        "upgrade": wanted.upgrade,
        "version": wanted.version,
        "previous": wanted.previous,
        "kubeVersion": wanted.capabilities.kube_version,
        "apiVersions": sorted(wanted.capabilities.api_versions),
        "skipSchemaValidation": not wanted.validate_values,
        "postRender": wanted.strategy.value,
        "marks": {
            "labels": wanted.common_metadata.labels | wanted.labels,
            "annotations": wanted.common_metadata.annotations,
            "ask": bool(wanted.post_renderers),
        },
        "maxBytes": limits.output_bytes,
    }


class _Items(Struct, frozen=True):
    kind: str = ""
    items: tuple[Manifest, ...] = ()


def _declared(engine: EngineProcess, documents: tuple[Document, ...]) -> tuple[Declared, ...]:
    found: list[Declared] = []
    for document, one in zip(documents, request_parsed(engine, [each.text for each in documents]), strict=True):
        origin = Origin(document.path) if document.path else None
        if one.error is not None:
            raise BuildFailed(f"the manifest has YAML that cannot be read: {one.error.message}", origin=origin)
        manifest = msgspec.json.decode(one.object)
        if manifest is not None:
            found.extend(Declared(each, origin) for each in _inlined(manifest))
    return tuple(found)


def _inlined(manifest: Any) -> list[Manifest]:
    if not isinstance(manifest, dict):
        raise BuildFailed("the manifest holds a document that is no object")
    items = manifest.get("items")
    if str(manifest.get("kind", "")).endswith("List") and isinstance(items, list):
        return [each for item in items for each in _inlined(item)]
    return [manifest]


def _as_error(problem: Problem) -> TrueupError:
    error = as_error(problem)
    return error if isinstance(error, (BuildFailed, EngineFailed)) else BuildFailed(error.message, hint=error.hint)
