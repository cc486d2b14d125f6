"""The certified `oidc-provider` as a child process: an OpenID provider with people, groups, device flow and logout.

It is an npm package, installed by its lock file into the folder of kept peers, once: `python -m tests.peers.oidcprovider`.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.peers import npm
from tests.peers.pins import TOOLS
from tests.peers.process import Child, Watchdog, free_ports, until

NAME = "oidcprovider"
CLIENT_ID, CLIENT_SECRET = "trueup", "client-secret/+:% of tests"
CLI_CLIENT_ID = "trueup-cli"


class OidcProvider:
    """It runs while the block does. `issuer` is what it calls itself."""

    def __init__(self, issuer: str, control: str, child: Child) -> None:
        self.issuer = issuer
        self._control = control
        self.child = child

    async def start(self) -> None:
        """Until it answers; also after `child.kill()`, and then with the people, keys and grants that it had."""
        self.child.start()
        await until(self._answers, "oidc-provider answers", [self.child], within=60)

    async def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            async with (
                ClientSession() as session,
                session.get(f"{self.issuer}/.well-known/openid-configuration") as answer,
            ):
                return answer.status == 200
        return False

    async def turn_keys(self) -> None:
        """New signing keys; what the old ones signed is worth nothing any more."""
        await self._ask("/turn-keys")

    async def set_person(self, name: str, claims: dict[str, Any] | None) -> None:
        await self._ask("/person", {"name": name, "claims": claims})

    async def forget(self) -> None:
        """Every session, grant and refresh token is gone."""
        await self._ask("/forget")

    async def _ask(self, path: str, body: Any = None) -> None:
        async with ClientSession() as session, session.post(self._control + path, json=body or {}) as answer:
            assert answer.status == 200


@contextlib.asynccontextmanager
async def running_oidc_provider(
    *, redirects: Sequence[str], after_logout: Sequence[str] = (), algorithm: str = "RS256", conform: bool = False
) -> AsyncIterator[OidcProvider]:
    """`conform`: claims of scopes are in userinfo alone, as OpenID Connect has it when there is an access token."""
    modules, node = npm.ensure(NAME, print), shutil.which("node")
    assert node is not None
    folder = Path(tempfile.mkdtemp(prefix="trueup-oidc-"))
    watchdog = Watchdog(folder)
    port, control = free_ports(2)
    issuer = f"http://127.0.0.1:{port}"
    said = {
        "REDIRECTS": json.dumps(list(redirects)),
        "AFTER_LOGOUT": json.dumps(list(after_logout)),
        "ALG": algorithm,
        "CONFORM": "1" if conform else "0",
        "KEPT": str(folder / "kept.json"),
    }
    arguments = [*(f"{name}={value}" for name, value in said.items()), node, str(TOOLS / NAME / "server.mjs")]
    arguments += [issuer, str(port), str(control), str(modules)]
    env = Path(shutil.which("env") or "/usr/bin/env")
    child = Child(env, arguments, folder / "log", watchdog)
    provider = OidcProvider(issuer, f"http://127.0.0.1:{control}", child)
    try:
        await provider.start()
        yield provider
    finally:
        await child.stop(grace=2)
        watchdog.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    print(npm.ensure(NAME, lambda line: print(line, flush=True)))
