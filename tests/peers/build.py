"""Builds the pinned peers once and keeps them: `python -m tests.peers.build [kubernetes|etcd|kwok|helm|all]`.

A finished build is one folder, named by its inputs, that appears by a rename: it is there whole or not at all. A lock
file lets the second builder wait for the first. What is where is decided in `pins` and `toolchain`.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.peers.pins import PEERS, Peer, Pin, current_key, linker_flags, read_pin
from tests.peers.toolchain import GoTool, build_environment, find_go

Report = Callable[[str], None]
REPORT_EVERY = 15.0
"""Seconds between two lines of progress."""


class BuildFailed(RuntimeError):
    """`go build` said no; the text has its last lines."""


def cache_root(environ: Mapping[str, str]) -> Path:
    """The folder of kept builds: $TRUEUP_CACHE_DIR/peers, else $XDG_CACHE_HOME/trueup/peers, else ~/.cache/..."""
    if chosen := environ.get("TRUEUP_CACHE_DIR"):
        return Path(chosen) / "peers"
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(environ.get("HOME") or Path.home()) / ".cache") / "trueup" / "peers"


def built(peer: Peer, root: Path) -> Path | None:
    """The folder with this peer's binaries, if it has been built."""
    folder = root / current_key(peer)
    return folder if folder.is_dir() else None


def ensure(peer: Peer, report: Report = lambda _: None) -> Path:
    """The folder with the peer's binaries, built now if it has to be. Raises BuildFailed or NoGo."""
    root = cache_root(os.environ)
    if (folder := built(peer, root)) is not None:
        return folder
    root.mkdir(parents=True, exist_ok=True)
    target = root / current_key(peer)
    with locked(root / f".{target.name}.lock", lambda: report(f"{peer.name}: another process builds it, waiting")):
        if not target.is_dir():
            _build_into(target, peer, report)
    return target


def _build_into(target: Path, peer: Peer, report: Report) -> None:
    pin = read_pin(peer)
    go = find_go(pin.go)
    report(f"{peer.name} {pin.version}: building {', '.join(peer.programs)} with {go.version}")
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _compile(go, peer, pin, scratch, report)
        for name, source in peer.assets.items():
            shutil.copyfile(_module_folder(go, peer) / source, scratch / name)
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report(f"{peer.name} {pin.version}: built in {time.monotonic() - started:.0f} s")


def _compile(go: GoTool, peer: Peer, pin: Pin, into: Path, report: Report) -> None:
    # One program may be named unlike its package (etcd's ends in "server/v3"); several share one build graph.
    single = next(iter(peer.programs)) if len(peer.programs) == 1 else None
    output = str(into / single) if single else f"{into}{os.sep}"
    flags = linker_flags(peer, pin.version)
    nice = ["nice", "-n", "5"] if shutil.which("nice") else []
    command = [
        *nice,
        str(go.path),
        "build",
        "-v",
        "-trimpath",
        "-ldflags",
        flags,
        "-o",
        output,
        *peer.programs.values(),
    ]
    process = subprocess.Popen(
        command,
        cwd=peer.folder,
        env=build_environment(os.environ),
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    lines: list[str] = []
    started, finished = time.monotonic(), threading.Event()

    def tell() -> None:
        while not finished.wait(REPORT_EVERY):
            report(f"{peer.name}: {len(lines)} packages after {time.monotonic() - started:.0f} s")

    teller = threading.Thread(target=tell, name=f"build-{peer.name}", daemon=True)
    teller.start()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.rstrip())
        code = process.wait()
    finally:
        finished.set()
        teller.join()
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        tail = "\n".join(lines[-20:])
        raise BuildFailed(f"{peer.name}: go build failed with {code} in tools/{peer.name}\n{tail}")


def _module_folder(go: GoTool, peer: Peer) -> Path:
    done = subprocess.run(
        [go.path, "list", "-m", "-f", "{{.Dir}}", peer.module],
        cwd=peer.folder,
        env=build_environment(os.environ),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{peer.name}: go list failed in tools/{peer.name}\n{done.stderr.strip()}")
    return Path(done.stdout.strip())


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds a lock of the file until the block ends; the system frees it if we die."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Builds what is named (all when nothing is) and prints the path of each binary."""
    names = [name for name in (arguments or ["all"]) if name != "all"] or list(PEERS)
    if unknown := [name for name in names if name not in PEERS]:
        print(f"unknown peer {unknown[0]!r}; there are: {', '.join(PEERS)}, all", file=sys.stderr)
        return 2
    for name in names:
        try:
            folder = ensure(PEERS[name], lambda line: print(line, flush=True))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
        for program in PEERS[name].programs:
            print(folder / program)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
