"""CRDs among the manifests of files and folders, for clusters that begin empty. A folder with a kustomization is built."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from trueup.cli.manifests import Located, find_files, read_bytes, read_data
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, kind_of
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.render import render
from trueup.sources.worktree import open_worktree

CRD = "CustomResourceDefinition"
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


async def read_definitions(places: Sequence[str], engines: EnginePool) -> list[Manifest]:
    """Whatever else stands there is left out. Raises InvalidInput when there is no CRD, BuildFailed, SourceError."""
    found: list[Manifest] = []
    for place in places:
        if await asyncio.to_thread(_is_kustomize, Path(place)):
            found += await read_folder(Path(place), engines)
            continue
        for file in find_files([place]):
            found += [each.obj for each in await engines.use(partial(_read, file))]
    found = [each for each in found if kind_of(each) == CRD]
    if places and not found:
        raise InvalidInput(f"there is no {CRD} in {', '.join(places)}", hint="name the folder that holds them")
    return found


async def read_folder(folder: Path, engines: EnginePool) -> list[Manifest]:
    """What Flux would make of a folder: its kustomization, else all YAML below it. Raises BuildFailed, SourceError."""
    snapshot, inside = await asyncio.to_thread(open_worktree, folder)
    rendered = await render(snapshot, RenderSpec(path=inside, mode=RenderMode.FLUX), None, engines)
    return [each.manifest for each in rendered.objects]


def _is_kustomize(place: Path) -> bool:
    return any((place / name).is_file() for name in KUSTOMIZATIONS)


def _read(file: str, engine: EngineProcess) -> list[Located]:
    """What does not even name the kind need not be a manifest: values of a chart, say."""
    data = read_bytes(file)
    return read_data(engine, file, Path(file).name, data) if CRD.encode() in data else []
