"""Signing in and out: a password or a provider's answer becomes a session in the browser's cookies, and a logout ends it everywhere it is.

What the request brought along is never continued: each login has a new session, and the one before it in this browser is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from aiohttp import web
from msgspec import Struct, structs

from trueup.model.apierror import ApiError
from trueup.model.errors import Transient, TrueupError
from trueup.server.api.call import Call
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity import cookies, localtokens, sessions
from trueup.server.identity import handover as handovers
from trueup.server.identity.accounts import Account, Capability
from trueup.server.identity.authenticator import IdentityAuthenticator, put, set_session
from trueup.server.identity.crosssite import check_same_site, origins_of
from trueup.server.identity.localtokens import Claims
from trueup.server.identity.logins import Logins
from trueup.server.identity.reach import Reach, Reaching, directly
from trueup.server.identity.returning import below, safe_return
from trueup.server.identity.revocation import Revocations
from trueup.server.identity.sealing import open_sealed, seal
from trueup.server.identity.sessions import Login, Session
from trueup.server.identity.settings import Live
from trueup.server.identity.sso import codeflow, idtokens
from trueup.server.identity.sso.clients import Clients
from trueup.server.identity.sso.codeflow import Flow, Handover
from trueup.server.identity.sso.identities import Identity, check_name, theirs

log = structlog.get_logger(__name__)

CALLBACK = "/auth/callback"
LOGOUT = "/auth/logout"
LOGIN_PAGE = "/login"
FLOWS = 4
"""Logins that one browser may have begun at once, in several tabs."""


class KeptIdToken(Struct, frozen=True, kw_only=True):
    """A provider wants its ID token back at logout."""

    provider: str
    id_token: str


class Desk(Struct, frozen=True, kw_only=True):
    """What signing in and out asks."""

    settings: Live
    logins: Logins
    clients: Clients
    revocations: Revocations
    authenticator: IdentityAuthenticator
    clock: Callable[[], datetime]
    reaching: Reaching = directly


class SignIn:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def reach(self, request: web.Request) -> Reach:
        return self._desk.reaching(request)

    def note_address(self, call: Call) -> None:
        """Public operations have no caller whose address the audit log could tell."""
        call.notes.address = self.reach(call.request).address

    def same_site(self, request: web.Request) -> None:
        """Nobody is signed in or out by another site's page. Raises CrossSite."""
        reach = self._desk.reaching(request)
        check_same_site(request.method, request.headers, reach.host, origins_of(self._desk.settings().urls))

    async def by_password(self, request: web.Request, name: str, password: str) -> Session:
        """The session, which rides on the answer as a cookie. Raises Unauthenticated or TooMany."""
        account = await self._checked(request, name, password)
        settings, now = self._desk.settings(), self._desk.clock()
        session = sessions.begin(account.name, Login.PASSWORD, now, settings.session, name=account.name)
        await self._instead(request, session)
        return session

    async def token_by_password(self, request: web.Request, name: str, password: str) -> str:
        """Argo CD's way: a token to send with each call; it is a cookie too, as there."""
        account = await self._checked(request, name, password)
        settings, now = self._desk.settings(), self._desk.clock()
        issued = localtokens.seconds_of(now)
        lasts = int(settings.session.total_seconds())
        claims = Claims(
            subject=f"{account.name}:{Capability.LOGIN}",
            token_id=secrets.token_urlsafe(24),
            issued=issued,
            expires=issued + lasts,
        )
        token = localtokens.issue(settings.keys, claims)
        reach = self._desk.reaching(request)
        put(request, *cookies.laid_out(cookies.ARGO, token, secure=reach.secure, seconds=lasts))
        return token

    async def _checked(self, request: web.Request, name: str, password: str) -> Account:
        self.same_site(request)
        address = self._desk.reaching(request).address
        try:
            account = await self._desk.logins.check(name, password, address)
        except Exception:
            log.info("a login was refused", address=address)
            raise
        log.info("signed in", who=account.name, by="password", address=address)
        return account

    async def to_provider(
        self, request: web.Request, provider: str, return_to: str, handover: Handover | None = None
    ) -> str:
        """Where the browser goes; what it must bring back rides on the answer. Raises NotFound or ProviderUnreachable."""
        reach, settings = self._desk.reaching(request), self._desk.settings()
        client = self._desk.clients.get(provider)
        flow = codeflow.begin(
            client.provider.id,
            self._base(reach) + CALLBACK,
            safe_return(return_to, settings.urls),
            self._desk.clock().timestamp(),
            handover,
        )
        url = await client.login_url(flow)
        begun = [
            name for name in request.cookies if name.startswith(cookies.host_name(cookies.FLOW, secure=reach.secure))
        ]
        stale = begun if len(begun) >= FLOWS else []
        put(request, *(cookies.Cookie(name=name, value="", secure=reach.secure, seconds=0) for name in stale))
        value = seal(settings.keys, codeflow.PURPOSE, flow)
        name = self._flow_cookie(flow.state, reach)
        put(request, cookies.Cookie(name=name, value=value, secure=reach.secure, seconds=codeflow.LASTS))
        return url

    async def from_provider(self, request: web.Request, query: Mapping[str, str]) -> tuple[Session, str]:
        """The provider sent the browser back: signs in, and answers where it wanted to go. Raises what `finish` raises."""
        reach, settings = self._desk.reaching(request), self._desk.settings()
        name = self._flow_cookie(codeflow.state_of(query), reach)
        put(request, cookies.Cookie(name=name, value="", secure=reach.secure, seconds=0))
        try:
            flow = open_sealed(settings.keys, codeflow.PURPOSE, request.cookies.get(name, ""), Flow)
        except Unauthenticated as error:
            raise codeflow.failed("it was begun in another browser or window (state)") from error
        identity = await self._desk.clients.get(flow.provider).finish(flow, query)
        check_name(identity.subject, settings.accounts)
        session = session_of(identity, self._desk.clock(), settings.session)
        if passed_over := set(identity.groups) - set(theirs(identity.groups, settings.accounts)):
            log.warning(
                "groups with names of our own users or roles count for nothing", groups=sorted(passed_over)[:20]
            )
        if flow.handover is not None:
            log.info("signed in", who=session.subject, by=identity.provider, address=reach.address, at="command line")
            return session, handovers.place_of(settings.keys, flow.handover, session, self._desk.clock())
        await self._instead(request, session)
        self._keep_id_token(request, identity, reach)
        log.info("signed in", who=session.subject, by=identity.provider, address=reach.address)
        return session, flow.return_to

    def exchanged(self, code: str, verifier: str) -> tuple[Session, str]:
        """What a browser carried to a command line, for a session there and its token. Raises Unauthenticated."""
        return handovers.exchanged(self._desk.settings().keys, code, verifier, self._desk.clock())

    async def out(self, request: web.Request, *, everywhere: bool = False) -> str:
        """Ends what the request shows, here and in every replica, and takes the cookies away. Answers whose it was; empty: nobody's."""
        reach, now = self._desk.reaching(request), self._desk.clock()
        longest = int(self._desk.settings().session.total_seconds())
        # First, so that the browser has them no more whatever comes of the rest.
        for name in (cookies.host_name(cookies.SESSION, secure=reach.secure), cookies.ARGO):
            put(request, *cookies.taken_away(name, request.cookies, secure=reach.secure))
        whose = ""
        session = self._desk.authenticator.session_of(request)
        if session is not None and now.timestamp() < session.ends:
            whose = session.subject
            subject = sessions.revocation_subject(session)
            await self._end(session.session_id, subject, session.ends, now, longest, everywhere=everywhere)
        for token in self._tokens(request):
            try:
                claims = localtokens.read(self._desk.settings().keys, token, now)
            except Unauthenticated:
                continue
            if claims.subject.endswith(f":{Capability.LOGIN}"):  # an API token ends when it is deleted, not by a logout
                whose = whose or claims.subject.partition(":")[0]
                await self._end(claims.token_id, claims.subject, claims.expires, now, longest, everywhere=everywhere)
        return await self._provided_out(request, now, longest, everywhere=everywhere) or whose

    async def out_of_provider(self, request: web.Request) -> str:
        """Where the browser ends its session at the provider; empty: there is nothing to end there."""
        reach, settings = self._desk.reaching(request), self._desk.settings()
        kept = cookies.joined(cookies.ID_TOKEN, request.cookies)
        gone = cookies.taken_away(cookies.ID_TOKEN, request.cookies, secure=reach.secure)
        put(request, *(structs.replace(cookie, path=below(LOGOUT, reach.root)) for cookie in gone))
        try:
            told = open_sealed(settings.keys, cookies.ID_TOKEN, kept, KeptIdToken)
            client = self._desk.clients.get(told.provider)
            return await client.logout_url(told.id_token, self._base(reach) + LOGIN_PAGE)
        except Exception as error:  # the logout here is done; the provider's is a courtesy
            if kept:
                log.warning("the provider's own session was not ended", problem=str(error))
            return ""

    async def _provided_out(self, request: web.Request, now: datetime, longest: int, *, everywhere: bool) -> str:
        """An ID token that a command line showed: proved first, so that nobody fills the list with what was never one."""
        token = _bearer_of(request)
        try:
            client = self._desk.clients.of_issuer(idtokens.issuer_of(token)) if token else None
            identity = await client.bearer(token) if client is not None else None
        except TrueupError:
            return ""
        if identity is None:
            return ""
        subject = f"{identity.issuer}|{identity.provider_subject}"
        expires = int(idtokens.expiry_of(token)) + idtokens.LEEWAY
        await self._end(localtokens.hashed(token), subject, expires, now, longest, everywhere=everywhere)
        return identity.subject

    async def _end(
        self, token_id: str, subject: str, expires: int, now: datetime, longest: int, *, everywhere: bool
    ) -> None:
        if everywhere:
            await self._desk.revocations.revoke_all(subject, now, longest)
        await self._desk.revocations.revoke(token_id, subject, expires, now, longest)

    async def _instead(self, request: web.Request, session: Session) -> None:
        """The new session for the browser's old one, which is over; that it could not be ended everywhere stops nobody from signing in."""
        try:
            await self.out(request)
        except (Transient, ApiError) as error:
            log.warning("the session before this login was not ended everywhere", problem=str(error))
        reach, now = self._desk.reaching(request), self._desk.clock()
        try:
            set_session(request, self._desk.settings().keys, session, reach, now, present=request.cookies)
        except ValueError as error:
            raise Unauthenticated(
                "the provider tells more of you than a session holds",
                hint="have the provider send only the groups that matter here",
            ) from error

    def _keep_id_token(self, request: web.Request, identity: Identity, reach: Reach) -> None:
        if not identity.id_token:
            return
        kept = KeptIdToken(provider=identity.provider, id_token=identity.id_token.reveal())
        value = seal(self._desk.settings().keys, cookies.ID_TOKEN, kept)
        lasts = int(self._desk.settings().session.total_seconds())
        try:
            made = cookies.laid_out(cookies.ID_TOKEN, value, secure=reach.secure, seconds=lasts)
        except ValueError:
            return  # without it the provider asks at logout
        put(request, *(structs.replace(cookie, path=below(LOGOUT, reach.root)) for cookie in made))

    def _tokens(self, request: web.Request) -> list[str]:
        shown = (_bearer_of(request), cookies.joined(cookies.ARGO, request.cookies))
        return [one for one in shown if _is_ours(one)]

    def _base(self, reach: Reach) -> str:
        """The address that the browser used, if it is one of ours, else our first: providers know only these."""
        urls = self._desk.settings().urls
        return reach.origin if not urls or reach.origin in urls else urls[0]

    def _flow_cookie(self, state: str, reach: Reach) -> str:
        tail = "".join(letter for letter in state[:8] if letter.isalnum())
        return f"{cookies.host_name(cookies.FLOW, secure=reach.secure)}-{tail}"


def session_of(identity: Identity, now: datetime, lasting: timedelta) -> Session:
    """A session of single sign-on. Times of freshness begin now."""
    begun = sessions.begin(identity.subject, Login.SSO, now, lasting, name=identity.name, groups=identity.groups)
    return structs.replace(
        begun,
        provider=identity.provider,
        issuer=identity.issuer,
        provider_subject=identity.provider_subject,
        email=identity.email,
        refresh_token=identity.refresh_token.reveal(),
        fresh_until=begun.began + identity.fresh_for,
    )


def _bearer_of(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_ours(token: str) -> bool:
    try:
        return bool(token) and idtokens.issuer_of(token) == localtokens.ISSUER
    except Unauthenticated:
        return False
