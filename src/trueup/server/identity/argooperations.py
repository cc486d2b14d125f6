"""The same at Argo CD's paths, in its shapes: `/api/v1/session`, `/api/v1/account`, tokens of projects' roles."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.caller import Via
from trueup.server.api.operation import PUBLIC, SIGNED_IN, Access, Answer, Operation, Surface, Target
from trueup.server.api.refusals import BadQuery, Unauthenticated
from trueup.server.identity.accounts import Account
from trueup.server.identity.authenticator import IdentityAuthenticator
from trueup.server.identity.parts import SMALL, Parts, is_own, may, may_project, set_password

RESOURCES = frozenset(
    {"clusters", "projects", "applications", "applicationsets", "repositories", "write-repositories", "certificates"}
    | {"accounts", "gpgkeys", "logs", "exec", "extensions"}
)
ANY_JSON = ("application/json", "application/x-www-form-urlencoded", "text/plain")
"""Argo CD reads JSON whatever the header says; what a page of another site can send is refused before (`crosssite`)."""


class SessionRequest(Struct, frozen=True, kw_only=True):
    username: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"SessionRequest({self.username[:40]!r})"


class TokenRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """The path says `name`, `project` and `role`; what the body says of them is passed over."""

    id: str = ""
    expires_in: int | str = 0
    description: str = ""


class PasswordRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """`name` empty: the caller's own."""

    name: str = ""
    new_password: str = ""
    current_password: str = ""

    def __repr__(self) -> str:
        return f"PasswordRequest({self.name[:40]!r})"


class DeleteProjectTokenQuery(Struct, frozen=True, kw_only=True):
    id: str = ""


def argo_operations(parts: Parts, authenticator: IdentityAuthenticator) -> list[Operation]:
    handlers = _Handlers(parts, authenticator)
    role = "/api/v1/projects/{project}/roles/{role}/token"

    def at(name: str, method: str, path: str, summary: str, access: Access, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.{name}",
            method=method,
            path=path,
            summary=summary,
            access=access,
            handler=handler,
            surface=Surface.ARGOCD,
            body_limit=SMALL,
            body_media_types=ANY_JSON if "body" in more else ("application/json",),
            **more,
        )

    return [
        at("session-create", "POST", "/api/v1/session", "Sign in", PUBLIC, handlers.begin, body=SessionRequest),
        at("session-delete", "DELETE", "/api/v1/session", "Sign out", PUBLIC, handlers.end),
        at("userinfo", "GET", "/api/v1/session/userinfo", "Who the caller is", PUBLIC, handlers.userinfo),
        at("accounts-list", "GET", "/api/v1/account", "Local users", SIGNED_IN, handlers.listed),
        at(
            "can-i",
            "GET",
            "/api/v1/account/can-i/{resource}/{action}/{subresource:.*}",
            "Whether the caller may",
            SIGNED_IN,
            handlers.can_i,
        ),
        at("accounts-get", "GET", "/api/v1/account/{name}", "One local user", SIGNED_IN, handlers.get),
        at(
            "password",
            "PUT",
            "/api/v1/account/password",
            "Set a password",
            SIGNED_IN,
            handlers.password,
            body=PasswordRequest,
        ),
        at(
            "account-token-create",
            "POST",
            "/api/v1/account/{name}/token",
            "Give out a token",
            SIGNED_IN,
            handlers.create_token,
            body=TokenRequest,
            body_optional=True,
            secret_answer=True,
        ),
        at(
            "account-token-delete",
            "DELETE",
            "/api/v1/account/{name}/token/{id}",
            "Take a token back",
            SIGNED_IN,
            handlers.delete_token,
        ),
        at(
            "project-token-create",
            "POST",
            role,
            "Give out a role's token",
            SIGNED_IN,
            handlers.create_project_token,
            body=TokenRequest,
            body_optional=True,
            secret_answer=True,
        ),
        at(
            "project-token-delete",
            "DELETE",
            role + "/{iat}",
            "Take a role's token back",
            SIGNED_IN,
            handlers.delete_project_token,
            query=DeleteProjectTokenQuery,
        ),
    ]


