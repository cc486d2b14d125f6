"""Finds what is wrong with a working tree before it is pushed: each kustomization, each folder of manifests, each App.

A folder with a kustomization file is built alone, other folders give their own manifests, and every App among these is
read by its dialect and rendered as the controller would, when its path is in this tree. Components are their users' parts.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeAlias

from msgspec import Struct, structs

from trueup.cli.fieldplace import place_of_field
from trueup.cli.folder import DEFAULT_NAMESPACE
from trueup.cli.releasechecking import ReleaseChecker, release_checker
from trueup.controllers.content import check_marks
from trueup.controllers.releases.chartroot import CHART_FILE
from trueup.dialects.argocd.hooks import read_hook
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.flux.shared import KUSTOMIZATION
from trueup.dialects.registry import dialect_for, is_source
from trueup.dialects.unknown import unknown_fields
from trueup.model.app import App, SyncRules
from trueup.model.errors import TrueupError
from trueup.model.hook import Hook
from trueup.model.manifest import Declared, Manifest, Origin
from trueup.model.refs import ObjectRef
from trueup.model.rendering import DirectoryOptions, HelmOptions, RenderMode, RenderSpec
from trueup.model.snapshot import EntryType, Input
from trueup.model.source import CompositeSource, HelmChartSource, OciSource
from trueup.render.building import clean_path
from trueup.render.files import KUSTOMIZATION_FILES
from trueup.render.inputs import Recorder, join
from trueup.render.render import Rendered, Renderer
from trueup.sync.hooktasks import declare_hooks, part_hooks
from trueup.sync.normalise import InvalidManifests, declared_scopes, normalise

Read: TypeAlias = Callable[[str], bytes | None]
MANIFESTS = (".yaml", ".yml", ".json")
COMPONENT = b"kind: Component"
LIBRARY = b"type: library"
REPEATED = "RepeatedResourceWarning"
HOLD_VALUES = frozenset({"ConfigMap", "Secret"})


class Problem(Struct, frozen=True):
    """What is wrong; `where` is file and line when they are known."""

    message: str
    hint: str = ""
    where: Origin | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was checked. `objects` counts what it declares."""

    place: str
    objects: int = 0
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


class Unit(Struct, frozen=True):
    """A folder to check. `plain`: its own manifests, not a kustomization; `chart`: it is a chart, with its own values."""

    path: str
    plain: bool
    chart: bool = False


def find_units(recorder: Recorder, start: str) -> Iterator[Unit]:
    """The folders below `start` that declare something, outermost first. Below a kustomization only others are looked for.

    Charts are rendered for those who use them, with their values; one that is `start` itself with its own,
    unless it is a library.
    """
    pending = [(start, False)]
    while pending:
        folder, below_kustomization = pending.pop(0)
        entries = recorder.listing(folder)
        names = {entry.name for entry in entries if entry.type is not EntryType.DIRECTORY}
        holder = next((name for name in KUSTOMIZATION_FILES if name in names), None)
        chart = CHART_FILE in names
        if holder is not None:
            if not _says(recorder, join(folder, holder), COMPONENT):
                yield Unit(folder, plain=False)
        elif chart and folder == start:
            if not _says(recorder, join(folder, CHART_FILE), LIBRARY):
                yield Unit(folder, plain=False, chart=True)
        elif not below_kustomization and not chart and any(name.endswith(MANIFESTS) for name in names):
            yield Unit(folder, plain=True)
        if not chart:
            inside = below_kustomization or holder is not None
            pending.extend(
                (join(folder, entry.name), inside)
                for entry in entries
                if entry.type is EntryType.DIRECTORY and not entry.name.startswith(".")
            )


def _says(recorder: Recorder, path: str, words: bytes) -> bool:
    at = recorder.look(path)
    return at.is_file and words in recorder.snapshot.read(at.path)


