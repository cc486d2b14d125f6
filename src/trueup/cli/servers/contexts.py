"""The file of servers and logins: `servers.json` in the user's configuration folder (or `$TRUEUP_CONFIG`), for its owner alone.

It holds tokens, as kubeconfig does. It is written whole, by a rename, with mode 0600 from the first byte on.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct, structs

from trueup.model.errors import InvalidInput
from trueup.server.identity.beginning import write_private


class SingleSignOn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the login is refreshed. The provider is asked as this client, which has no secret."""

    issuer: str
    client_id: str
    scopes: tuple[str, ...] = ()
    refresh_token: str = ""
    subject: str = ""

    def __repr__(self) -> str:
        return f"SingleSignOn({self.issuer!r})"


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server. `authorities` is a file; `token` is empty after a logout."""

    name: str
    url: str
    user: str = ""
    token: str = ""
    expires: int = 0
    """Unix seconds; 0: not known, or never."""
    authorities: str = ""
    insecure_tls: bool = False
    sso: SingleSignOn | None = None

    def __repr__(self) -> str:
        return f"Server({self.name!r}, {self.url!r})"


class Servers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    current: str = ""
    servers: tuple[Server, ...] = ()

    def get(self, name: str = "") -> Server:
        """The named one, else the current. Raises InvalidInput."""
        wanted = name or self.current
        for server in self.servers:
            if server.name == wanted:
                return server
        known = ", ".join(server.name for server in self.servers)
        raise InvalidInput(
            f"there is no server called {wanted!r}" if wanted else "there is no current server",
            hint=f"there are: {known}" if known else "log in first: trueup login URL",
        )

    def having(self, server: Server, *, current: bool = False) -> Servers:
        others = tuple(one for one in self.servers if one.name != server.name)
        return Servers(current=server.name if current or not self.current else self.current, servers=(*others, server))

    def without(self, name: str) -> Servers:
        left = tuple(one for one in self.servers if one.name != name)
        return Servers(current="" if self.current == name else self.current, servers=left)


def config_file() -> Path:
    if given := os.environ.get("TRUEUP_CONFIG"):
        return Path(given).expanduser().absolute()
    return Path(platformdirs.user_config_dir("trueup", appauthor=False)) / "servers.json"


def load(path: Path) -> Servers:
    """Nothing when there is no file. Raises InvalidInput for one that others may read, or that is none."""
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except FileNotFoundError:
        return Servers()
    if stat.S_IMODE(mode) & 0o077:
        raise InvalidInput(f"{path} holds tokens, and others may read it", hint=f"chmod 600 {path}")
    try:
        return msgspec.json.decode(raw, type=Servers)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"{path}: {error}", hint="repair it, or delete it and log in again") from error


def save(path: Path, servers: Servers) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, msgspec.json.format(msgspec.json.encode(servers)).decode() + "\n")


def logged_out(server: Server) -> Server:
    sso = structs.replace(server.sso, refresh_token="") if server.sso is not None else None
    return structs.replace(server, token="", expires=0, sso=sso)
