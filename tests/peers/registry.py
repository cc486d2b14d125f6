"""The real registry (distribution) as a child process: plain or TLS, open, with a password file, or with a token service.

Its data lives in a folder of its own, so it can be stopped and started again.
"""

import base64
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
from aiohttp import ClientSession

from tests.peers.certs import Authority
from tests.peers.locate import find_program
from tests.peers.process import Child, Watchdog, free_ports, until

USER, PASSWORD = "robot", "letmein"
HTPASSWD = "robot:$2a$04$dS7r5cywMuK2tUhj56aNT.QrBFr6KEPxpeQNqxrY86AhStmkVUWWe\n"
"""bcrypt of the password above, the only form that the registry takes."""
SERVICE = "registry.test"


class TokenAuth(msgspec.Struct, frozen=True):
    """The registry sends its clients to `realm`; it believes tokens of `issuer` that `certificate` (PEM) can vouch for."""

    realm: str
    issuer: str
    certificate: bytes


class Registry:
    """One registry. `host` is `127.0.0.1:port`; `authority` signed its certificate where it has TLS."""

    def __init__(self, child: Child, port: int, authority: Authority | None) -> None:
        self.child = child
        self.host = f"127.0.0.1:{port}"
        self.authority = authority
        self.scheme = "https" if authority else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def ca(self) -> bytes:
        """PEM of the authority to trust."""
        assert self.authority is not None
        return self.authority.keys.certificate

    def docker_config(self, username: str = USER, password: str = PASSWORD) -> bytes:
        """What a `kubernetes.io/dockerconfigjson` Secret for it holds."""
        auth = base64.b64encode(f"{username}:{password}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": auth}}}).encode()

    async def ready(self) -> None:
        async def answers() -> bool:
            with contextlib.suppress(OSError):
                async with ClientSession() as session, session.get(f"{self.url}/v2/", ssl=False) as answer:
                    return answer.status in (200, 401)
            return False

        await until(answers, "the registry answers", [self.child], within=30)

    async def start(self) -> None:
        self.child.start()
        await self.ready()

    async def stop(self) -> None:
        await self.child.stop(grace=2)


@contextlib.contextmanager
def prepared_registry(
    *, tls: bool = False, password: bool = False, token: TokenAuth | None = None
) -> Iterator[Registry]:
    """A registry that can be started, on a free port; gone with its data afterwards."""
    program = find_program("registry", print)
    folder = Path(tempfile.mkdtemp(prefix="trueup-registry-"))
    watchdog = Watchdog(folder)
    try:
        (port,) = free_ports(1)
        authority = Authority() if tls else None
        config = folder / "config.json"  # JSON is YAML
        config.write_text(json.dumps(_configuration(folder, port, authority, password, token)))
        yield Registry(Child(program, ["serve", str(config)], folder / "log", watchdog), port, authority)
    finally:
        watchdog.end()


@contextlib.asynccontextmanager
async def running_registry(
    *, tls: bool = False, password: bool = False, token: TokenAuth | None = None
) -> AsyncIterator[Registry]:
    """The same, started and ready."""
    with prepared_registry(tls=tls, password=password, token=token) as registry:
        await registry.start()
        try:
            yield registry
        finally:
            await registry.stop()


def _configuration(
    folder: Path, port: int, authority: Authority | None, password: bool, token: TokenAuth | None
) -> dict[str, object]:
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "of-tests"}
    if authority is not None:
        certificate, key = authority.server("127.0.0.1", "localhost").write(folder, "server")
        http["tls"] = {"certificate": str(certificate), "key": str(key)}
    said: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": http,
    }
    if password:
        (folder / "htpasswd").write_text(HTPASSWD)
        said["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    if token is not None:
        (folder / "token.crt").write_bytes(token.certificate)
        said["auth"] = {
            "token": {
                "realm": token.realm,
                "service": SERVICE,
                "issuer": token.issuer,
                "rootcertbundle": str(folder / "token.crt"),
            }
        }
    return said
