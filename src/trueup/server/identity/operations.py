"""Signing in and out, who one is, local users and their tokens, in our own API. Argo CD's manners are in `argooperations`."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, field

from trueup.server.api.call import Call
from trueup.server.api.caller import Via
from trueup.server.api.operation import PUBLIC, SIGNED_IN, Answer, Listed, Operation, Target
from trueup.server.api.paging import ListQuery, page
from trueup.server.identity import localtokens
from trueup.server.identity.accountkeeping import AccountKeeping
from trueup.server.identity.accounts import Account, Capability, Token
from trueup.server.identity.authenticator import SESSION
from trueup.server.identity.projecttokens import ProjectTokenKeeping
from trueup.server.identity.sessions import Login
from trueup.server.identity.settings import Live
from trueup.server.identity.signin import LOGOUT, SignIn
from trueup.server.identity.sso.clients import Clients

BASE = "/api/trueup/v1"
SMALL = 16 * 1024
"""Bytes of a body that holds names and passwords."""


class Parts(Struct, frozen=True, kw_only=True):
    """What the operations of identity stand on."""

    settings: Live
    signin: SignIn
    keeping: AccountKeeping
    projects: ProjectTokenKeeping
    clients: Clients


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


class TokenRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    issued: datetime
    expires: datetime | None = None


class AccountView(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    enabled: bool
    capabilities: tuple[str, ...]
    has_password: bool
    tokens: tuple[TokenRow, ...] = ()


class AccountList(Struct, frozen=True, kw_only=True):
    """`total`: all that fit. `next` empty: this was the last page."""

    items: tuple[AccountView, ...]
    total: int
    next: str


class NewPassword(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`current_password` is the caller's own, also where the password is another's."""

    new_password: str
    current_password: str = ""

    def __repr__(self) -> str:
        return "NewPassword(***)"