class Validator:
    """Checks one working tree. Problems are found, not raised. Make it by `validator`.

    `known` is what `releases` find values in; `read` gives the text of a declared object's file.
    """

    def __init__(
        self,
        recorder: Recorder,
        rendering: Renderer,
        dialects: tuple[Dialect, ...],
        known: dict[ObjectRef, Manifest],
        releases: ReleaseChecker,
        read: Read,
    ) -> None:
        self._read = read
        self._known = known
        self._releases = releases
        self._recorder = recorder
        self._snapshot = recorder.snapshot
        self._rendering = rendering
        self._dialects = dialects
        self._looked: set[Input] = set()
        self.declared: list[Declared] = []
        """Everything that was rendered without a problem."""

    @property
    def looked(self) -> frozenset[Input]:
        """Everything in the tree that the findings depend on, as long as there are no problems among them."""
        return frozenset(self._looked.union(self._recorder.inputs().items))

    async def unit(self, unit: Unit) -> tuple[Finding, tuple[Declared, ...]]:
        """Renders a folder; its objects, for the Apps among them."""
        spec = _spec_of(unit)
        place = unit.path or "."
        try:
            rendered = await self._render(spec)
        except TrueupError as error:
            return Finding(place=place, problems=(_problem(error),)), ()
        finding = self._checked(place, rendered, _local_rules(), read_hook)
        # Argo CD takes the last of two declarations; in a folder that any dialect may take they are a mistake.
        twice = tuple(Problem(notice.message) for notice in rendered.notices if notice.type == REPEATED)
        notes = tuple(note for note in finding.notes if note not in {problem.message for problem in twice})
        return structs.replace(finding, problems=(*finding.problems, *twice), notes=notes), rendered.objects

    async def app(self, declared: Declared) -> Finding | None:
        """An App or source that the tree declares; None: it is neither."""
        dialect = dialect_for(declared.ref.group_kind, self._dialects)
        if dialect is None:
            return None
        place = str(declared.ref)
        problems = tuple(self._of_field(error, declared) for error in unknown_fields(declared.manifest))
        try:
            if is_source(dialect, declared.ref.group_kind):
                dialect.read_source(declared.manifest)
                return Finding(place=place, problems=problems)
            app = dialect.read_app(declared.manifest)
        except TrueupError as error:
            return Finding(place=place, problems=(*problems, self._of_field(error, declared)))
        finding = await self._render_app(place, app, dialect)
        return structs.replace(finding, problems=(*problems, *finding.problems))

    def _of_field(self, error: TrueupError, declared: Declared) -> Problem:
        """With line and column of the field that is wrong."""
        origin = declared.origin
        return _problem(error, place_of_field(origin, error.field, self._read) if origin is not None else None)

    async def _render_app(self, place: str, app: App, dialect: Dialect) -> Finding:
        try:
            if app.release is not None:
                return await self._render_release(place, app, dialect)
            if why := elsewhere(app):
                return Finding(place=place, notes=(f"{why}, so it is not rendered here",))
            if self._recorder.look(clean_path(app.render.path)).entry is None:
                return Finding(place=place, notes=(f"its path {app.render.path} is not in this working tree",))
        except TrueupError as error:
            return Finding(place=place, problems=(_problem(error),))
        spec = app.render
        notes: tuple[str, ...] = ()
        if spec.substitution is not None and spec.substitution.sources:
            # Values that only the cluster knows are empty here; what they would make of the manifests cannot be told.
            spec = structs.replace(spec, substitution=structs.replace(spec.substitution, strict=False, sources=()))
            notes = ("variables of substituteFrom are taken as empty",)
        try:
            rendered = await self._render(spec)
            check_marks(rendered.objects, dialect)
        except TrueupError as error:
            return Finding(place=place, problems=(_problem(error),), notes=notes)
        finding = self._checked(place, rendered, app.rules, dialect.read_hook)
        return structs.replace(finding, notes=(*notes, *finding.notes))

    async def _render_release(self, place: str, app: App, dialect: Dialect) -> Finding:
        """With what the tree declares so far: units come before Apps. Raises TrueupError."""
        checked = await self._releases.check(app)
        if checked.objects is None:
            return Finding(place=place, notes=checked.notes)
        rendered = Rendered(objects=checked.objects, inputs=self._recorder.inputs(), source_type="Helm", digest="")
        finding = self._checked(place, rendered, app.rules, dialect.read_hook)
        return structs.replace(finding, notes=(*checked.notes, *finding.notes))

    async def _render(self, spec: RenderSpec) -> Rendered:
        rendered = await self._rendering.render(self._snapshot, spec)
        self._looked.update(rendered.inputs.items)
        return rendered

    def _checked(
        self, place: str, rendered: Rendered, rules: SyncRules, read_hook: Callable[[Manifest], Hook | None]
    ) -> Finding:
        """Contradictions within the set: declared twice, list keys twice, names that no server takes."""
        scopes = declared_scopes(rendered.objects)
        parted = part_hooks(rendered.objects, read_hook)
        notes = tuple(notice.message for notice in (*rendered.notices, *parted.notices))
        key = secrets.token_bytes(32)
        try:
            normalise(parted.kept, scopes, rules, secret_key=key)
            declare_hooks(parted.hooks, scopes, rules, secret_key=key)
        except InvalidManifests as error:
            problems = tuple(_problem(problem) for problem in error.problems)
            return Finding(place=place, objects=len(rendered.objects), problems=problems, notes=notes)
        self.declared.extend(rendered.objects)
        self._known.update((item.ref, item.manifest) for item in rendered.objects if item.ref.kind in HOLD_VALUES)
        return Finding(place=place, objects=len(rendered.objects), notes=notes)


