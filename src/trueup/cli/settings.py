"""What one home keeps about itself: ports and tokens, so that a restart is reached at the same place."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from trueup.model.errors import InvalidInput

DEFAULT_PORT = 6440
"""The embedded Kubernetes' port; the Git server, the controller and the API server take the next four."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`push_token` lets the Git server tell the controller of a push."""

    kubernetes_port: int
    git_port: int
    controller_port: int
    push_token: str
    server_port: int = 0
    """Plain HTTP on this machine. 0: of a home from before there was a server."""
    server_tls_port: int = 0
    """TLS: what port-forwards to the Service lead to."""

    @property
    def internal_token(self) -> str:
        """By which the controller knows the server. Derived, so that homes from before it have one too."""
        return hmac.new(self.push_token.encode(), b"trueup-internal", hashlib.sha256).hexdigest()

    @property
    def git_url(self) -> str:
        return f"http://127.0.0.1:{self.git_port}"

    @property
    def controller_url(self) -> str:
        return f"http://127.0.0.1:{self.controller_port}"

    @property
    def server_url(self) -> str:
        return f"http://localhost:{self.server_port}"


def load_settings(path: Path) -> Settings | None:
    """The kept settings, or None at the first start. Raises InvalidInput when the file is broken."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path}: {error}", hint=f"remove {path}; ports are then chosen anew") from error


def save_settings(path: Path, settings: Settings) -> None:
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2))


def choose_settings(kept: Settings | None, port: int | None) -> Settings:
    """The kept ports; otherwise `port` and the next ones, or the first free ones from the default.

    Raises InvalidInput when a port that was asked for is taken.
    """
    if kept is not None and port in (None, kept.kubernetes_port):
        return kept if kept.server_port and kept.server_tls_port else _with_server(kept)
    ports: list[int] = []
    candidate = port or DEFAULT_PORT
    while len(ports) < 5:
        if candidate > 65535:
            raise InvalidInput("no free port was found", hint="name one with --port")
        if is_free(candidate):
            ports.append(candidate)
        elif port is not None and candidate == port:
            raise InvalidInput(f"port {port} is in use", hint="name another with --port, or leave it out")
        candidate += 1
    token = kept.push_token if kept else secrets.token_urlsafe(32)
    return Settings(
        kubernetes_port=ports[0],
        git_port=ports[1],
        controller_port=ports[2],
        server_port=ports[3],
        server_tls_port=ports[4],
        push_token=token,
    )


def _with_server(kept: Settings) -> Settings:
    """A home from before there was a server gets ports for it, and keeps the others."""
    first = max(kept.kubernetes_port, kept.git_port, kept.controller_port) + 1
    free = [port for port in range(first, min(first + 1000, 65536)) if is_free(port)][:2]
    if len(free) < 2:
        raise InvalidInput("no free ports were found for the server", hint="name others with --port")
    return structs.replace(kept, server_port=free[0], server_tls_port=free[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
