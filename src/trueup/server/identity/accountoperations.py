"""Local users, their passwords and tokens, and tokens of projects' roles, in our own API. Argo CD's manners are in `argooperations`."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.operation import SIGNED_IN, Answer, Listed, Operation, Target
from trueup.server.api.paging import ListQuery, page
from trueup.server.identity.accounts import Account, Token
from trueup.server.identity.parts import BASE, SMALL, Parts, is_own, may, may_project, set_password


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
    accounts = _Accounts(parts)
    one = BASE + "/accounts/{name}"
    role = BASE + "/projects/{project}/roles/{role}/tokens"
    return [
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
