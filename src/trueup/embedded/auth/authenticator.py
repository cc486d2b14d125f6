"""Who makes a request: by client certificate, static token or service account token; and whom it impersonates.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from trueup.embedded.auth.identity import ANONYMOUS, AUTHENTICATED, User, service_account
from trueup.embedded.auth.tokens import AUDIENCE, BadToken, Claims, Reference, Tokens
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store

ACCOUNTS = Resource("", "serviceaccounts")
_BOUND = {"pod": Resource("", "pods"), "secret": Resource("", "secrets"), "node": Resource("", "nodes")}


class Headers(Protocol):
    """A request's headers, repeated ones included."""

    def get(self, key: str, default: str = "") -> str: ...
    def getall(self, key: str, default: list[str]) -> list[str]: ...
    def items(self) -> Any: ...


class Unauthenticated(Exception):
    """Credentials were sent that are worth nothing. The message is for the log, never for the client."""


class Authenticator:
    """Turns certificates and headers into users."""

    def __init__(self, store: Store, tokens: Tokens, static: Mapping[str, User]) -> None:
        """`static`: users by their bearer token."""
        self._store = store
        self._tokens = tokens
        self._static = dict(static)

    def authenticate(self, certificate: Mapping[str, Any] | None, authorization: str) -> User:
        """`certificate`: the verified peer's, as the ssl module tells it. Raises Unauthenticated."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return self.of_token(token.strip())
        if certificate:
            return _of_certificate(certificate)
        return ANONYMOUS

    def of_token(self, token: str, audiences: tuple[str, ...] = (AUDIENCE,)) -> User:
        """The user of a bearer token; raises Unauthenticated."""
        for known, user in self._static.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user
        try:
            claims = self._tokens.verify(token)
        except BadToken as error:
            raise Unauthenticated(str(error)) from error
        if not set(audiences) & set(claims.aud):
            raise Unauthenticated(f"the token is for {', '.join(claims.aud)}")
        self._check_alive(claims)
        about = claims.kubernetes
        return service_account(about.namespace, about.serviceaccount.name, about.serviceaccount.uid)

    def _check_alive(self, claims: Claims) -> None:
        about = claims.kubernetes
        self._check_one(ACCOUNTS, about.namespace, about.serviceaccount)
        for name, resource in _BOUND.items():
            reference: Reference | None = getattr(about, name)
            if reference is not None:
                self._check_one(resource, "" if name == "node" else about.namespace, reference)

    def _check_one(self, resource: Resource, namespace: str, reference: Reference) -> None:
        record = self._store.get(resource, namespace, reference.name)
        if record is None or (reference.uid and record.uid != reference.uid):
            raise Unauthenticated(f"{resource} {reference.name} that the token speaks of is gone")


def _of_certificate(certificate: Mapping[str, Any]) -> User:
    name, groups = "", []
    for relative in certificate.get("subject", ()):
        for key, value in relative:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    if not name:
        return ANONYMOUS
    return User(name, (*groups, AUTHENTICATED))


class Impersonation:
    """The user that a request asks to act as."""

    __slots__ = ("extra", "groups", "name", "uid")

    def __init__(self, headers: Headers) -> None:
        self.name = headers.get("Impersonate-User", "")
        self.uid = headers.get("Impersonate-Uid", "")
        self.groups = tuple(headers.getall("Impersonate-Group", []))
        extra: dict[str, list[str]] = {}
        for key, value in headers.items():
            if key.lower().startswith("impersonate-extra-"):
                extra.setdefault(unquote(key[len("impersonate-extra-") :].lower()), []).append(value)
        self.extra = {key: tuple(values) for key, values in extra.items()}

    @property
    def is_asked(self) -> bool:
        return bool(self.name or self.groups or self.uid or self.extra)

    def user(self) -> User:
        """As the real server fills it in: accounts get their groups, everybody real is authenticated."""
        groups = self.groups
        if self.name.startswith("system:serviceaccount:") and not groups:
            parts = self.name.split(":")
            if len(parts) == 4:
                groups = service_account(parts[2], parts[3]).groups
        if self.name != ANONYMOUS.name and AUTHENTICATED not in groups:
            groups = (*groups, AUTHENTICATED)
        elif self.name == ANONYMOUS.name and not groups:
            groups = ANONYMOUS.groups
        return User(self.name, groups, self.uid, self.extra)