class _Handlers:
    def __init__(self, parts: Parts, authenticator: IdentityAuthenticator) -> None:
        self._parts = parts
        self._authenticator = authenticator

    async def begin(self, call: Call) -> Answer:
        """A `token` in the body is only passed through, as Argo CD does for its own pages: it is proved at its next use, so not here."""
        self._parts.signin.note_address(call)
        call.note(target=f"user {call.body.username[:64]}")
        if call.body.token:
            raise BadQuery("is not exchanged here", field="token", hint="send it as Authorization: Bearer TOKEN")
        if not call.body.username and not call.body.password:
            raise Unauthenticated("no credentials supplied")
        token = await self._parts.signin.token_by_password(call.request, call.body.username, call.body.password)
        call.note(actor=call.body.username)
        return Answer(body={"token": token})

    async def end(self, call: Call) -> Answer:
        self._parts.signin.note_address(call)
        self._parts.signin.same_site(call.request)
        whose = await self._parts.signin.out(call.request)
        call.note(actor=whose or "", target=f"user {whose}" if whose else "nobody")
        return Answer(body={})

    async def userinfo(self, call: Call) -> Answer:
        """Argo CD answers everybody; of who is not signed in that they are not."""
        try:
            caller = await self._authenticator.authenticate(call.request)
        except Unauthenticated:
            return Answer(body={})
        if caller.is_anonymous:
            return Answer(body={})
        said = {"loggedIn": True, "username": caller.shown, "iss": caller.issuer, "groups": list(caller.person.groups)}
        return Answer(body={key: value for key, value in said.items() if value})

    async def listed(self, call: Call) -> Answer:
        await call.prepare()
        shown = call.predicate("accounts")
        found = [one for one in self._parts.keeping.all() if is_own(call, one.name) or shown(Target(one.name))]
        return Answer(body={"items": [_account(one) for one in found]})

    async def get(self, call: Call) -> Answer:
        await may(call, "get")
        return Answer(body=_account(self._parts.keeping.get(call.path["name"])))

    async def can_i(self, call: Call) -> Answer:
        resource, action = call.path["resource"], call.path["action"]
        if resource not in RESOURCES:
            raise BadQuery(f"{sorted(RESOURCES)} does not contain {resource[:60]}", field="resource")
        allowed = await call.may(resource, action, Target(call.path["subresource"]))
        return Answer(body={"value": "yes" if allowed else "no"})

    async def password(self, call: Call) -> Answer:
        name = call.body.name or call.caller.person.name
        call.note(target=f"user {name[:64]}")
        if call.caller.via is Via.PROJECT_TOKEN and not call.body.name:
            raise BadQuery(f"password can only be changed for local users, not user {name!r}", field="name")
        if not is_own(call, name):
            await call.require("accounts", "update", Target(name))
        await set_password(self._parts, call, name, call.body.current_password, call.body.new_password)
        return Answer(body={})

    async def create_token(self, call: Call) -> Answer:
        await may(call, "update")
        lasts = _seconds(call.body.expires_in)
        made = await self._parts.keeping.create_token(call.path["name"], call.body.id, lasts)
        call.note(after=f'{{"token": "{made.row.id}"}}')
        return Answer(body={"token": made.token})

    async def delete_token(self, call: Call) -> Answer:
        await may(call, "update")
        await self._parts.keeping.delete_token(call.path["name"], call.path["id"])
        return Answer(body={})

    async def create_project_token(self, call: Call) -> Answer:
        project, role = await may_project(call)
        made = await self._parts.projects.create(project, role, call.body.id, _seconds(call.body.expires_in))
        call.note(message=call.body.description[:500], after=f'{{"token": "{made.row.id}"}}')
        return Answer(body={"token": made.token})

    async def delete_project_token(self, call: Call) -> Answer:
        project, role = await may_project(call)
        issued = call.path["iat"]
        if not issued.isdecimal() or len(issued) > 15:
            raise BadQuery(f"{issued[:40]!r} is no time", field="iat", hint="write Unix seconds, or 0 with ?id=")
        await self._parts.projects.delete(project, role, token_id=call.query.id, issued=int(issued))
        return Answer(body={})


def _account(account: Account) -> dict[str, Any]:
    """Argo CD's shape; what is empty or zero is left out, as its Go types do."""
    tokens = [
        {"id": one.id, "issuedAt": one.issued, **({"expiresAt": one.expires} if one.expires else {})}
        for one in sorted(account.tokens.values(), key=lambda one: -one.issued)
    ]
    said = {
        "name": account.name,
        "enabled": account.enabled,
        "capabilities": sorted(account.capabilities),
        "tokens": tokens,
    }
    return {key: value for key, value in said.items() if value}


def _seconds(given: int | str) -> int:
    """A number, or one in a text, as JSON of protobuf has 64-bit numbers."""
    text = str(given).strip() or "0"
    if not text.isdecimal() or len(text) > 15:
        raise BadQuery(
            f"{text[:40]!r} is no number of seconds", field="expiresIn", hint="0 means that it does not expire"
        )
    return int(text)
