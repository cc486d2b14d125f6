"""A browser's session: who signed in, by what, since when. Sealed into a cookie, so that restarts and replicas do not matter. Pure.

It ends when it was not used for a while, and at its end whatever happens; a logout puts its id on the list of what is revoked.
A login always makes a new one, with a new id, whatever the browser sent along: there is nothing to fixate.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.accounts import Account, Capability
from trueup.server.identity.revocation import Revoked
from trueup.server.identity.sealing import open_sealed, seal
from trueup.server.identity.settings import Keys

PURPOSE = "session"
IDLE = timedelta(hours=8)
"""Without a call for so long, it is over; never longer than `users.session.duration`."""
RENEW = timedelta(minutes=5)
"""How old the note of the last use may be before a new one is written into the cookie."""
SKEW = 30


class Login(StrEnum):
    PASSWORD = "password"  # noqa: S105 not a secret
    SSO = "sso"


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`subject` is what policies speak of. Times are Unix seconds: `began`, last `used`, `ends`.

    Of single sign-on: `issuer`, its own `provider_subject`, the `refresh_token`, and `fresh_until` when groups are asked for anew.
    """

    session_id: str
    subject: str
    login: Login
    began: int
    used: int
    ends: int
    name: str = ""
    groups: tuple[str, ...] = ()
    provider: str = ""
    issuer: str = ""
    provider_subject: str = ""
    email: str = ""
    refresh_token: str = ""
    fresh_until: int = 0

    def __repr__(self) -> str:
        return f"Session({self.subject!r} by {self.login} until {self.ends})"


def begin(
    subject: str,
    login: Login,
    now: datetime,
    lasting: timedelta,
    *,
    name: str = "",
    groups: Sequence[str] = (),
) -> Session:
    moment = int(now.timestamp())
    return Session(
        session_id=secrets.token_urlsafe(24),
        subject=subject,
        login=login,
        began=moment,
        used=moment,
        ends=moment + int(lasting.total_seconds()),
        name=name,
        groups=tuple(groups),
    )


def sealed(keys: Keys, session: Session) -> str:
    return seal(keys, PURPOSE, session)


def opened(keys: Keys, text: str) -> Session:
    """Raises Unauthenticated. Whether it still holds is `check`'s to say."""
    return open_sealed(keys, PURPOSE, text, Session)


def check(session: Session, now: datetime, revoked: Revoked, accounts: Mapping[str, Account]) -> None:
    """Raises Unauthenticated when it is over."""
    moment = now.timestamp()
    if moment >= session.ends:
        raise over("it has lasted as long as a session may")
    if moment >= session.used + min(IDLE.total_seconds(), session.ends - session.began):
        raise over("it was not used for too long")
    if session.began > moment + SKEW:
        raise over("it begins in the future; look at the servers' clocks")
    if revoked.covers(session.session_id, revocation_subject(session), session.began):
        raise over("it was ended by a logout")
    if session.login is Login.PASSWORD:
        account = accounts.get(session.subject)
        if account is None or not account.enabled or not account.can(Capability.LOGIN):
            raise over("the user is disabled, may not sign in, or is no more")
        if account.password_changed is not None and session.began < int(account.password_changed.timestamp()):
            raise over("the password was changed")


def revocation_subject(session: Session) -> str:
    """Under what "everything of this person" is revoked; local users as their tokens say it, others by their provider's name for them."""
    if session.login is Login.PASSWORD:
        return f"{session.subject}:{Capability.LOGIN}"
    return f"{session.issuer}|{session.provider_subject}"


def renewed(session: Session, now: datetime) -> Session | None:
    """The session with its use noted, when that is worth a new cookie."""
    moment = int(now.timestamp())
    return structs.replace(session, used=moment) if moment - session.used >= RENEW.total_seconds() else None


def over(why: str) -> Unauthenticated:
    return Unauthenticated(f"the session is over: {why}", hint="sign in again")
