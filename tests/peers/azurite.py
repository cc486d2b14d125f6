"""Microsoft's Azurite as a child process: Azure Blob Storage with one well-known account, in memory.

It is an npm package, so it is installed by its lock file into the folder of kept peers, once: `python -m tests.peers.azurite`.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import ClientSession

from tests.peers.build import BuildFailed, cache_root, locked
from tests.peers.pins import TOOLS
from tests.peers.process import Child, Watchdog, free_ports, until

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Known to everybody: https://github.com/Azure/Azurite#default-storage-account"""
_FILES = ("package.json", "package-lock.json")


def ensure(report: Callable[[str], None] = lambda _: None) -> Path:
    """The script to run with node; installed now if it has to be. Raises BuildFailed."""
    root = cache_root(os.environ)
    digest = hashlib.sha256(b"".join((TOOLS / "azurite" / name).read_bytes() for name in _FILES)).hexdigest()
    target = root / f"azurite-{digest[:16]}"
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f".{target.name}.lock", lambda: report("azurite: another process installs it, waiting")):
        if not target.is_dir():
            _install(target, report)
    return target / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def _install(target: Path, report: Callable[[str], None]) -> None:
    report("azurite: installing")
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name in _FILES:
            shutil.copyfile(TOOLS / "azurite" / name, scratch / name)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund"],
            cwd=scratch,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BuildFailed(f"azurite: npm ci failed\n{done.stderr[-2000:]}")
        scratch.chmod(0o755)
        scratch.rename(target)
    except FileNotFoundError as error:
        raise BuildFailed("azurite needs node and npm; tools/test-deps.sh installs them") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.asynccontextmanager
async def running_azurite() -> AsyncIterator[str]:
    """The account's URL, while it runs."""
    script, node = ensure(print), shutil.which("node")
    assert node is not None
    folder = Path(tempfile.mkdtemp(prefix="trueup-azurite-"))
    watchdog = Watchdog(folder)
    (port,) = free_ports(1)
    arguments = [str(script), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    child = Child(
        Path(node), [*arguments, "--blobHost", "127.0.0.1", "--blobPort", str(port)], folder / "log", watchdog
    )
    child.start()
    url = f"http://127.0.0.1:{port}/{ACCOUNT}"

    async def answers() -> bool:
        with contextlib.suppress(OSError):
            async with ClientSession() as session, session.get(f"{url}?comp=list") as answer:
                return answer.status in (400, 403)
        return False

    try:
        await until(answers, "Azurite answers", [child], within=60)
        yield url
    finally:
        await child.stop(grace=2)
        watchdog.end()


if __name__ == "__main__":
    print(ensure(lambda line: print(line, flush=True)))