class NewToken(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`expires_in` in seconds; 0: it does not end by itself."""

    id: str = ""
    expires_in: int = 0


class GivenToken(Struct, frozen=True, kw_only=True):
    """The token is shown this once, and kept nowhere."""

    token: str
    row: TokenRow

    def __repr__(self) -> str:
        return f"GivenToken({self.row.id!r})"


def operations(parts: Parts) -> list[Operation]:
    session, accounts = _Session(parts), _Accounts(parts)
    one = BASE + "/accounts/{name}"
    role = BASE + "/projects/{project}/roles/{role}/tokens"
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
        Operation(
            id="accounts.list",
            method="GET",
            path=BASE + "/accounts",
            summary="Local users, with their API tokens",
            access=Listed("accounts"),
            query=ListQuery,
            handler=accounts.listed,
            answer=AccountList,
        ),
        Operation(
            id="accounts.get",
            method="GET",
            path=one,
            summary="One local user",
            access=SIGNED_IN,
            handler=accounts.get,
            answer=AccountView,
        ),
        Operation(
            id="accounts.password",
            method="PUT",
            path=one + "/password",
            summary="Give a local user a new password; every session and token from before it ends",
            access=SIGNED_IN,
            handler=accounts.password,
            body=NewPassword,
            body_limit=SMALL,
            status=204,
        ),
        Operation(
            id="accounts.create-token",
            method="POST",
            path=one + "/tokens",
            summary="Give out an API token",
            access=SIGNED_IN,
            handler=accounts.create_token,
            body=NewToken,
            body_limit=SMALL,
            answer=GivenToken,
            status=201,
            secret_answer=True,
        ),
        Operation(
            id="accounts.delete-token",
            method="DELETE",
            path=one + "/tokens/{id}",
            summary="Take an API token back",
            access=SIGNED_IN,
            handler=accounts.delete_token,
            status=204,
        ),
        Operation(
            id="accounts.end-sessions",
            method="DELETE",
            path=one + "/sessions",
            summary="Sign a local user out everywhere",
            access=SIGNED_IN,
            handler=accounts.end_sessions,
            status=204,
        ),
        Operation(
            id="accounts.forget",
            method="DELETE",
            path=one + "/credentials",
            summary="Take a local user's password, API tokens and sessions away, as before the user is removed",
            access=SIGNED_IN,
            handler=accounts.forget,
            status=204,
        ),
        Operation(
            id="projects.create-token",
            method="POST",
            path=role,
            summary="Give out a token of a project's role",
            access=SIGNED_IN,
            handler=accounts.create_project_token,
            body=NewToken,
            body_limit=SMALL,
            answer=GivenToken,
            status=201,
            secret_answer=True,
        ),
        Operation(
            id="projects.delete-token",
            method="DELETE",
            path=role + "/{id}",
            summary="Take a token of a project's role back",
            access=SIGNED_IN,
            handler=accounts.delete_project_token,
            status=204,
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


class _Accounts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def listed(self, call: Call) -> Answer:
        await call.prepare()
        shown = call.predicate("accounts")
        found = [one for one in self._parts.keeping.all() if is_own(call, one.name) or shown(Target(one.name))]
        cut = page([view_of(one) for one in found], call.query, lambda one: one.name)
        return Answer(body=AccountList(items=cut.items, total=cut.total, next=cut.next))

    async def get(self, call: Call) -> Answer:
        await may(call, "get")
        return Answer(body=view_of(self._parts.keeping.get(call.path["name"])))

    async def password(self, call: Call) -> Answer:
        await may(call, "update")
        await set_password(self._parts, call, call.path["name"], call.body.current_password, call.body.new_password)
        return Answer(status=204)

    async def create_token(self, call: Call) -> Answer:
        await may(call, "update")
        made = await self._parts.keeping.create_token(call.path["name"], call.body.id, call.body.expires_in)
        call.note(after=f'{{"token": "{made.row.id}"}}')
        return Answer(body=GivenToken(token=made.token, row=row_of(made.row)), status=201)

    async def delete_token(self, call: Call) -> Answer:
        await may(call, "update")
        call.note(before=f'{{"token": "{call.path["id"][:128]}"}}')
        await self._parts.keeping.delete_token(call.path["name"], call.path["id"])
        return Answer(status=204)

    async def end_sessions(self, call: Call) -> Answer:
        await may(call, "update")
        await self._parts.keeping.end_sessions(call.path["name"])
        return Answer(status=204)

    async def forget(self, call: Call) -> Answer:
        """By the right alone: a stolen session is not enough to shut its owner out."""
        call.note(target=f"user {call.path['name'][:64]}")
        await call.require("accounts", "update", Target(call.path["name"]))
        await self._parts.keeping.forget(call.path["name"])
        return Answer(status=204)

    async def create_project_token(self, call: Call) -> Answer:
        project, role = await may_project(call)
        made = await self._parts.projects.create(project, role, call.body.id, call.body.expires_in)
        call.note(after=f'{{"token": "{made.row.id}"}}')
        return Answer(body=GivenToken(token=made.token, row=row_of(made.row)), status=201)

    async def delete_project_token(self, call: Call) -> Answer:
        project, role = await may_project(call)
        call.note(before=f'{{"token": "{call.path["id"][:128]}"}}')
        await self._parts.projects.delete(project, role, token_id=call.path["id"], issued=0)
        return Answer(status=204)


def is_own(call: Call, name: str) -> bool:
    """One's own account is one's own to see and keep, as in Argo CD; a provider's person of the same name is another."""
    own = call.caller.issuer == localtokens.ISSUER and call.caller.via in (Via.SESSION, Via.TOKEN)
    return own and call.caller.person.name == name


async def may(call: Call, action: str) -> None:
    """Raises Forbidden, or NotFound for somebody whom the caller may not even see."""
    name = call.path.get("name") or ""
    call.note(target=f"user {name[:64]}")
    if not is_own(call, name):
        await call.require("accounts", action, Target(name))


async def may_project(call: Call) -> tuple[str, str]:
    project, role = call.path["project"], call.path["role"]
    call.note(target=f"role {role[:64]}", project=project)
    await call.require("projects", "update", Target(project))
    return project, role


async def set_password(parts: Parts, call: Call, name: str, current: str, new: str) -> None:
    session = call.request.get(SESSION)
    began = session.began if session is not None and session.login is Login.SSO else None
    await parts.keeping.set_password(call.caller, name, current, new, login_began=began)


def view_of(account: Account) -> AccountView:
    return AccountView(
        name=account.name,
        enabled=account.enabled,
        capabilities=tuple(sorted(account.capabilities)),
        has_password=bool(account.password),
        tokens=tuple(row_of(one) for one in sorted(account.tokens.values(), key=lambda one: -one.issued)),
    )


def row_of(token: Token) -> TokenRow:
    return TokenRow(
        id=token.id,
        issued=datetime.fromtimestamp(token.issued, UTC),
        expires=datetime.fromtimestamp(token.expires, UTC) if token.expires else None,
    )
