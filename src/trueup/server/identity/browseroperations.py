"""What a browser is sent to for single sign-on, at Argo CD's paths: `/auth/login`, `/auth/callback`, `/auth/logout`.

A login that fails ends at the login page, which says why by the reason alone: no text of a provider or of a link is shown there.
"""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from msgspec import Struct

from trueup.model.errors import TrueupError
from trueup.server.api.call import Call
from trueup.server.api.operation import PUBLIC, Answer, Operation, Surface
from trueup.server.identity.crosssite import CrossSite
from trueup.server.identity.handover import read_handover
from trueup.server.identity.returning import HOME, below
from trueup.server.identity.signin import CALLBACK, LOGIN_PAGE, LOGOUT, SignIn

log = structlog.get_logger(__name__)

LOGIN = "/auth/login"


class LoginQuery(Struct, frozen=True, kw_only=True):
    """`return_url` as Argo CD calls it; the others are a command line's (`handover`)."""

    provider: str = ""
    return_url: str = ""
    cli_port: int = 0
    cli_challenge: str = ""
    cli_state: str = ""


def browser_operations(signin: SignIn) -> list[Operation]:
    pages = _Pages(signin)
    return [
        Operation(
            id="browser.login",
            method="GET",
            path=LOGIN,
            summary="Begin single sign-on",
            access=PUBLIC,
            handler=pages.login,
            query=LoginQuery,
            surface=Surface.BROWSER,
        ),
        Operation(
            id="browser.callback",
            method="GET",
            path=CALLBACK,
            summary="The provider's answer",
            access=PUBLIC,
            handler=pages.callback,
            reads=False,
            surface=Surface.BROWSER,
        ),
        Operation(
            id="browser.logout",
            method="GET",
            path=LOGOUT,
            summary="Sign out, at the provider too",
            access=PUBLIC,
            handler=pages.logout,
            reads=False,
            surface=Surface.BROWSER,
        ),
    ]


class _Pages:
    def __init__(self, signin: SignIn) -> None:
        self._signin = signin

    async def login(self, call: Call) -> Answer:
        try:
            asked = call.query
            handover = read_handover(asked.cli_port, asked.cli_challenge, asked.cli_state)
            return _to(await self._signin.to_provider(call.request, asked.provider, asked.return_url, handover))
        except TrueupError as error:
            return self._failed(call, error)

    async def callback(self, call: Call) -> Answer:
        self._signin.note_address(call)
        try:
            session, place = await self._signin.from_provider(call.request, dict(call.request.query))
            call.note(actor=session.subject, target=f"user {session.subject}", message=f"by {session.provider}")
            return self._ours(call, place)
        except TrueupError as error:
            return self._failed(call, error)

    async def logout(self, call: Call) -> Answer:
        """Not for another site: a link or an image there must sign nobody out."""
        self._signin.note_address(call)
        if call.request.headers.get("Sec-Fetch-Site", "none").lower() not in ("same-origin", "none"):
            call.note_refused(CrossSite("another site's page asked for it"))
            return self._ours(call, HOME)
        whose = await self._signin.out(call.request)
        call.note(actor=whose or "", target=f"user {whose}" if whose else "nobody")
        away = await self._signin.out_of_provider(call.request)
        return _to(away) if away else self._ours(call, LOGIN_PAGE)

    def _failed(self, call: Call, error: TrueupError) -> Answer:
        call.note_refused(error)
        log.warning("single sign-on did not succeed", reason=error.reason, problem=str(error))
        return self._ours(call, f"{LOGIN_PAGE}?{urlencode({'error': error.reason})}")

    def _ours(self, call: Call, place: str) -> Answer:
        return _to(below(place, self._signin.reach(call.request).root))


def _to(place: str) -> Answer:
    return Answer(status=303, headers={"Location": place, "Cache-Control": "no-store"})
