"""Signing in and out, and who one is, in our own API. Argo CD's manners are in `argooperations`."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, field

from trueup.server.api.call import Call
from trueup.server.api.caller import Via
from trueup.server.api.operation import PUBLIC, SIGNED_IN, Answer, Operation
from trueup.server.identity import localtokens
from trueup.server.identity.accounts import Capability
from trueup.server.identity.authenticator import SESSION
from trueup.server.identity.parts import BASE, SMALL, Parts
from trueup.server.identity.signin import LOGOUT


class LoginProvider(Struct, frozen=True, kw_only=True, rename="camel"):
    """`url` is where a browser begins. A command line asks the issuer itself, as `cliClientID`; empty: it cannot."""

    id: str
    name: str
    type: str
    url: str
    issuer: str = ""
    cli_client_id: str = field(name="cliClientID", default="")
    cli_scopes: tuple[str, ...] = ()


class WaysIn(Struct, frozen=True, kw_only=True):
    """`password`: whether any local user may sign in."""

    password: bool
    anonymous: bool
    providers: tuple[LoginProvider, ...]


class NameAndPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    username: str
    password: str

    def __repr__(self) -> str:
        return f"NameAndPassword({self.username[:40]!r})"


class Me(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who the caller is. `expires` is when the session ends whatever happens; absent for tokens."""

    name: str
    display: str
    groups: tuple[str, ...]
    via: str
    issuer: str
    expires: datetime | None = None
    provider: str = ""
    may_change_password: bool = False


class CarriedCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a browser brought to a command line, and the verifier that only that command line has."""

    code: str
    verifier: str

    def __repr__(self) -> str:
        return "CarriedCode(***)"


class SessionToken(Struct, frozen=True, kw_only=True):
    """A session as a bearer token."""

    token: str
    expires: datetime

    def __repr__(self) -> str:
        return "SessionToken(***)"


class OutQuery(Struct, frozen=True, forbid_unknown_fields=True):
    everywhere: bool = False


class SignedOut(Struct, frozen=True, kw_only=True, rename="camel"):
    """`provider_url`: where the browser ends its session at the provider too."""

    provider_url: str = ""


def operations(parts: Parts) -> list[Operation]:
    session = _Session(parts)
    return [
        Operation(
            id="session.ways",
            method="GET",
            path=BASE + "/logins",
            summary="By which ways one can sign in here",
            access=PUBLIC,
            handler=session.ways,
            answer=WaysIn,
        ),
        Operation(
            id="session.begin",
            method="POST",
            path=BASE + "/session",
            summary="Sign in with a name and a password",
            description="The session is a cookie of the answer. A script may rather use an API token.",
            access=PUBLIC,
            handler=session.begin,
            body=NameAndPassword,
            body_limit=SMALL,
            answer=Me,
        ),
        Operation(
            id="session.exchange",
            method="POST",
            path=BASE + "/session/exchange",
            summary="A login in a browser becomes one of a command line on the same machine",
            access=PUBLIC,
            handler=session.exchange,
            body=CarriedCode,
            body_limit=64 * 1024,
            answer=SessionToken,
            secret_answer=True,
        ),
        Operation(
            id="session.get",
            method="GET",
            path=BASE + "/session",
            summary="Who the caller is",
            access=SIGNED_IN,
            handler=session.get,
            answer=Me,
        ),
        Operation(
            id="session.end",
            method="DELETE",
            path=BASE + "/session",
            summary="Sign out, here or everywhere",
            access=PUBLIC,
            handler=session.end,
            query=OutQuery,
            answer=SignedOut,
        ),
    ]


class _Session:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def ways(self, call: Call) -> Answer:
        del call
        settings = self._parts.settings()
        password = any(account.enabled and account.can(Capability.LOGIN) for account in settings.accounts.values())
        providers = tuple(
            LoginProvider(
                id=provider.id,
                name=provider.name,
                type=provider.type.value,
                url=f"/auth/login?provider={provider.id}",
                issuer=provider.issuer,
                cli_client_id=provider.cli_client_id,
                cli_scopes=provider.scopes if provider.cli_client_id else (),
            )
            for provider in self._parts.clients.providers.found.values()
        )
        return Answer(body=WaysIn(password=password, anonymous=settings.anonymous, providers=providers))

    async def begin(self, call: Call) -> Answer:
        self._parts.signin.note_address(call)
        call.note(target=f"user {call.body.username[:64]}")
        session = await self._parts.signin.by_password(call.request, call.body.username, call.body.password)
        call.note(actor=session.subject)
        return Answer(
            body=Me(
                name=session.subject,
                display=session.name,
                groups=(),
                via=Via.SESSION,
                issuer=localtokens.ISSUER,
                expires=datetime.fromtimestamp(session.ends, UTC),
                may_change_password=True,
            )
        )

    async def exchange(self, call: Call) -> Answer:
        self._parts.signin.note_address(call)
        session, token = self._parts.signin.exchanged(call.body.code, call.body.verifier)
        call.note(
            actor=session.subject,
            target=f"user {session.subject}",
            message=f"by {session.provider}, at a command line",
        )
        return Answer(body=SessionToken(token=token, expires=datetime.fromtimestamp(session.ends, UTC)))

    async def get(self, call: Call) -> Answer:
        caller = call.caller
        session = call.request.get(SESSION)
        return Answer(
            body=Me(
                name=caller.person.name,
                display=caller.shown,
                groups=caller.person.groups,
                via=caller.via,
                issuer=caller.issuer,
                expires=datetime.fromtimestamp(session.ends, UTC) if session else None,
                provider=session.provider if session else "",
                may_change_password=caller.issuer == localtokens.ISSUER and caller.via is not Via.PROJECT_TOKEN,
            )
        )

    async def end(self, call: Call) -> Answer:
        self._parts.signin.note_address(call)
        self._parts.signin.same_site(call.request)
        whose = await self._parts.signin.out(call.request, everywhere=call.query.everywhere)
        call.note(
            actor=whose or "",
            target=f"user {whose}" if whose else "nobody",
            message="everywhere" if call.query.everywhere else "",
        )
        return Answer(body=SignedOut(provider_url=LOGOUT if self._parts.clients.providers.found else ""))
