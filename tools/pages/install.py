"""Installs the npm packages of this folder by their lock file, once, into the folder of kept peers: `python -m tools.pages.install`.

npm checks each tarball against the hash in the lock. No package's script is run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.peers.build import BuildFailed, cache_root, locked

HERE = Path(__file__).resolve().parent
LINK = HERE / "node_modules"
"""Where tsconfig.json looks for types; a link into the kept install, ignored by Git."""
_FILES = ("package.json", "package-lock.json")


def node_modules() -> Path:
    """The folder with the packages; installed now if it has to be. Raises BuildFailed."""
    root = cache_root(os.environ)
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()
    target = root / f"pages-{digest[:16]}"
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f".{target.name}.lock", lambda: print("pages: another process installs npm packages, waiting")):
        if not target.is_dir():
            _install(target)
        modules = target / "node_modules"
        if not (LINK.is_symlink() and LINK.resolve() == modules):
            with contextlib.suppress(FileNotFoundError):
                LINK.unlink()
            LINK.symlink_to(modules, target_is_directory=True)
    return modules


def _install(target: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name in _FILES:
            shutil.copyfile(HERE / name, scratch / name)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=scratch, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise BuildFailed(f"pages: npm ci failed\n{done.stderr[-2000:]}")
        scratch.chmod(0o755)
        scratch.rename(target)
    except FileNotFoundError as error:
        raise BuildFailed("the pages' tools need node and npm; tools/test-deps.sh installs them") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    print(node_modules())
