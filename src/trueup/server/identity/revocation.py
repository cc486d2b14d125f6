"""What no longer holds although it has not expired: single sessions and tokens, and everything of somebody from before a moment.

Kept in one Secret that every replica watches, so it outlives restarts. It is bounded: an entry goes when what it revokes has
expired anyway, and when there are too many of one person's, all that person's sessions end instead. So it may only grow stricter.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from trueup.server.identity.store import REVOKED, Data, Form, Store

MOST = 8_000
"""Single entries: with their keys about 400 KiB of the 1 MiB that a Secret may have."""
FOREVER = 10 * 365 * 24 * 3600
"""Seconds for which a token without an end stays revoked."""


class Revoked(Struct, frozen=True, kw_only=True):
    """`ids` by their hashes: until when it matters, and whose. `before` by hashes of subjects: what was issued until then is over."""

    ids: Mapping[str, tuple[int, str]] = {}
    before: Mapping[str, tuple[int, int]] = {}

    def covers(self, token_id: str, subject: str, issued: int) -> bool:
        if token_id and short(token_id) in self.ids:
            return True
        cut = self.before.get(short(subject))
        return cut is not None and issued <= cut[0]


def short(text: str) -> str:
    """96 bits: too many to find a second text for, and no word about the first."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def revoked_of(data: Data) -> Revoked:
    """Rows are `t.HASH: "UNTIL SUBJECTHASH"` and `s.HASH: "BEFORE UNTIL"`. What cannot be read is passed over."""
    ids: dict[str, tuple[int, str]] = {}
    before: dict[str, tuple[int, int]] = {}
    for key, raw in data.items():
        words = raw.decode("ascii", "replace").split()
        kind, _, name = key.partition(".")
        if len(words) != 2 or not words[0].isdecimal():
            continue
        if kind == "t":
            ids[name] = (int(words[0]), words[1])
        elif kind == "s" and words[1].isdecimal():
            before[name] = (int(words[0]), int(words[1]))
    return Revoked(ids=ids, before=before)


def data_of(revoked: Revoked) -> dict[str, bytes]:
    rows = {f"t.{name}": f"{until} {subject}".encode() for name, (until, subject) in revoked.ids.items()}
    return rows | {f"s.{name}": f"{cut} {until}".encode() for name, (cut, until) in revoked.before.items()}


def with_token(revoked: Revoked, token_id: str, subject: str, expires: int, now: int, longest: int) -> Revoked:
    """One more that is over. `expires` 0: never; `longest` is how long any session lasts, in seconds."""
    ids = dict(_fresh(revoked, now).ids)
    ids[short(token_id)] = (expires or now + FOREVER, short(subject))
    return _bounded(Revoked(ids=ids, before=_fresh(revoked, now).before), now, longest)


def with_everything(revoked: Revoked, subject: str, now: int, longest: int) -> Revoked:
    """All that the subject has until now is over; what it gets later holds."""
    fresh = _fresh(revoked, now)
    name = short(subject)
    ids = {key: row for key, row in fresh.ids.items() if row[1] != name}
    return Revoked(ids=ids, before={**fresh.before, name: (now, now + longest)})


def _fresh(revoked: Revoked, now: int) -> Revoked:
    return Revoked(
        ids={name: row for name, row in revoked.ids.items() if row[0] > now},
        before={name: row for name, row in revoked.before.items() if row[1] > now},
    )


def _bounded(revoked: Revoked, now: int, longest: int) -> Revoked:
    """The person with the most entries pays for them; one whose tokens last for ever keeps them revoked for as long."""
    if len(revoked.ids) <= MOST:
        return revoked
    name, _ = Counter(subject for _, subject in revoked.ids.values()).most_common(1)[0]
    latest = max(until for until, subject in revoked.ids.values() if subject == name)
    ids = {key: row for key, row in revoked.ids.items() if row[1] != name}
    return Revoked(ids=ids, before={**revoked.before, name: (now, max(latest, now + longest))})


class Revocations:
    """The list as last seen, and how to add to it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._revoked = Revoked()

    def __call__(self) -> Revoked:
        if self._version != self._store.version:
            self._version = self._store.version
            self._revoked = revoked_of(self._store.read(Form.SECRET, REVOKED))
        return self._revoked

    async def revoke(self, token_id: str, subject: str, expires: int, now: datetime, longest: int) -> None:
        moment = int(now.timestamp())
        await self._store.write(
            Form.SECRET,
            REVOKED,
            lambda data: data_of(with_token(revoked_of(data), token_id, subject, expires, moment, longest)),
        )

    async def revoke_all(self, subject: str, now: datetime, longest: int) -> None:
        moment = int(now.timestamp())
        await self._store.write(
            Form.SECRET, REVOKED, lambda data: data_of(with_everything(revoked_of(data), subject, moment, longest))
        )
