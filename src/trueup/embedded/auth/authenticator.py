"""Who makes a request: by client certificate, static token or service account token; and whom it impersonates.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from trueup.embedded.auth.identity import (
    ANONYMOUS,
    AUTHENTICATED,
    CREDENTIAL_ID,
    SERVICE_ACCOUNT_PREFIX,
    UNAUTHENTICATED,
    User,
    service_account,
)
from trueup.embedded.auth.rbac import Attributes
from trueup.embedded.auth.tokens import AUDIENCE, BadToken, Claims, Reference, Tokens
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store

ACCOUNTS = Resource("", "serviceaccounts")
_GROUP = "authentication.k8s.io"
_BOUND = {"pod": Resource("", "pods"), "secret": Resource("", "secrets"), "node": Resource("", "nodes")}


class Headers(Protocol):
    """A request's headers, repeated ones included."""

    def get(self, key: str, default: str = "") -> str: ...
    def getall(self, key: str, default: list[str]) -> list[str]: ...
    def items(self) -> Any: ...


class Peer(Protocol):
    """The TLS connection: `ssl.SSLObject`, whose certificate is there only when our authority signed it."""

    def getpeercert(self, binary_form: bool = False, /) -> Any: ...


class Unauthenticated(Exception):
    """Credentials were sent that are worth nothing. The message is for the log and for reviews, never for the client itself."""


class Authenticator:
    """Turns certificates and headers into users."""

    def __init__(self, store: Store, tokens: Tokens, static: Mapping[str, User]) -> None:
        """`static`: users by their bearer token."""
        self._store = store
        self._tokens = tokens
        self._static = dict(static)

    def authenticate(self, peer: Peer | None, authorization: str) -> User:
        """A verified certificate counts before a token. Raises Unauthenticated."""
        if peer is not None and (certificate := peer.getpeercert()):
            return _of_certificate(certificate, peer.getpeercert(True) or b"")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return self.of_token(token.strip())[0]
        return ANONYMOUS

    def of_token(self, token: str, audiences: tuple[str, ...] = (AUDIENCE,)) -> tuple[User, tuple[str, ...]]:
        """The user of a bearer token, and which of the audiences it is for; raises Unauthenticated."""
        for known, user in self._static.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user, audiences
        try:
            claims, meant = self._tokens.verify(token, audiences)
            self._check_alive(claims)
        except BadToken as error:
            raise Unauthenticated(str(error)) from error
        about = claims.kubernetes
        account = service_account(about.namespace, about.serviceaccount.name, about.serviceaccount.uid)
        return msgspec.structs.replace(account, extra=_extra(claims)), meant

    def _check_alive(self, claims: Claims) -> None:
        """Whether all of whom a token speaks are still the same; raises BadToken."""
        about = claims.kubernetes
        account = about.serviceaccount
        if not account.name:
            raise BadToken("resource name may not be empty")
        found = self._store.get(ACCOUNTS, about.namespace, account.name)
        if found is None:
            raise BadToken(f'serviceaccounts "{account.name}" not found')
        if found.uid != account.uid:
            raise BadToken(f"service account UID ({found.uid}) does not match claim ({account.uid})")
        for name, resource in _BOUND.items():
            reference: Reference | None = getattr(about, name)
            # Of a pod's token the node is only told: it lives as long as the pod does.
            if reference is not None and not (name == "node" and about.pod is not None):
                self._check_one(resource, "" if name == "node" else about.namespace, reference)

    def _check_one(self, resource: Resource, namespace: str, reference: Reference) -> None:
        record = self._store.get(resource, namespace, reference.name)
        if record is None or (reference.uid and record.uid != reference.uid):
            raise BadToken("service account token has been invalidated")


def _extra(claims: Claims) -> dict[str, tuple[str, ...]]:
    """What reviews and webhooks learn of a token: its id, and the pod or node it is bound to."""
    extra: dict[str, tuple[str, ...]] = {CREDENTIAL_ID: (f"JTI={claims.jti}",)}
    for name in ("node", "pod"):
        if (bound := getattr(claims.kubernetes, name)) is not None:
            extra[f"authentication.kubernetes.io/{name}-name"] = (bound.name,)
            extra[f"authentication.kubernetes.io/{name}-uid"] = (bound.uid,)
    return extra


def _of_certificate(certificate: Mapping[str, Any], der: bytes) -> User:
    name, groups = "", []
    for relative in certificate.get("subject", ()):
        for key, value in relative:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    if not name:
        return ANONYMOUS
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    return User(name, (*groups, AUTHENTICATED), "", extra)


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

    def needed(self) -> Iterator[Attributes]:
        """The rights that acting so needs, in the order in which they are asked for."""
        account = account_of(self.name)
        if account is not None:
            yield Attributes("impersonate", "", "serviceaccounts", "", account[0], account[1])
        else:
            yield Attributes("impersonate", "", "users", name=self.name)
        for group in self.groups:
            yield Attributes("impersonate", "", "groups", name=group)
        for key, values in self.extra.items():
            for value in values:
                yield Attributes("impersonate", _GROUP, "userextras", key, name=value)
        if self.uid:
            yield Attributes("impersonate", _GROUP, "uids", name=self.uid)

    def user(self) -> User:
        """As the real server fills it in: accounts get their groups, everybody real is authenticated."""
        groups = self.groups
        account = account_of(self.name)
        if account is not None and not groups:
            groups = tuple(each for each in service_account(*account).groups if each != AUTHENTICATED)
        if self.name == ANONYMOUS.name:
            if UNAUTHENTICATED not in groups:
                groups = (*groups, UNAUTHENTICATED)
        elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
            groups = (*groups, AUTHENTICATED)
        return User(self.name, groups, self.uid, self.extra)

    def __str__(self) -> str:
        """As Go prints it, for the message that refuses it."""

        def texts(values: Iterable[str]) -> str:
            return f"[]string{{{', '.join(map(json.dumps, values))}}}"

        extra = ", ".join(f"{json.dumps(key)}:{texts(values)}" for key, values in sorted(self.extra.items()))
        return (
            f"&user.DefaultInfo{{Name:{json.dumps(self.name)}, UID:{json.dumps(self.uid)}, "
            f"Groups:{texts(self.groups) if self.groups else '[]string(nil)'}, "
            f"Extra:map[string][]string{f'{{{extra}}}' if extra else '(nil)'}}}"
        )


def account_of(name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    namespace, colon, account = name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    if not name.startswith(SERVICE_ACCOUNT_PREFIX) or not colon or ":" in account or not (namespace and account):
        return None
    return namespace, account
