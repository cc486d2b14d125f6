"""Identity put together: one object that the server opens, with the authenticator and the operations in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from msgspec import Struct

from trueup.server.api.operation import Operation
from trueup.server.identity import accountoperations, beginning, sessionoperations
from trueup.server.identity import authenticator as authenticating
from trueup.server.identity.accountkeeping import AccountKeeping
from trueup.server.identity.argooperations import argo_operations
from trueup.server.identity.authenticator import IdentityAuthenticator
from trueup.server.identity.browseroperations import browser_operations
from trueup.server.identity.kubernetesnames import Names
from trueup.server.identity.logins import Logins
from trueup.server.identity.logintries import Tries
from trueup.server.identity.parts import Parts
from trueup.server.identity.passwords import Passwords
from trueup.server.identity.projecttokens import ProjectStore, ProjectTokenKeeping
from trueup.server.identity.reach import Reaching, believing, directly
from trueup.server.identity.revocation import Revocations
from trueup.server.identity.serviceaccounts import ServiceAccounts
from trueup.server.identity.settings import Live
from trueup.server.identity.signin import Desk, SignIn
from trueup.server.identity.sso.clients import Clients
from trueup.server.identity.sso.refreshing import Refresher
from trueup.server.identity.store import Store


class Surroundings(Struct, frozen=True, kw_only=True):
    """What identity needs of the server. `scopes`: the claims that hold groups, of argocd-rbac-cm. `home`: the embedded server's folder."""

    store: Store
    projects: ProjectStore
    scopes: Callable[[], Sequence[str]]
    clock: Callable[[], datetime]
    forward: Callable[[], float] = time.monotonic
    reaching: Reaching = directly
    service_accounts: ServiceAccounts | None = None
    home: Path | None = None
    names: Names = Names()


class IdentityService:
    """`async with IdentityService(surroundings) as identity:`; then `identity.add_to(app)` beside the API's own."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._passwords = Passwords()
        self.settings = settings = Live(around.store)
        reaching = believing(around.reaching, lambda: settings().urls)
        revocations = Revocations(around.store)
        projects = ProjectTokenKeeping(around.projects, settings, around.clock)
        logins = Logins(settings, self._passwords, Tries(around.forward))
        self.clients = Clients(settings, clock=around.clock, forward=around.forward, scopes=around.scopes)
        self.authenticator = IdentityAuthenticator(
            authenticating.Parts(
                settings=settings,
                revocations=revocations,
                roles=projects.roles,
                clients=self.clients,
                refresher=Refresher(self.clients, around.clock),
                clock=around.clock,
                service_accounts=around.service_accounts,
                reaching=reaching,
                names=around.names,
            )
        )
        self.signin = SignIn(
            Desk(
                settings=settings,
                logins=logins,
                clients=self.clients,
                revocations=revocations,
                authenticator=self.authenticator,
                clock=around.clock,
                reaching=reaching,
            )
        )
        keeping = AccountKeeping(around.store, settings, logins, self._passwords, revocations, around.clock)
        self._parts = Parts(
            settings=settings, signin=self.signin, keeping=keeping, projects=projects, clients=self.clients
        )

    async def __aenter__(self) -> Self:
        """Sees to the key and the first admin. Raises what the store raises."""
        await beginning.begin(self._around.store, self._passwords, self._around.clock, home=self._around.home)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._passwords.close()
        await self.clients.__aexit__(kind, error, trace)

    def operations(self) -> list[Operation]:
        return [
            *sessionoperations.operations(self._parts),
            *accountoperations.operations(self._parts),
            *argo_operations(self._parts, self.authenticator),
            *browser_operations(self.signin),
        ]

    def add_to(self, app: web.Application) -> None:
        """Cookies ride on answers; before the handler that adds headers."""
        app.on_response_prepare.insert(0, authenticating.send_cookies)
