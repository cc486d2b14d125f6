"""Who is calling: a bearer token, else a cookie, else anonymous where that is allowed. The one place where a request becomes a Caller.

A bearer token is chosen by what it says of itself and proved by whom it names: ours, a provider's, the cluster's. A changing call with a
cookie must come from our own pages. New cookies (a session's use noted, groups refreshed) ride on the answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web
from msgspec import Struct

from trueup.server.access.deciding import Person
from trueup.server.api.caller import Caller, KubernetesIdentity, Via
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity import cookies, localtokens, sessions
from trueup.server.identity.crosssite import check_same_site, origins_of
from trueup.server.identity.kubernetesnames import Names
from trueup.server.identity.localtokens import Roles
from trueup.server.identity.reach import Reach, Reaching, directly
from trueup.server.identity.revocation import Revocations
from trueup.server.identity.serviceaccounts import ServiceAccounts
from trueup.server.identity.sessions import Login, Session
from trueup.server.identity.settings import Keys, Live
from trueup.server.identity.sso import idtokens
from trueup.server.identity.sso.clients import Clients
from trueup.server.identity.sso.identities import Identity, check_name, theirs
from trueup.server.identity.sso.refreshing import Refresher

SET_COOKIES = web.RequestKey("identity.cookies", list[cookies.Cookie])
SESSION = web.RequestKey("identity.session", Session)
AGAIN = 600
"""Seconds after which a stream whose caller somebody else vouches for is opened anew."""
WATCHED = 20_000
"""Callers whose streams are looked after; more than there can be streams."""

Holds = Callable[[], object]
"""Raises Unauthenticated when what a caller showed no longer holds."""


class Parts(Struct, frozen=True, kw_only=True):
    """What the authenticator asks. `service_accounts` None: none is taken."""

    settings: Live
    revocations: Revocations
    roles: Roles
    clients: Clients
    refresher: Refresher
    clock: Callable[[], datetime]
    service_accounts: ServiceAccounts | None = None
    reaching: Reaching = directly
    names: Names = Names()


class IdentityAuthenticator:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._watched: OrderedDict[tuple[Via, str], Holds] = OrderedDict()

    async def authenticate(self, request: web.Request) -> Caller:
        """Raises Unauthenticated, and CrossSite for a changing call with a cookie that another site may have caused."""
        reach = self._parts.reaching(request)
        try:
            return await self._known(request, reach)
        except Unauthenticated:
            # Argo CD's way: where anonymous callers are allowed, whoever shows nothing that holds is one of them.
            if not self._parts.settings().anonymous:
                raise
            return anonymous(reach.address)

    async def _known(self, request: web.Request, reach: Reach) -> Caller:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            if is_sealed(token):
                return await self._session(request, token.strip(), reach, cookie=False)
            return await self._bearer(token.strip(), reach)
        jar = request.cookies
        name = cookies.host_name(cookies.SESSION, secure=reach.secure)
        if sealed := cookies.joined(name, jar):
            self._check_site(request, reach)
            return await self._session(request, sealed, reach)
        if token := cookies.joined(cookies.ARGO, jar):
            self._check_site(request, reach)
            return await self._bearer(token, reach)
        raise Unauthenticated("you are not signed in", hint="sign in, or send a token: Authorization: Bearer TOKEN")

    def still_valid(self, caller: Caller) -> bool:
        if caller.via is Via.ANONYMOUS:
            return self._parts.settings().anonymous
        key = (caller.via, caller.token_id)
        holds = self._watched.get(key)
        if holds is None:
            return False
        self._watched.move_to_end(key)
        try:
            holds()
        except Unauthenticated:
            self._watched.pop(key, None)
            return False
        return True

    def session_of(self, request: web.Request) -> Session | None:
        """The browser's session that the request showed, good or not any more; for a logout."""
        reach = self._parts.reaching(request)
        sealed = cookies.joined(cookies.host_name(cookies.SESSION, secure=reach.secure), request.cookies)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_sealed(token):
            sealed = token.strip()
        try:
            return sessions.opened(self._parts.settings().keys, sealed) if sealed else None
        except Unauthenticated:
            return None

    def _check_site(self, request: web.Request, reach: Reach) -> None:
        check_same_site(request.method, request.headers, reach.host, origins_of(self._parts.settings().urls))

    async def _session(self, request: web.Request, sealed: str, reach: Reach, *, cookie: bool = True) -> Caller:
        parts = self._parts
        settings = parts.settings()
        session = sessions.opened(settings.keys, sealed)
        now = parts.clock()
        sessions.check(session, now, parts.revocations(), settings.accounts)
        fresh = await parts.refresher.current(session)
        if fresh.login is Login.SSO:
            check_name(fresh.subject, settings.accounts)
        if (used := sessions.renewed(fresh, now)) is not None:
            fresh = used
        if fresh != session and cookie:
            set_session(request, settings.keys, fresh, reach, now, present=request.cookies)
        request[SESSION] = fresh

        def holds() -> None:
            live = parts.settings()
            sessions.check(fresh, now, parts.revocations(), live.accounts)
            moment = parts.clock().timestamp()
            if moment >= fresh.ends:
                raise sessions.over("it has lasted as long as a session may")
            # A stream asks no provider anew: it ends, and whoever reads it comes again and is asked about.
            if fresh.refresh_token and moment >= fresh.fresh_until + AGAIN:
                raise sessions.over("it is to be looked at anew")

        caller = Caller(
            person=Person(name=fresh.subject, groups=theirs(fresh.groups, settings.accounts)),
            via=Via.SESSION,
            display=fresh.email or fresh.name or fresh.subject,
            token_id=fresh.session_id,
            issuer=fresh.issuer or localtokens.ISSUER,
            address=reach.address,
            kubernetes=parts.names.of_local(fresh.subject)
            if fresh.login is Login.PASSWORD
            else parts.names.of_provider(fresh.subject, fresh.groups),
        )
        return self._watching(caller, holds)

    async def _bearer(self, token: str, reach: Reach) -> Caller:
        issuer = idtokens.issuer_of(token)
        if issuer == localtokens.ISSUER:
            return self._local(token, reach)
        if (client := self._parts.clients.of_issuer(issuer)) is not None:
            return self._provided(await client.bearer(token), token, reach)
        if self._parts.service_accounts is not None:
            return await self._account(self._parts.service_accounts, token, reach)
        raise localtokens.refused("nobody who is known here has signed it")

    def _local(self, token: str, reach: Reach) -> Caller:
        parts = self._parts
        claims = localtokens.read(parts.settings().keys, token, parts.clock())

        def holds() -> localtokens.LocalUser:
            if claims.expires and parts.clock().timestamp() >= claims.expires:
                raise localtokens.refused("it has expired")
            return localtokens.whose(claims, parts.settings().accounts, parts.roles, parts.revocations())

        user = holds()
        via = {None: Via.PROJECT_TOKEN, "login": Via.SESSION, "apiKey": Via.TOKEN}[user.capability]
        caller = Caller(
            person=Person(name=user.name),
            via=via,
            display=user.name,
            token_id=claims.token_id or f"{claims.subject}@{claims.issued}",
            issuer=localtokens.ISSUER,
            address=reach.address,
            kubernetes=parts.names.of_local(user.name),
        )
        return self._watching(caller, holds)

    def _provided(self, identity: Identity, token: str, reach: Reach) -> Caller:
        parts = self._parts
        check_name(identity.subject, parts.settings().accounts)
        token_id = localtokens.hashed(token)
        ends = idtokens.expiry_of(token)
        subject = f"{identity.issuer}|{identity.provider_subject}"

        def holds() -> None:
            if parts.clock().timestamp() >= ends + idtokens.LEEWAY:
                raise localtokens.refused("it has expired")
            if parts.revocations().covers(token_id, subject, identity.issued):
                raise localtokens.refused("it was revoked")

        holds()
        caller = Caller(
            person=Person(name=identity.subject, groups=theirs(identity.groups, parts.settings().accounts)),
            via=Via.SESSION,
            display=identity.email or identity.name or identity.subject,
            token_id=token_id,
            issuer=identity.issuer,
            address=reach.address,
            kubernetes=parts.names.of_provider(identity.subject, identity.groups),
        )
        return self._watching(caller, holds)

    async def _account(self, accounts: ServiceAccounts, token: str, reach: Reach) -> Caller:
        reviewed = await accounts.whose(token)
        ends = min(idtokens.expiry_of(token), self._parts.clock().timestamp() + AGAIN)

        def holds() -> None:
            if self._parts.clock().timestamp() >= ends:
                raise localtokens.refused("it has expired")

        caller = Caller(
            person=Person(name=reviewed.user, groups=reviewed.groups),
            via=Via.SERVICE_ACCOUNT,
            display=reviewed.user,
            token_id=localtokens.hashed(token),
            issuer="kubernetes",
            address=reach.address,
            kubernetes=KubernetesIdentity(user=reviewed.user, groups=reviewed.groups),
        )
        return self._watching(caller, holds)

    def _watching(self, caller: Caller, holds: Holds) -> Caller:
        key = (caller.via, caller.token_id)
        self._watched[key] = holds
        self._watched.move_to_end(key)
        while len(self._watched) > WATCHED:
            self._watched.popitem(last=False)
        return caller


