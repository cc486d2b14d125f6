"""Microsoft's Azurite as a child process: Azure Blob Storage with one well-known account, in memory.

It is an npm package, so it is installed by its lock file into the folder of kept peers, once: `python -m tests.peers.azurite`.
"""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import ClientSession

from tests.peers import npm
from tests.peers.process import Child, Watchdog, free_ports, until

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Known to everybody: https://github.com/Azure/Azurite#default-storage-account"""


def ensure(report: Callable[[str], None] = lambda _: None) -> Path:
    """The script to run with node; installed now if it has to be. Raises BuildFailed."""
    return npm.ensure("azurite", report) / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


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