@asynccontextmanager
async def validator(
    recorder: Recorder, rendering: Renderer, dialects: tuple[Dialect, ...], read: Read, *, fetch: bool = False
) -> AsyncIterator[Validator]:
    known: dict[ObjectRef, Manifest] = {}
    async with release_checker(recorder, known, dialects, rendering.engines, fetch=fetch) as releases:
        yield Validator(recorder, rendering, dialects, known, releases, read)


def _spec_of(unit: Unit) -> RenderSpec:
    if unit.chart:
        helm = HelmOptions(release_name=unit.path.rpartition("/")[2] or "release", namespace=DEFAULT_NAMESPACE)
        return RenderSpec(path=unit.path, mode=RenderMode.ARGOCD, helm=helm)
    if unit.plain:
        return RenderSpec(path=unit.path, mode=RenderMode.ARGOCD, directory=DirectoryOptions())
    # As `kustomize build` reads it, which knows no misspelt fields; Flux passes them over.
    return RenderSpec(path=unit.path, mode=RenderMode.ARGOCD, force_kustomize=True)


def elsewhere(app: App) -> str:
    """Why a working tree alone cannot tell what an App declares; empty: it can."""
    match app.source:
        case CompositeSource():
            return "it has several sources"
        case HelmChartSource():
            return "its chart comes from a repository"
        case OciSource():
            return "its manifests come from a registry"
        case _:
            return ""


def _problem(error: TrueupError, origin: Origin | None = None) -> Problem:
    """Its own place goes before that of the resource which led there."""
    head, _, hint = str(error).partition("\n  try: ")
    if error.origin is not None:
        head = head.replace(f" ({error.origin})", "")
    return Problem(head, hint, error.origin or origin)


def _local_rules() -> SyncRules:
    """Those of a Kustomization that says nothing: what holds for any set of manifests."""
    manifest = {
        "apiVersion": KUSTOMIZATION.api_version,
        "kind": KUSTOMIZATION.kind,
        "metadata": {"name": "local", "namespace": "default"},
        "spec": {"interval": "10m", "prune": False, "sourceRef": {"kind": "GitRepository", "name": "local"}},
    }
    return FluxDialect().read_app(manifest).rules
