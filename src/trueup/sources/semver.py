"""Versions and ranges of versions, as Flux's `ref.semver`, Argo CD's `targetRevision` and Helm read them.

All three use Masterminds/semver v3, so its grammar and its rules for wildcards and pre-releases are followed here
(README "Checking Version Constraints"; the cases in tests/sources/semver-cases.json were answered by that library).
A range is `||` of groups, a group is a list of comparators that must all hold. A pre-release only matches a group
in which some comparator names a pre-release itself. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from trueup.model.linear import Linear

_MAXIMUM = 2**64 - 1  # parts are Go's uint64
_IDENTIFIERS = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*"
_VERSION = re.compile(rf"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?$", re.ASCII)
_PART = r"[0-9|xX*]+"
_PARTIAL = rf"v?({_PART})(\.{_PART})?(\.{_PART})?(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
_BARE = re.sub(r"\((?!\?)", "(?:", _PARTIAL)
_OPERATOR = r"=<|=>|!=|~>|>=|<=|=|>|<|~|\^|"
_OPERATORS = rf"(?:{_OPERATOR})"
_COMPARATOR = re.compile(rf"^\s*({_OPERATOR})\s*{_PARTIAL}\s*$", re.ASCII)
_FIND = re.compile(rf"{_OPERATORS}\s*{_BARE}", re.ASCII)
_GROUP = Linear(rf"\s*{_OPERATORS}\s*{_BARE}\s*(?:(?:\s+|,\s*){_OPERATORS}\s*{_BARE}\s*)*")
"""Blanks between comparators can be shared out in more ways than there is time for."""
_HYPHEN = re.compile(rf"\s*({_BARE})\s+-\s+({_BARE})\s*", re.ASCII)
_LONGEST = 512


class SemverError(ValueError):
    """A text that is no version, or no range of versions."""


class Version(Struct, frozen=True):
    """`text` is the original; build metadata takes no part in comparing (semver.org, item 10)."""

    text: str
    major: int
    minor: int
    patch: int
    prerelease: str = ""

    @property
    def numbers(self) -> tuple[int, int, int]:
        return self.major, self.minor, self.patch

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        # A release comes after its pre-releases; numbers compare as numbers and before words (semver.org, item 11).
        parts = self.prerelease.split(".") if self.prerelease else []
        words = tuple(
            (not part.isdigit(), int(part) if part.isdigit() else 0, part if not part.isdigit() else "")
            for part in parts
        )
        return self.numbers, not self.prerelease, words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __le__(self, other: Version) -> bool:
        return self._key() <= other._key()

    def __gt__(self, other: Version) -> bool:
        return self._key() > other._key()

    def __ge__(self, other: Version) -> bool:
        return self._key() >= other._key()

    def __hash__(self) -> int:
        return hash(self._key())


class Comparator(Struct, frozen=True):
    """`>=1.2.x`: an operator, the version with wildcards as 0, and how many of the three numbers were given."""

    operator: str
    version: Version
    given: int

    def allows(self, version: Version) -> bool:
        """Whether a version (whose pre-release is acceptable to the group) passes."""
        own = self.version
        match self.operator:
            case "" | "=":
                return version == own if self.given == 3 else self._tilde(version)
            case "!=":
                return version != own if self.given in (0, 3) else not self._same_given(version)
            case ">":
                return version > own if self.given == 3 else self._after_given(version)
            case "<":
                return version < own
            case ">=" | "=>":
                return version >= own
            case "<=" | "=<":
                kept = self.given or 2  # the library takes `<=*` for `<=0.0.x`
                return version <= own if self.given == 3 else version.numbers[:kept] <= own.numbers[:kept]
            case "~" | "~>":
                return self._tilde(version)
            case _:
                return self._caret(version)

    def _same_given(self, version: Version) -> bool:
        if version.numbers[: self.given] != self.version.numbers[: self.given]:
            return False
        # With two numbers given, `!=1.2.x-beta` still looks at the pre-release; with fewer it does not.
        return self.given != 2 or version.prerelease == self.version.prerelease

    def _after_given(self, version: Version) -> bool:
        return (
            version.numbers[: self.given] > self.version.numbers[: self.given] if self.given else version > self.version
        )

    def _tilde(self, version: Version) -> bool:
        if version < self.version:
            return False
        if self.version.numbers == (0, 0, 0) and self.given in (0, 3):
            return True  # `~0.0.0` and `*` take everything
        kept = 2 if self.given >= 2 else 1
        return version.numbers[:kept] == self.version.numbers[:kept]

    def _caret(self, version: Version) -> bool:
        if version < self.version:
            return False
        own = self.version.numbers
        if own[0] > 0 or self.given == 1:
            return version.major == own[0]
        if own[1] > 0 or self.given == 2:
            return version.numbers[:2] == own[:2]
        return version.numbers == own


class Constraint(Struct, frozen=True):
    """Groups joined by `||`; each holds when all of its comparators do."""

    groups: tuple[tuple[Comparator, ...], ...]

    def allows(self, version: Version) -> bool:
        return any(_group_allows(group, version) for group in self.groups)


def parse_version(text: str) -> Version:
    """`v1.2` -> 1.2.0. Raises SemverError."""
    match = _VERSION.match(text)
    if match is None:
        raise SemverError(f"{text!r} is not a version")
    numbers = [int((part or "0").removeprefix(".")) for part in match.group(1, 2, 3)]
    prerelease = match[4] or ""
    if max(numbers) > _MAXIMUM:
        raise SemverError(f"{text!r} is not a version: a number is too large")
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in prerelease.split(".")):
        raise SemverError(f"{text!r} is not a version: a pre-release number starts with 0")
    return Version(text, numbers[0], numbers[1], numbers[2], prerelease)


def parse_constraint(text: str) -> Constraint:
    """`>=1.2 <2 || ~3.1` -> Constraint. Raises SemverError."""
    if len(text) > _LONGEST:
        raise SemverError(f"the version range is longer than {_LONGEST} characters")
    spread = _HYPHEN.sub(lambda match: f">={match[1]},<={match[match.re.groups // 2 + 1]} ", text)
    return Constraint(tuple(_parse_group(group, text) for group in spread.split("||")))


def highest(constraint: Constraint, names: Iterable[str]) -> str | None:
    """Of the names that are versions and allowed, the highest; of equal ones, the last by name. Others are passed over."""
    found: list[tuple[Version, str]] = []
    for name in names:
        try:
            version = parse_version(name)
        except SemverError:
            continue
        if constraint.allows(version):
            found.append((version, name))
    return max(found)[1] if found else None


def _group_allows(group: tuple[Comparator, ...], version: Version) -> bool:
    if version.prerelease and not any(comparator.version.prerelease for comparator in group):
        return False
    return all(comparator.allows(version) for comparator in group)


def _parse_group(group: str, whole: str) -> tuple[Comparator, ...]:
    if not _GROUP.fullmatch(group):
        raise SemverError(f"{whole!r} is not a version range")
    return tuple(_parse_comparator(part, whole) for part in _FIND.findall(group))


def _parse_comparator(text: str, whole: str) -> Comparator:
    match = _COMPARATOR.match(text)
    if match is None:
        raise SemverError(f"{whole!r} is not a version range")
    parts = [(part or "").removeprefix(".") for part in match.group(2, 3, 4)]
    given = next((index for index, part in enumerate(parts) if part in ("", "x", "X", "*")), 3)
    numbers = [*parts[:given], "0", "0", "0"][:3]
    prerelease = f"-{match[5]}" if match[5] else ""
    try:
        version = parse_version(".".join(numbers) + prerelease)
    except SemverError as error:
        raise SemverError(f"{whole!r} is not a version range") from error
    return Comparator(match[1], version, given)
