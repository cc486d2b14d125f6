"""The search finds what is hidden in every way in which it could be: a search that finds nothing proves nothing by itself."""

from __future__ import annotations

import base64
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
import zlib
from pathlib import Path
from urllib.parse import quote

import pygit2
import pytest

from tests.canaries import places
from tests.canaries.birds import escaped, make

BIRD = make("bird")
RAW = BIRD.value.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"x" + RAW + b"y",
        base64.b64encode(b"user:" + RAW),
        base64.b64encode(b"a" + RAW + b"bcd"),
        base64.b64encode(b"ab" + RAW + b"c"),
        base64.urlsafe_b64encode(b"abc" + RAW),
        base64.b64encode(base64.b64encode(RAW)),
        quote(BIRD.value, safe="").encode(),
        RAW.hex().encode(),
        json.dumps({"x": BIRD.value}).encode(),
    ],
)
def test_each_form_is_found(data: bytes) -> None:
    assert list(escaped([BIRD], "here", data))


def _tarred(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", data)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, _tarred, _zipped, lambda data: _zipped(_tarred(data))])
def test_each_kind_of_package_is_opened(tmp_path: Path, pack: object) -> None:
    (tmp_path / "file").write_bytes(pack(RAW * 3))  # type: ignore[operator]
    assert any(list(escaped([BIRD], *found)) for found in places.folder("disk", tmp_path)())


def test_rows_of_a_database_and_objects_of_git_are_looked_at(tmp_path: Path) -> None:
    live = sqlite3.connect(tmp_path / "x.db")
    live.execute("PRAGMA journal_mode = WAL")
    live.execute("CREATE TABLE t (a BLOB)")
    live.execute("INSERT INTO t VALUES (?)", (zlib.compress(RAW * 3),))
    live.commit()
    assert any(list(escaped([BIRD], *found)) for found in places.database("base", tmp_path / "x.db")())
    live.close()
    repository = pygit2.init_repository(str(tmp_path / "x.git"), bare=True)
    repository.create_blob(RAW)
    assert any(list(escaped([BIRD], *found)) for found in places.folder("git", tmp_path / "x.git")())


def test_a_place_that_is_made_for_it_is_left_out_and_no_other() -> None:
    bird = make("bird", "disk/git")
    assert not list(escaped([bird], "disk/git/a", RAW))
    assert list(escaped([bird], "disk/log", RAW))
