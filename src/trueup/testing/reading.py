"""What a test applies: files and folders as Trueup itself reads and renders them, or YAML as it stands in the test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from trueup.cli.definitions import read_folder
from trueup.cli.manifests import Located, find_files, read_data, read_file
from trueup.model.app import KindOrder
from trueup.model.manifest import Manifest, ref_of
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.sync.order import sort_key

Place: TypeAlias = str | PathLike[str]


async def read_place(place: Place, engines: EnginePool) -> list[Manifest]:
    """A file's objects; of a folder, what Flux would make of it: its kustomization, else all YAML below it.

    Raises InvalidInput, BuildFailed, SourceError.
    """
    path = Path(fspath(place))
    if await asyncio.to_thread(path.is_dir):
        return await read_folder(path, engines)
    found = []
    for file in find_files([str(path)]):
        found += [each.obj for each in await engines.use(partial(_read_file, file))]
    return found


async def read_yaml(text: str, engines: EnginePool) -> list[Manifest]:
    """The objects of a text. Raises InvalidInput."""
    return [each.obj for each in await engines.use(partial(_read_text, text))]


def in_order(manifests: Sequence[Mapping[str, Any]]) -> list[int]:
    """In which order they are to be applied, by their places: definitions and namespaces first."""
    return sorted(range(len(manifests)), key=lambda place: sort_key(ref_of(manifests[place]), KindOrder.STAGED))


def _read_file(file: str, engine: EngineProcess) -> list[Located]:
    return read_file(engine, file)


def _read_text(text: str, engine: EngineProcess) -> list[Located]:
    return read_data(engine, "the YAML", "test.yaml", text.encode())
