"""Peers that are npm packages: installed by the lock file in `tools/NAME`, with its hashes, once per content of that file."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.peers.build import BuildFailed, cache_root, locked
from tests.peers.pins import TOOLS

_FILES = ("package.json", "package-lock.json")


def ensure(name: str, report: Callable[[str], None] = lambda _: None) -> Path:
    """The folder that holds `node_modules`; installed now if it has to be. Raises BuildFailed."""
    root = cache_root(os.environ)
    digest = hashlib.sha256(b"".join((TOOLS / name / file).read_bytes() for file in _FILES)).hexdigest()
    target = root / f"{name}-{digest[:16]}"
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f".{target.name}.lock", lambda: report(f"{name}: another process installs it, waiting")):
        if not target.is_dir():
            _install(name, target, report)
    return target


def _install(name: str, target: Path, report: Callable[[str], None]) -> None:
    report(f"{name}: installing")
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for file in _FILES:
            shutil.copyfile(TOOLS / name / file, scratch / file)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund"],
            cwd=scratch,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BuildFailed(f"{name}: npm ci failed\n{done.stderr[-2000:]}")
        scratch.chmod(0o755)
        scratch.rename(target)
    except FileNotFoundError as error:
        raise BuildFailed(f"{name} needs node and npm; tools/test-deps.sh installs them") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
