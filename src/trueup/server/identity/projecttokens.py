"""Tokens of projects' roles, where Argo CD keeps them: `spec.roles[].jwtTokens` and `status.jwtTokensByRole` of the AppProject.

One that stands in either holds: whoever keeps projects in Git has no tokens in `spec`. One that is deleted goes from both.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from trueup.model.manifest import Manifest
from trueup.server.access.projects import role_subject
from trueup.server.api.refusals import BadQuery, Conflict, NotFound
from trueup.server.identity import localtokens
from trueup.server.identity.accountkeeping import TOKEN_ID, Made
from trueup.server.identity.accounts import Token
from trueup.server.identity.localtokens import Claims, ProjectTokens
from trueup.server.identity.settings import Live

Patch = dict[str, Any]


class ProjectStore(Protocol):
    """AppProjects of the control namespace."""

    def read(self, name: str) -> Manifest | None:
        """As last seen."""
        ...

    async def change(self, name: str, patch: Callable[[Manifest], Patch]) -> None:
        """Merges what `patch` makes of the newest, if nobody was faster. Raises NotFound."""
        ...


class ProjectTokenKeeping:
    def __init__(self, store: ProjectStore, settings: Live, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def roles(self, project: str, role: str) -> ProjectTokens | None:
        """A `localtokens.Roles`."""
        found = self._store.read(project)
        if found is None or _role(found, role) is None:
            return None
        return ProjectTokens(frozenset((token.id, token.issued) for token in tokens_of(found, role)))

    async def create(self, project: str, role: str, token_id: str, lasts: int) -> Made:
        """`lasts` in seconds, 0: for ever."""
        token_id = token_id or secrets.token_urlsafe(18)
        if not TOKEN_ID.fullmatch(token_id):
            raise BadQuery(f"{token_id[:60]!r} is no id", field="id", hint="use letters, digits and . _ : @ -")
        if not 0 <= lasts <= 100 * 365 * 86400:
            raise BadQuery("is no number of seconds", field="expiresIn", hint="0 means that it does not expire")
        issued = localtokens.seconds_of(self._clock())
        row = Token(id=token_id, issued=issued, expires=issued + lasts if lasts else 0)

        def patch(live: Manifest) -> Patch:
            tokens = _wanted(live, project, role)
            if any(token.id == token_id for token in tokens):
                raise Conflict(f"role {role} has a token {token_id!r} already", hint="delete it, or take another id")
            return patch_of(live, role, [*tokens, row])

        await self._store.change(project, patch)
        claims = Claims(subject=role_subject(project, role), token_id=token_id, issued=row.issued, expires=row.expires)
        return Made(token=localtokens.issue(self._settings().keys, claims), row=row)

    async def delete(self, project: str, role: str, *, token_id: str, issued: int) -> None:
        """By its id, or by when it was given out where it has none (or none is said)."""

        def patch(live: Manifest) -> Patch:
            tokens = _wanted(live, project, role)
            left = [token for token in tokens if not _is(token, token_id, issued)]
            if len(left) == len(tokens):
                raise NotFound(f"role {role} of project {project} has no such token", hint="look at the project")
            return patch_of(live, role, left)

        await self._store.change(project, patch)


def tokens_of(project: Manifest, role: str) -> list[Token]:
    """Of both places, each once."""
    spec = _role(project, role) or {}
    by_role = (project.get("status") or {}).get("jwtTokensByRole") or {}
    rows = [*(spec.get("jwtTokens") or []), *((by_role.get(role) or {}).get("items") or [])]
    found = [
        Token(id=str(row.get("id") or ""), issued=int(row.get("iat") or 0), expires=int(row.get("exp") or 0))
        for row in rows
    ]
    return list({(token.id, token.issued): token for token in found}.values())


def patch_of(project: Manifest, role: str, tokens: list[Token]) -> Patch:
    """Both places, and nothing else. A list is merged as a whole, so all roles are in it."""
    rows = [{"iat": one.issued, **({"exp": one.expires} if one.expires else {}), "id": one.id} for one in tokens]
    roles = [
        {**one, "jwtTokens": rows} if one.get("name") == role else one
        for one in (project.get("spec") or {}).get("roles") or []
    ]
    return {"spec": {"roles": roles}, "status": {"jwtTokensByRole": {role: {"items": rows}}}}


def _wanted(project: Manifest, name: str, role: str) -> list[Token]:
    if _role(project, role) is None:
        raise NotFound(f"project {name} has no role {role[:60]!r}", hint="roles are in spec.roles of the AppProject")
    return tokens_of(project, role)


def _role(project: Manifest, role: str) -> Mapping[str, Any] | None:
    roles = (project.get("spec") or {}).get("roles") or []
    return next((one for one in roles if one.get("name") == role), None)


def _is(token: Token, token_id: str, issued: int) -> bool:
    return token.id == token_id if token_id else token.issued == issued
