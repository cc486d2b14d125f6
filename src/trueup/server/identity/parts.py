"""What the operations of identity stand on, and who may do what to a local user."""

from __future__ import annotations

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.caller import Via
from trueup.server.api.operation import Target
from trueup.server.identity import localtokens
from trueup.server.identity.accountkeeping import AccountKeeping
from trueup.server.identity.authenticator import SESSION
from trueup.server.identity.projecttokens import ProjectTokenKeeping
from trueup.server.identity.sessions import Login
from trueup.server.identity.settings import Live
from trueup.server.identity.signin import SignIn
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
