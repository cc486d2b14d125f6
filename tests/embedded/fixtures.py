"""The embedded Kubernetes as a process of its own, for tests of everything that talks to it.

`embedded_cluster` is one per test module's session worker: use a namespace of your own. `fresh_embedded_cluster` is new
for each test, and can be killed and started again. Each is plain process handling that belongs to no event loop.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 30.0


class EmbeddedCluster:
    """A running `python -m trueup.cli.kubernetes`. `kill` and `start` keep the port and the data."""

    def __init__(self, folder: Path, *arguments: str, module: str = "trueup.cli.kubernetes") -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.url = ""
        self._module = module
        self._arguments = arguments
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Returns when it is ready; raises AssertionError with its log when it does not come up."""
        port = self.url.rpartition(":")[2] or "0"
        before = self._log.stat().st_size if self._log.exists() else 0
        command = [sys.executable, "-m", self._module, "--data-dir", str(self.folder / "data"), "--port", port]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--kubeconfig", str(self.kubeconfig), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                # Bytecode is kept, or each start would compile everything anew.
                env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ready = [line for line in self._log.read_text()[before:].splitlines() if line.startswith("ready ")]
            if ready:
                self.url = ready[0].split()[1]
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the embedded Kubernetes did not start:\n{self.log}")

    def kill(self) -> None:
        """SIGKILL: what was acknowledged must be there after the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the embedded Kubernetes did not stop:\n{self.log}") from None
        self._process = None
        return code


@contextlib.contextmanager
def running_cluster(*arguments: str, module: str = "trueup.cli.kubernetes") -> Iterator[EmbeddedCluster]:
    """A cluster with data of its own, killed at the end. `trueup.embedded` is one that evaluates no CEL."""
    with tempfile.TemporaryDirectory(prefix="trueup-embedded-") as folder:
        cluster = EmbeddedCluster(Path(folder), *arguments, module=module)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.kill()


@pytest.fixture(scope="session")
def embedded_cluster() -> Iterator[EmbeddedCluster]:
    """The session's shared cluster: `.kubeconfig`, `.url`. Nobody's GitOps controller works in it."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def bare_embedded_cluster() -> Iterator[EmbeddedCluster]:
    """The API alone, for the session: no controller changes what a test wrote. It has no service accounts."""
    with running_cluster("--no-workloads") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_embedded_cluster() -> Iterator[EmbeddedCluster]:
    """A cluster of the module's own, for what is written to all of it: CRDs, objects with fixed names."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def fresh_embedded_cluster(tmp_path: Path) -> Iterator[EmbeddedCluster]:
    """A cluster of the test's own, with data on disk."""
    cluster = EmbeddedCluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def namespace_name() -> str:
    """A name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:10]}"
