"""What a cloud gives: keys or a token, for a while. Pure; printed masked."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class AwsKeys(Struct, frozen=True, kw_only=True):
    """`expires` in seconds since the epoch; 0: not said."""

    access_key: str
    secret_key: str
    session_token: str = ""
    expires: float = 0.0

    def __repr__(self) -> str:
        return "AwsKeys(***)"


class AccessToken(Struct, frozen=True, kw_only=True):
    """A bearer token, as OAuth 2.0 has it."""

    token: str
    expires: float = 0.0

    def __repr__(self) -> str:
        return "AccessToken(***)"


class GitLogin(Struct, frozen=True, kw_only=True):
    """What Git shows a server: a name and a password, or a bearer token."""

    username: str = ""
    password: str = ""
    bearer_token: str = ""

    def __repr__(self) -> str:
        return "GitLogin(***)"


class FixedToken:
    """A token that is there already, as Azure's clients take it."""

    def __init__(self, given: AccessToken) -> None:
        self._given = given

    def get_token(self, *scopes: str, **_: Any) -> Any:  # noqa: ARG002
        from azure.core.credentials import AccessToken as Theirs

        return Theirs(self._given.token, int(self._given.expires))


Given = AwsKeys | AccessToken
