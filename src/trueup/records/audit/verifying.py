"""Is the log what was written? Pure: entries of a chain in their order, checkpoints from inside and outside, public keys.

What can be told apart: an entry that was altered, removed, put in or moved, an end or a beginning that was cut off, and
signed words of somebody who had no key. Whoever can write the database can rewrite a chain's hashes; the checkpoints say where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct, structs

from trueup.records.audit.chain import Head, Sealed, hash_of
from trueup.records.audit.checkpoints import Checkpoint, Mark, PublicKeys, is_signed

_NEARBY = 1000
"""How far around its place an entry is looked for that was moved."""


class Fault(StrEnum):
    ALTERED = "altered"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    UNSIGNED = "unsigned"


class Broken(Struct, frozen=True, kw_only=True):
    """The first place of a chain that is not as it was written."""

    chain: str
    sequence: int
    fault: Fault
    message: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.sequence}: {self.fault}: {self.message}"


class Verdict(Struct, frozen=True, kw_only=True):
    """Of one chain. `first` and `last` are the entries that are there; `signed` the last one that a checkpoint covers."""

    chain: str
    entries: int
    first: int
    last: int
    signed: int
    broken: Broken | None = None


def verify(
    chain: str,
    entries: Iterable[Sealed],
    inside: Sequence[Checkpoint],
    outside: Sequence[Checkpoint],
    keys: PublicKeys,
) -> Verdict:
    """`entries` by their sequence, ascending; `inside` the database's checkpoints of this chain, `outside` exported ones."""
    forged = [one for one in inside if not is_signed(one, keys)]
    trusted = [one for one in (*inside, *outside) if is_signed(one, keys)]
    marks: dict[int, str] = {}
    for one in trusted:
        if marks.setdefault(one.sequence, one.hash) != one.hash:
            return _alone(chain, one.sequence, Fault.REWRITTEN, "two signed checkpoints differ on it")
    cut = max((one for one in trusted if one.mark is Mark.CUT), key=lambda one: one.sequence, default=None)
    walk = _Walk(chain, cut.head if cut is not None else Head(), marks)
    broken = walk.through(entries)
    if broken is None and (top := max(marks, default=0)) > walk.head.sequence:
        broken = _broken(
            chain,
            walk.head.sequence + 1,
            Fault.TRUNCATED,
            f"the chain ends at entry {walk.head.sequence}, and a signed checkpoint knows entry {top}",
        )
    if broken is None and forged:
        one = min(forged, key=lambda one: one.sequence)
        broken = _broken(
            chain, one.sequence, Fault.UNSIGNED, f"its checkpoint is not signed by a known key (it names {one.key})"
        )
    signed = max((number for number in marks if number <= walk.head.sequence), default=0)
    return Verdict(
        chain=chain, entries=walk.count, first=walk.first, last=walk.head.sequence, signed=signed, broken=broken
    )


class _Walk:
    """From one entry to the next. Two at a time, because which of two is wrong the second one tells."""

    def __init__(self, chain: str, start: Head, marks: dict[int, str]) -> None:
        self._chain = chain
        self._start = start
        self._marks = marks
        self._checked = start.sequence
        self.head = start
        self.first = 0
        self.count = 0

    def through(self, entries: Iterable[Sealed]) -> Broken | None:
        for entry, following in _paired(entries):
            if entry.sequence <= self._start.sequence:
                continue  # retention was interrupted between its mark and its work
            if broken := self._step(entry, following):
                return broken
            self.count += 1
            self.first = self.first or entry.sequence
            self.head = Head(entry.sequence, entry.hash)
        return None

    def _step(self, entry: Sealed, following: Sealed | None) -> Broken | None:
        number, expected = entry.sequence, self.head.sequence + 1
        if number > expected:
            gone = "is" if number == expected + 1 else f"and all up to {number - 1} are"
            return _broken(self._chain, expected, Fault.REMOVED, f"entry {expected} {gone} missing")
        if hash_of(entry) != entry.hash:
            return self._misplaced(entry, following)
        if entry.previous != self.head.hash:
            return _broken(self._chain, number, Fault.INSERTED, f"it was not written after entry {self.head.sequence}")
        if following is not None and following.sequence == number + 1 and following.previous != entry.hash:
            if following.previous == entry.previous and _was(following, number):
                return _broken(self._chain, number, Fault.INSERTED, f"what is entry {number + 1} now was written here")
            if hash_of(following) == following.hash:
                return _broken(self._chain, number, Fault.ALTERED, f"entry {number + 1} was written after another one")
        signed = self._marks.get(number)
        if signed is not None and signed != entry.hash.hex():
            since = self._checked + 1
            return _broken(
                self._chain, since, Fault.REWRITTEN, f"entries {since} to {number} are not those that were signed"
            )
        if signed is not None:
            self._checked = number
        return None

    def _misplaced(self, entry: Sealed, following: Sealed | None) -> Broken:
        """Its hash does not fit: would it in another place?"""
        number = entry.sequence
        origin = next((other for other in _around(number) if _was(entry, other)), None)
        if origin is None:
            return _broken(self._chain, number, Fault.ALTERED, "what it says does not have its hash")
        swapped = following is not None and _was(following, number)
        if origin == number + 1 and not swapped:
            return _broken(self._chain, number, Fault.REMOVED, f"what was entry {origin} stands in its place")
        return _broken(self._chain, number, Fault.REORDERED, f"it was written as entry {origin}")


def _around(number: int) -> Iterator[int]:
    for distance in range(1, _NEARBY):
        yield number + distance
        if number > distance:
            yield number - distance


def _was(entry: Sealed, sequence: int) -> bool:
    """Whether this entry was written in that place."""
    return hash_of(structs.replace(entry, sequence=sequence)) == entry.hash


def _paired(entries: Iterable[Sealed]) -> Iterator[tuple[Sealed, Sealed | None]]:
    before: Sealed | None = None
    for entry in entries:
        if before is not None:
            yield before, entry
        before = entry
    if before is not None:
        yield before, None


def _broken(chain: str, sequence: int, fault: Fault, message: str) -> Broken:
    return Broken(chain=chain, sequence=sequence, fault=fault, message=message)


def _alone(chain: str, sequence: int, fault: Fault, message: str) -> Verdict:
    return Verdict(chain=chain, entries=0, first=0, last=0, signed=0, broken=_broken(chain, sequence, fault, message))
