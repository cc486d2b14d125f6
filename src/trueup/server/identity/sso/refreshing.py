"""A session of single sign-on is asked anew at its provider now and then: who they are, in which groups, and whether they still are.

Requests of one session at once share one question, for a refresh token may be good for one use. While the provider is away the session
goes on for an hour; when it says no, the session is over.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import structs

from trueup.model.errors import Transient
from trueup.server.api.refusals import NotFound, Unauthenticated
from trueup.server.identity.masked import Masked
from trueup.server.identity.sessions import Login, Session, over
from trueup.server.identity.sso.clients import Clients
from trueup.server.identity.sso.grants import GrantRefused
from trueup.server.identity.sso.identities import Identity, NotAllowedIn

log = structlog.get_logger(__name__)

GRACE = 3600
"""Seconds that a session goes on while its provider is away."""
AGAIN = 30
"""Seconds between two tries then."""
REMEMBERED = 10_000


class Refresher:
    def __init__(self, clients: Clients, clock: Callable[[], datetime]) -> None:
        self._clients = clients
        self._clock = clock
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._asking: dict[str, asyncio.Future[Session]] = {}
        self._away: dict[str, float] = {}
        """Providers that did not answer, and when they are asked again."""

    async def current(self, session: Session) -> Session:
        """The session with what the provider says now. Raises Unauthenticated when that is no."""
        if session.login is not Login.SSO or not session.refresh_token:
            return session
        session = self._newest(session)
        if self._clock().timestamp() < session.fresh_until:
            return session
        running = self._asking.get(session.session_id)
        if running is not None:
            return await asyncio.shield(running)
        return await self._asked(session)

    async def _asked(self, session: Session) -> Session:
        future: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting for it
        self._asking[session.session_id] = future
        try:
            found = await self._refreshed(session)
        except BaseException as error:
            future.set_exception(error if isinstance(error, Exception) else over("the server is stopping"))
            raise
        else:
            future.set_result(found)
            self._known[session.session_id] = found
            self._known.move_to_end(session.session_id)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return found
        finally:
            del self._asking[session.session_id]

    async def _refreshed(self, session: Session) -> Session:
        now = int(self._clock().timestamp())
        if now < self._away.get(session.provider, 0):
            return self._going_on(session, now, None)
        try:
            client = self._clients.get(session.provider)
            identity = await client.refresh(Masked(session.refresh_token), session.provider_subject)
        except GrantRefused as error:
            raise over("the provider has ended it") from error
        except (NotFound, NotAllowedIn) as error:
            raise over(error.message) from error
        except Transient as error:
            self._away[session.provider] = now + AGAIN
            return self._going_on(session, now, error)
        self._away.pop(session.provider, None)
        return refreshed(session, identity, now)

    def _going_on(self, session: Session, now: int, error: Transient | None) -> Session:
        if now >= session.fresh_until + GRACE:
            raise Unauthenticated(
                "the provider of your login has been away for too long", hint="try again when it is back"
            ) from error
        if error is not None:
            log.warning("a login goes on without its provider", provider=session.provider, problem=str(error))
        return session

    def _newest(self, session: Session) -> Session:
        """A cookie from before a refresh, sent at the same time as it: the refreshed one is known here."""
        known = self._known.get(session.session_id)
        return known if known is not None and known.fresh_until > session.fresh_until else session


def refreshed(session: Session, identity: Identity, now: int) -> Session:
    return structs.replace(
        session,
        subject=identity.subject,
        name=identity.name or session.name,
        email=identity.email or session.email,
        groups=identity.groups,
        refresh_token=identity.refresh_token.reveal(),
        fresh_until=now + identity.fresh_for,
    )
