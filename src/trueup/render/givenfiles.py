"""Bytes in memory as what an engine may look at: for requests that are about no Snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.render.engine.frames import File


class GivenFiles:
    """A `FileServer` over bytes in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def found(self, path: str, listed: bool) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        del listed
        if (data := self._files.get(path)) is None:
            return (File(path=path, is_="absent", at=path),), ()
        return (File(path=path, is_="file", at=path, size=len(data)),), (data,)

    def looked(self, path: str, listed: bool) -> None:
        """Nothing depends on it."""
