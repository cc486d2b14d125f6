"""The real MinIO as a child process, plain or TLS, with one administrator; and its client to fill buckets with.

Its data lives in a folder of its own, so it can be stopped and started again.
"""

import contextlib
import io
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import urllib3
from aiohttp import ClientSession
from minio import Minio

from tests.peers.certs import Authority
from tests.peers.locate import find_program
from tests.peers.process import Child, Watchdog, free_ports, until

USER, PASSWORD = "robot", "letmein-please"


class ObjectStore:
    """One server. `host` is `127.0.0.1:port`; `authority` signed its certificate where it has TLS."""

    def __init__(self, child: Child, port: int, authority: Authority | None) -> None:
        self.child = child
        self.host = f"127.0.0.1:{port}"
        self.authority = authority
        self.url = f"{'https' if authority else 'http'}://{self.host}"

    @property
    def ca(self) -> bytes:
        """PEM of the authority to trust."""
        assert self.authority is not None
        return self.authority.keys.certificate

    @property
    def client(self) -> Minio:
        trusting = ssl.create_default_context(cadata=self.ca.decode()) if self.authority else None
        pool = urllib3.PoolManager(ssl_context=trusting)
        return Minio(self.host, USER, PASSWORD, secure=self.authority is not None, http_client=pool)

    def fill(self, bucket: str, files: Mapping[str, str | bytes | None]) -> None:
        """Puts objects into a bucket, which is made when it is not there; None takes one away."""
        client = self.client
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
        for name, content in files.items():
            if content is None:
                client.remove_object(bucket, name)
                continue
            data = content.encode() if isinstance(content, str) else content
            client.put_object(bucket, name, io.BytesIO(data), len(data))

    async def ready(self) -> None:
        async def answers() -> bool:
            with contextlib.suppress(OSError):
                async with (
                    ClientSession() as session,
                    session.get(f"{self.url}/minio/health/cluster", ssl=False) as answer,
                ):
                    return answer.status == 200
            return False

        await until(answers, "MinIO answers", [self.child], within=60)

    async def start(self) -> None:
        self.child.start()
        await self.ready()

    async def stop(self) -> None:
        await self.child.stop(grace=2)


@contextlib.contextmanager
def prepared_object_store(*, tls: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[ObjectStore]:
    """A MinIO that can be started, on a free port; gone with its data afterwards."""
    program = find_program("minio", print)
    folder = Path(tempfile.mkdtemp(prefix="trueup-minio-"))
    watchdog = Watchdog(folder)
    try:
        (port,) = free_ports(1)
        certificates = folder / "certs"
        certificates.mkdir()
        authority = Authority() if tls else None
        if authority is not None:
            certificate, key = authority.server("127.0.0.1", "localhost").write(folder, "server")
            Path(certificate).rename(certificates / "public.crt")
            Path(key).rename(certificates / "private.key")
        arguments = ["server", str(folder / "data"), "--quiet", "--address", f"127.0.0.1:{port}"]
        arguments += ["--certs-dir", str(certificates)]
        config = folder / "config.env"
        config.write_text(
            f"MINIO_ROOT_USER={USER}\nMINIO_ROOT_PASSWORD={PASSWORD}\nMINIO_BROWSER=off\nMINIO_UPDATE=off\n"
            + "".join(f"{name}={value}\n" for name, value in (settings or {}).items())
        )
        wrapper = ["/usr/bin/env", f"MINIO_CONFIG_ENV_FILE={config}", str(program)]
        yield ObjectStore(
            Child(Path(wrapper[0]), [*wrapper[1:], *arguments], folder / "log", watchdog), port, authority
        )
    finally:
        watchdog.end()


@contextlib.asynccontextmanager
async def running_object_store(
    *, tls: bool = False, settings: Mapping[str, str] | None = None
) -> AsyncIterator[ObjectStore]:
    """The same, started and ready."""
    with prepared_object_store(tls=tls, settings=settings) as store:
        await store.start()
        try:
            yield store
        finally:
            await store.stop()
