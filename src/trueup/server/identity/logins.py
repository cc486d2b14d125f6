"""A name and a password become an account, or always the same refusal. The shell around `passwords` and `logintries`."""

from __future__ import annotations

from collections.abc import Callable

from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.accounts import LONGEST_NAME, Account, Capability
from trueup.server.identity.logintries import Tries
from trueup.server.identity.masked import NOTHING
from trueup.server.identity.passwords import Passwords
from trueup.server.identity.settings import Settings


class Logins:
    def __init__(self, settings: Callable[[], Settings], passwords: Passwords, tries: Tries) -> None:
        self._settings = settings
        self._passwords = passwords
        self._tries = tries

    async def check(self, name: str, password: str, address: str) -> Account:
        """The account, when it may sign in with this password. Raises Unauthenticated or TooMany.

        Whether the name is there, is enabled and may sign in makes no difference in words, and none in work.
        """
        if not password:
            raise Unauthenticated("Blank passwords are not allowed")
        if len(name.encode()) > LONGEST_NAME:
            raise Unauthenticated(f"Username is too long ({LONGEST_NAME} bytes max)")
        self._tries.begin(name, address)
        account = self._settings().accounts.get(name)
        usable = account is not None and account.enabled and account.can(Capability.LOGIN)
        good = await self._passwords.matches(password, account.password if account is not None and usable else NOTHING)
        if not good or account is None:
            raise Unauthenticated(
                "Invalid username or password", hint="local users are in argocd-cm; see docs/how-to/login.md"
            )
        self._tries.succeeded(name, address)
        return account

    async def confirm(self, name: str, password: str, address: str) -> bool:
        """Whether it is this person's password: asked before a change that a stolen session must not make."""
        try:
            await self.check(name, password, address)
        except Unauthenticated:
            return False
        return True
