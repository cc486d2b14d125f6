"""The chain: each entry carries the hash of the one before it and its own, over one canonical encoding. Pure.

The encoding is JSON with sorted keys and no spaces of everything that the entry says, its place in the chain included,
behind a line that names the format; so nothing can be altered, moved or taken from another chain without its hash telling.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, structs

from trueup.records.audit.entry import AuditEntry, AuditResult, plain_text

FORMAT = b"trueup.audit.entry.v1\n"
GENESIS = bytes(32)
"""What the first entry of a chain has for its predecessor's hash."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Head(Struct, frozen=True):
    """The end of a chain: the next entry comes after `sequence` and carries `hash`."""

    sequence: int = 0
    hash: bytes = GENESIS


class Sealed(Struct, frozen=True, kw_only=True):
    """An entry in its place. `at_us` is microseconds since 1970 in UTC; texts are as the database gives them back."""

    chain: str
    sequence: int
    at_us: int
    actor: str
    via: str
    address: str
    action: str
    target: str
    project: str
    message: str
    before: str
    after: str
    revision: str
    result: str
    reason: str
    request_id: str
    replica: str
    previous: bytes
    hash: bytes

    @property
    def at(self) -> datetime:
        return moment(self.at_us)

    @property
    def place(self) -> str:
        """`CHAIN:SEQUENCE`: the entry's name everywhere."""
        return f"{self.chain}:{self.sequence}"


_FIELDS = Sealed.__struct_fields__
_TEXTS = tuple(name for name in AuditEntry.__struct_fields__ if name not in ("at", "result"))


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def seal(entry: AuditEntry, chain: str, after: Head) -> Sealed:
    """The entry as the next one of a chain."""
    texts = {name: plain_text(getattr(entry, name)) for name in _TEXTS}
    open_ = Sealed(
        chain=chain,
        sequence=after.sequence + 1,
        at_us=microseconds(entry.at),
        result=AuditResult(entry.result).value,
        previous=after.hash,
        hash=b"",
        **texts,
    )
    return structs.replace(open_, hash=hash_of(open_))


def hash_of(entry: Sealed) -> bytes:
    """SHA-256 over what the entry says of itself, but for its own hash."""
    said: dict[str, Any] = {name: getattr(entry, name) for name in _FIELDS if name != "hash"}
    said["previous"] = entry.previous.hex()
    return hashlib.sha256(FORMAT + _ENCODER.encode(said)).digest()


def head_of(entry: Sealed) -> Head:
    return Head(entry.sequence, entry.hash)
