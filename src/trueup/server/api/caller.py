"""Who is calling, as the frame passes it on; finding it out is `server.identity`'s work."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from trueup.server.access.deciding import Person


class Via(StrEnum):
    """By what a caller showed who they are."""

    SESSION = "session"
    """A browser's cookie, or the token of a login."""
    TOKEN = "token"  # noqa: S105 not a secret
    PROJECT_TOKEN = "project-token"  # noqa: S105 not a secret
    SERVICE_ACCOUNT = "service-account"
    ANONYMOUS = "anonymous"


class KubernetesIdentity(Struct, frozen=True, kw_only=True):
    """As whom the API server sees the caller, where calls are made as the person."""

    user: str
    groups: tuple[str, ...] = ()


class Caller(Struct, frozen=True, kw_only=True):
    """`person` is what policies speak of; `display` what people read; `address` the peer, behind a trusted proxy the one it tells."""

    person: Person
    via: Via
    display: str = ""
    token_id: str = ""
    issuer: str = ""
    address: str = ""
    kubernetes: KubernetesIdentity | None = None

    @property
    def shown(self) -> str:
        return self.display or self.person.name

    @property
    def is_anonymous(self) -> bool:
        return self.via is Via.ANONYMOUS


NOBODY = Caller(person=Person(name=""), via=Via.ANONYMOUS)
"""The caller of a public operation who showed nothing, or nothing that holds."""


class Authenticator(Protocol):
    async def authenticate(self, request: web.Request) -> Caller:
        """Raises Unauthenticated; and Forbidden for a changing call with a cookie that another site may have caused.

        Anonymous callers only where the settings allow them.
        """
        ...

    def still_valid(self, caller: Caller) -> bool:
        """Whether a stream that this caller opened may go on: neither ended nor revoked. Asked often, so it must be cheap."""
        ...
