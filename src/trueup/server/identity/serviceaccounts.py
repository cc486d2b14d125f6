"""Kubernetes' ServiceAccounts as callers: the API server says whose a token is (TokenReview). For automation in the cluster.

The token must be made for us (`kubectl create token NAME --audience trueup`), so that one which a pod shows to somebody else cannot be
shown here by them. Answers are kept for a minute, by hashes, in bounded number.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from trueup.model.apierror import ApiError
from trueup.model.errors import Transient
from trueup.model.manifest import Manifest
from trueup.server.api.refusals import TooMany, Unauthenticated, Unavailable
from trueup.server.identity.sso import idtokens

AUDIENCE = "trueup"
AT_ONCE = 4
WAITING = 64
KEPT = 60.0
"""Seconds; a token that is revoked in the cluster holds here for no longer."""
REMEMBERED = 2_000
PREFIX = "system:serviceaccount:"

Review = Callable[[Manifest], Awaitable[Manifest]]
"""Creates a TokenReview and answers it."""


class Reviewed(Struct, frozen=True, kw_only=True):
    user: str
    groups: tuple[str, ...] = ()


class _User(Struct, frozen=True):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Status(Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()


class ServiceAccounts:
    def __init__(self, review: Review, clock: Callable[[], float], audience: str = AUDIENCE) -> None:
        self._review = review
        self._clock = clock
        self._audience = audience
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._known: OrderedDict[bytes, tuple[float, Reviewed | None]] = OrderedDict()
        self.asked = 0

    async def whose(self, token: str) -> Reviewed:
        """Raises Unauthenticated, or Unavailable when the API server does not answer."""
        key = hashlib.sha256(token.encode()).digest()
        kept = self._known.get(key)
        if kept is None or self._clock() - kept[0] >= KEPT:
            kept = (self._clock(), await self._in_turn(token))
            self._known[key] = kept
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        if kept[1] is None:
            raise Unauthenticated(
                "the token does not hold: neither this server, nor a provider, nor the cluster knows it",
                hint=f"make one with: kubectl create token NAME --audience {self._audience}",
            )
        return kept[1]

    async def _in_turn(self, token: str) -> Reviewed | None:
        """Anybody may show anything: the API server is not to feel it."""
        if not looks_like_ours(token, self._audience):
            return None
        if self._waiting >= WAITING:
            raise TooMany("too many tokens are being looked at", retry_after=2)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(token)
        finally:
            self._waiting -= 1

    async def _ask(self, token: str) -> Reviewed | None:
        self.asked += 1
        try:
            answer = await self._review(
                {
                    "apiVersion": "authentication.k8s.io/v1",
                    "kind": "TokenReview",
                    "metadata": {},
                    "spec": {"token": token, "audiences": [self._audience]},
                }
            )
        except (ApiError, Transient) as error:
            raise Unavailable("the cluster cannot be asked whose token this is", hint="try again soon") from error
        status = _status(answer)
        good = status.authenticated and status.user.username.startswith(PREFIX) and self._audience in status.audiences
        return Reviewed(user=status.user.username, groups=status.user.groups) if good else None


def looks_like_ours(token: str, audience: str) -> bool:
    """What it says of itself, unproved: a token that does not even claim to be for us need not be asked about."""
    try:
        claims = idtokens.claims_of(token)
    except Unauthenticated:
        return False
    said = claims.get("aud")
    return audience in (said if isinstance(said, list) else [said])


def _status(answer: dict[str, Any]) -> _Status:
    try:
        return msgspec.convert(answer.get("status") or {}, _Status)
    except msgspec.ValidationError:
        return _Status()