def is_sealed(token: str) -> bool:
    """A session, as command lines show it (JWE has five parts); everything else that is shown has three."""
    return token.count(".") == 4


def anonymous(address: str) -> Caller:
    """Nobody; to Kubernetes what it calls nobody."""
    nobody = KubernetesIdentity(user="system:anonymous", groups=("system:unauthenticated",))
    return Caller(person=Person(name=""), via=Via.ANONYMOUS, address=address, kubernetes=nobody)


def set_session(
    request: web.Request,
    keys: Keys,
    session: Session,
    reach: Reach,
    now: datetime,
    *,
    present: Mapping[str, str],
) -> None:
    """The session goes out with the answer to this request."""
    name = cookies.host_name(cookies.SESSION, secure=reach.secure)
    lasts = max(session.ends - int(now.timestamp()), 1)
    made = cookies.laid_out(name, sessions.sealed(keys, session), secure=reach.secure, seconds=lasts)
    stale = cookies.taken_away(name, present, secure=reach.secure)
    put(request, *(cookie for cookie in stale if cookie.name not in {one.name for one in made}), *made)


def put(request: web.Request, *given: cookies.Cookie) -> None:
    """Later ones of a name replace earlier ones."""
    names = {cookie.name for cookie in given}
    earlier = request.get(SET_COOKIES, [])
    request[SET_COOKIES] = [*(cookie for cookie in earlier if cookie.name not in names), *given]


async def send_cookies(request: web.Request, response: web.StreamResponse) -> None:
    """For `app.on_response_prepare`: what was put goes out, and such an answer is nobody else's to keep."""
    for cookie in request.get(SET_COOKIES, []):
        response.headers.add("Set-Cookie", cookie.header())
        response.headers.setdefault("Cache-Control", "no-store")
