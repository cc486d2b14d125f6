"""Which engines these are, known without building or starting one: what tells two builds of them apart, and where they lie.

Kept apart from `build`, so that a command that only has to know costs next to nothing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from trueup.model.errors import EngineFailed

FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
_HERE = Path(__file__).resolve().parent
_PACKAGE = _HERE.parents[1]


@functools.cache
def identity(name: str) -> str:
    """What tells two builds of an engine apart."""
    if (ready := shipped(name)) is not None:
        seen = ready.stat()
        return f"{name} {seen.st_size} {seen.st_mtime_ns}"
    return f"{name} {digest_of(source_root(), name)}"


@functools.cache
def rules_identity() -> str:
    """What tells two versions of our own part of a render apart: which files are taken, what is asked of an engine."""
    return _content(_PACKAGE, sorted([*(_PACKAGE / "render").rglob("*.py"), *(_PACKAGE / "model").glob("*.py")]))


def cache_root() -> Path:
    """`TRUEUP_CACHE_DIR`, or the user's cache folder."""
    if configured := os.environ.get("TRUEUP_CACHE_DIR"):
        return Path(configured)
    import platformdirs  # slow to import

    return platformdirs.user_cache_path("trueup")


def source_root() -> Path:
    """The Go sources: beside the package in a wheel, at the root of a checkout."""
    for candidate in (_PACKAGE.parents[1] / "engines", _HERE / "source"):
        if (candidate / "kustomize" / "go.mod").is_file():
            return candidate
    raise EngineFailed("the sources of the engines are not there", hint="install Trueup again")


def shipped(name: str) -> Path | None:
    """The binary that came with a release wheel."""
    binary = _HERE / "bin" / name
    return binary if binary.is_file() and os.access(binary, os.X_OK) else None


def digest_of(sources: Path, name: str) -> str:
    """Of every file that the build reads, and the machine it is for."""
    files = [path for folder in ("pipe", name) for path in sorted((sources / folder).rglob("*"))]
    read = [path for path in files if path.is_file() and not path.name.endswith("_test.go")]
    return _content(sources, read, f"{sys.platform} {sysconfig.get_platform()} {FLAGS}")


def _content(root: Path, files: Iterable[Path], salt: str = "") -> str:
    digest = hashlib.sha256(salt.encode())
    for path in files:
        digest.update(f"\0{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]
