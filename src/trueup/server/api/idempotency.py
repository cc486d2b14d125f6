"""`Idempotency-Key`: a changing call that is sent twice is carried out once, and answered twice with the same words.

The first call claims its key, and whoever keeps the claims (`Keys`: a process's memory, or the database of all replicas) tells
later ones how it stands. What cannot be known is said: nothing is done a second time because nobody knows of the first.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from trueup.records.claims import Claim, Ended, Known, State
from trueup.server.api.caller import Caller
from trueup.server.api.refusals import BadQuery, Conflict, Impossible, Unavailable

HEADER = "Idempotency-Key"
PURPOSE = "idempotency"
MARGIN_SECONDS = 30.0
"""For which a claim holds beyond the time that its operation has: how long the end of a call may take to be written down."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class StillRunning(Conflict):
    """The first call with this key is under way."""

    reason = "StillRunning"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "the first call with this key is still under way",
            field=HEADER,
            hint="send it again, with the same key, after the seconds of Retry-After",
        )
        self.retry_after = retry_after


class OutcomeUnknown(Conflict):
    """The first call with this key ended, and nobody knows how."""

    reason = "OutcomeUnknown"


class AnswerNotKept(Conflict):
    """The first call with this key was carried out, and what it answered is not told again."""

    reason = "AnswerNotKept"


class Keys(Protocol):
    """Who keeps claims. Raises Unavailable and TooMany, from `claim` alone."""

    async def claim(self, caller: bytes, key: bytes, request: bytes, seconds: float) -> Claim | Known:
        """A Claim for the first; what is known for others. A claim holds for so long, unless it is ended before."""
        ...

    async def end(self, claim: Claim, ended: Ended) -> None: ...

    async def release(self, claim: Claim) -> None:
        """Nothing was done: the next call with the key is carried out."""
        ...


class Kept(Struct, frozen=True):
    """A finished answer, given again."""

    status: int
    body: bytes
    media_type: str


def random_secrets() -> Callable[[], Sequence[bytes]]:
    """For a process whose claims end with it."""
    made = (secrets.token_bytes(32),)
    return lambda: made


class Idempotency:
    """`begin`, then `end` or `release` what it gave.

    `keying` gives secrets of the server, the current one first: requests may hold passwords, so what tells them apart is a hash
    that nobody without these can try passwords against.
    """

    def __init__(self, keys: Keys, keying: Callable[[], Sequence[bytes]]) -> None:
        self.keys = keys
        self._keying = keying

    async def begin(self, caller: Caller, key: str, said: bytes, seconds: float) -> Claim | Kept:
        """`said`: what was asked. A Kept is the answer. Raises BadQuery, Impossible (asked for something else), StillRunning,
        OutcomeUnknown, AnswerNotKept, Unavailable, TooMany."""
        if not _KEY.fullmatch(key):
            raise BadQuery(
                "is not 1 to 255 visible characters of ASCII",
                field=HEADER,
                hint="send a UUID of your own per operation",
            )
        requests = [hmac.digest(secret, said, hashlib.sha256) for secret in self._keying()]
        if not requests:
            raise Unavailable(
                "there is no key to remember calls by yet", hint="look at server.secretkey in argocd-secret"
            )
        who = hashlib.sha256(f"{caller.issuer}\0{caller.person.name}".encode()).digest()
        found = await self.keys.claim(who, hashlib.sha256(key.encode()).digest(), requests[0], seconds + MARGIN_SECONDS)
        return found if isinstance(found, Claim) else answer_of(found, requests)


def answer_of(known: Known, requests: Sequence[bytes]) -> Kept:
    """What a second call gets. Raises as `begin`. Pure."""
    if not any(hmac.compare_digest(known.request, one) for one in requests):
        raise Impossible("this key was used for another call", field=HEADER, hint="send another key")
    ended = known.ended
    match ended.state:
        case State.ANSWERED:
            return Kept(ended.status, ended.body, ended.media_type)
        case State.UNTOLD:
            raise AnswerNotKept(
                f"the call with this key was carried out, and answered {ended.status}; its answer is not kept",
                field=HEADER,
                hint="look at what there is now; if it was a token, revoke it and make another one, with another key",
            )
        case State.RUNNING if known.left > 0:
            raise StillRunning(min(max(known.left, 1.0), 5.0))
        case _:
            raise OutcomeUnknown(
                "the first call with this key did not end properly, and whether it was carried out is not known",
                field=HEADER,
                hint="look whether what you wanted is so; if it is not, send the call again with another key",
            )
