"""Tarballs of sources, for `--serve-artifacts`: what Flux's own consumers download. Made once per revision, a few kept."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Set
from datetime import datetime
from pathlib import Path

from trueup.controllers.sourcereport import artifact_path
from trueup.model.outcome import Artifact
from trueup.model.refs import ObjectRef
from trueup.model.source import Source
from trueup.render.inputs import Ignoring, Recorder
from trueup.sources.artifact import write_artifact
from trueup.sources.treesnapshot import TreeSnapshot

KEPT = 2
"""Tarballs per source: the current one, and the one that somebody may be downloading (Flux keeps two as well)."""


class ArtifactStore:
    """`controllers.sourcereport.Packer`, and what the HTTP side reads. `base_url` is where the HTTP side is reached."""

    def __init__(self, root: Path, base_url: str, clock: Callable[[], datetime]) -> None:
        self._root = root
        self._base_url = base_url
        self._clock = clock

    async def pack(self, ref: ObjectRef, snapshot: TreeSnapshot, source: Source) -> Artifact:
        path = artifact_path(ref, snapshot.revision)
        file = await asyncio.to_thread(self._write, self._root / path, snapshot, source)
        return Artifact(
            revision=snapshot.revision,
            path=path,
            url=f"{self._base_url}/artifacts/{path}",
            digest=file[0],
            size=file[1],
            last_update=self._clock(),
            metadata=snapshot.details.metadata,
        )

    async def keep_only(self, refs: Set[ObjectRef]) -> None:
        """Removes the tarballs of sources that are not among these; they can be made again."""
        kept = {f"{ref.kind.lower()}/{ref.namespace}/{ref.name}" for ref in refs}
        await asyncio.to_thread(self._drop, kept)

    async def open(self, path: str) -> bytes | None:
        """The tarball at a URL path below `/artifacts/`; None: there is none, or the path leads elsewhere."""
        return await asyncio.to_thread(self._read, path)

    def _write(self, target: Path, snapshot: TreeSnapshot, source: Source) -> tuple[str, int]:
        # What the source leaves out (spec.ignore, .sourceignore) is what a render does not see either.
        seen = Recorder(snapshot, Ignoring(source.ignore))
        file = write_artifact(snapshot, target, lambda path: seen.look(path).entry is not None)
        others = sorted(target.parent.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in others[KEPT:]:
            old.unlink(missing_ok=True)
        return file.digest, file.size

    def _drop(self, kept: Set[str]) -> None:
        for folder in self._root.glob("*/*/*"):
            if folder.is_dir() and folder.relative_to(self._root).as_posix() not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self, path: str) -> bytes | None:
        root = self._root.resolve()
        target = (root / path).resolve()
        if not target.is_relative_to(root) or target.suffix != ".gz":
            return None
        try:
            return target.read_bytes()
        except OSError:
            return None
