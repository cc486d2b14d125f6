"""A login in the browser that ends at a command line of the same machine: for providers that know no public client, such as GitHub.

The browser carries a sealed code to a port of its own machine; whoever began the login there exchanges it, and shows by PKCE's verifier
that it was them. So what passes the browser is worth nothing to anybody else, and nothing after a minute.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from urllib.parse import urlencode

from msgspec import Struct, structs

from trueup.server.api.refusals import BadQuery
from trueup.server.identity import sessions
from trueup.server.identity.sealing import open_sealed, seal
from trueup.server.identity.sessions import Session
from trueup.server.identity.settings import Keys
from trueup.server.identity.sso import codeflow
from trueup.server.identity.sso.codeflow import Handover

PURPOSE = "handover"
LASTS = 60
PATH = "/auth/callback"
"""Of the command line's own little server."""


class Code(Struct, frozen=True, kw_only=True):
    session: Session
    challenge: str
    until: int


def read_handover(port: int, challenge: str, state: str) -> Handover | None:
    """None: the login is the browser's own. Raises BadQuery."""
    if not port and not challenge:
        return None
    if not 1024 <= port <= 65535:
        raise BadQuery(f"{port} is no port for this", field="cli_port", hint="1024 to 65535")
    if len(challenge) != 43 or not state or len(state) > 200:
        raise BadQuery("is not the S256 of a verifier, or there is no state", field="cli_challenge")
    return Handover(port=port, challenge=challenge, state=state)


def place_of(keys: Keys, handover: Handover, session: Session, now: datetime) -> str:
    """Where the browser carries the code. Never another machine than its own."""
    until = int(now.timestamp()) + LASTS
    code = seal(keys, PURPOSE, Code(session=lasting(session), challenge=handover.challenge, until=until))
    return f"http://localhost:{handover.port}{PATH}?{urlencode({'code': code, 'state': handover.state})}"


def exchanged(keys: Keys, code: str, verifier: str, now: datetime) -> tuple[Session, str]:
    """The session, and the token that stands for it. Raises Unauthenticated."""
    found = open_sealed(keys, PURPOSE, code, Code)
    proved = hmac.compare_digest(codeflow.challenge(verifier).encode(), found.challenge.encode())
    if not proved or now.timestamp() >= found.until:
        raise codeflow.failed("the code is not this command line's, or came too late")
    return found.session, sessions.sealed(keys, found.session)


def lasting(session: Session) -> Session:
    """A command line has no cookie in which each use could be noted: its session ends at its end, not by idleness."""
    return structs.replace(session, used=session.ends)
