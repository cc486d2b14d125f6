"""Changes of local users: a new password, a token given out or taken back, everybody's sessions ended. Written to `argocd-secret`.

Rights beyond one's own account are the operation's to ask for; what Argo CD asks besides (the caller's own password) is asked here.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.api.caller import Caller, Via
from trueup.server.api.refusals import BadQuery, Conflict, Forbidden, Impossible, NotFound
from trueup.server.identity import localtokens
from trueup.server.identity.accounts import (
    ADMIN,
    Account,
    Capability,
    Token,
    accounts_of,
    with_password,
    with_tokens,
    without_credentials,
)
from trueup.server.identity.localtokens import Claims
from trueup.server.identity.logins import Logins
from trueup.server.identity.passwords import LONGEST, Passwords
from trueup.server.identity.revocation import Revocations
from trueup.server.identity.settings import Live, check_password
from trueup.server.identity.store import SECRETS, SETTINGS, Data, Form, Store

FRESH_LOGIN = timedelta(minutes=5)
"""Somebody from a provider has no password to confirm with; then their login must be so young, as in Argo CD."""
MOST_TOKENS = 10_000
TOKEN_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")


class Made(Struct, frozen=True, kw_only=True):
    """A token as it is given out, once; only its row is kept."""

    token: str
    row: Token

    def __repr__(self) -> str:
        return f"Made({self.row!r})"


class AccountKeeping:
    def __init__(
        self,
        store: Store,
        settings: Live,
        logins: Logins,
        passwords: Passwords,
        revocations: Revocations,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._settings = settings
        self._logins = logins
        self._passwords = passwords
        self._revocations = revocations
        self._clock = clock

    def get(self, name: str) -> Account:
        """Raises NotFound."""
        found = self._settings().accounts.get(name)
        if found is None:
            raise NotFound(f"there is no user {name[:60]!r}", hint="users are in argocd-cm, as accounts.NAME")
        return found

    def all(self) -> list[Account]:
        return sorted(self._settings().accounts.values(), key=lambda account: account.name)

    async def set_password(self, caller: Caller, name: str, current: str, new: str, *, login_began: int | None) -> None:
        """`login_began`: when the caller signed in at a provider. Raises what says why not; the passwords are in none of it."""
        account = self.get(name)
        await self._confirm(caller, current, login_began)
        check_password(self._settings().password_pattern, new)
        if len(new.encode()) > LONGEST:
            raise InvalidInput(
                f"is longer than {LONGEST} bytes, which bcrypt does not look beyond",
                field="newPassword",
                hint="choose a shorter one",
            )
        hashed = await self._passwords.hash(new)
        now = self._clock()
        await self._store.write(Form.SECRET, SECRETS, lambda data: with_password(data, account.name, hashed, now))

    async def _confirm(self, caller: Caller, current: str, login_began: int | None) -> None:
        """A stolen session alone must not change a password."""
        if caller.issuer == localtokens.ISSUER:
            if caller.via is Via.PROJECT_TOKEN:
                raise Forbidden("a project's token changes no passwords")
            if not await self._logins.confirm(caller.person.name, current, caller.address):
                raise BadQuery("current password does not match", field="currentPassword")
        elif login_began is None or self._clock().timestamp() - login_began > FRESH_LOGIN.total_seconds():
            raise Forbidden("your login is too old for this", hint="sign in again, and then at once")

    async def create_token(self, name: str, token_id: str, lasts: int) -> Made:
        """`lasts` in seconds, 0: for ever; an empty id: a random one."""
        token_id = token_id or secrets.token_urlsafe(18)
        if not TOKEN_ID.fullmatch(token_id):
            raise BadQuery(f"{token_id[:60]!r} is no id", field="id", hint="use letters, digits and . _ : @ -")
        if not 0 <= lasts <= 100 * 365 * 86400:
            raise BadQuery("is no number of seconds", field="expiresIn", hint="0 means that it does not expire")
        self.get(name)
        issued = localtokens.seconds_of(self._clock())
        row = Token(id=token_id, issued=issued, expires=issued + lasts if lasts else 0)

        def change(data: Data) -> Data:
            account = self._newest(name, data)
            if not account.can(Capability.API_KEY):
                raise Impossible(
                    f"account '{name}' does not have apiKey capability", hint=f"set accounts.{name}: apiKey"
                )
            if token_id in account.tokens:
                raise Conflict(f"account already has token with id '{token_id}'", hint="delete it, or take another id")
            live = [one for one in account.tokens.values() if not one.expires or one.expires > issued]
            if len(live) >= MOST_TOKENS:
                raise Impossible(f"{name} has {MOST_TOKENS} tokens", hint="delete those that are not used")
            return with_tokens(data, name, [*live, row])

        await self._store.write(Form.SECRET, SECRETS, change)
        claims = Claims(
            subject=f"{name}:{Capability.API_KEY}", token_id=token_id, issued=row.issued, expires=row.expires
        )
        return Made(token=localtokens.issue(self._settings().keys, claims), row=row)

    async def delete_token(self, name: str, token_id: str) -> None:
        self.get(name)

        def change(data: Data) -> Data:
            tokens = dict(self._newest(name, data).tokens)
            if tokens.pop(token_id, None) is None:
                raise NotFound(f"token with id '{token_id[:128]}' does not exist", hint="look at the account's tokens")
            return with_tokens(data, name, tokens.values())

        await self._store.write(Form.SECRET, SECRETS, change)

    async def forget(self, name: str) -> None:
        """Password, tokens and sessions go, also those that a user left who is in the settings no more: they would be its namesake's."""
        if name == ADMIN:
            raise Impossible("admin keeps its password", hint='to keep it out, set admin.enabled: "false"')
        found: list[str] = []

        def change(data: Data) -> Data | None:
            after = without_credentials(data, name)
            found[:] = sorted(data.keys() - after.keys())
            return after if found else None

        await self._store.write(Form.SECRET, SECRETS, change)
        if name in self._settings().accounts:
            await self.end_sessions(name)
        elif not found:
            raise NotFound(f"there is no user {name[:60]!r}, and nothing left of one")

    async def end_sessions(self, name: str) -> None:
        """Wherever the user is signed in, they are so no more. Tokens for the API stay."""
        self.get(name)
        longest = int(self._settings().session.total_seconds())
        await self._revocations.revoke_all(f"{name}:{Capability.LOGIN}", self._clock(), longest)

    def _newest(self, name: str, secrets_now: Data) -> Account:
        """The account with the tokens that the API server has now; whether it may have any is in the settings."""
        found = accounts_of(self._store.read(Form.CONFIG_MAP, SETTINGS), secrets_now).get(name)
        if found is None:
            raise NotFound(f"there is no user {name[:60]!r}")
        return found
