"""Which files a Flux source leaves out: built-in patterns, `.sourceignore` files and `spec.ignore`.

The pattern language is gitignore's as Flux's matcher reads it, which differs from git where repositories rely on it: a
negated pattern brings a file back although its directory is excluded, and `**` takes the first fitting place. Pure:
reading the ignore files is `view`'s work. Order, later wins: built-in, `.sourceignore` from the root downwards,
`spec.ignore`. https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from trueup.model.linear import Linear, Nothing, PatternError

IGNORE_FILE = ".sourceignore"

_VERSION_CONTROL = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
_DEFAULTS = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
    *("codeship-services.yml", "codeship-steps.yml"),
    *("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)


class Pattern(Struct, frozen=True):
    """One line. `domain` is the directory whose ignore file holds it; it speaks only of what is below."""

    segments: tuple[str, ...]
    domain: tuple[str, ...] = ()
    negated: bool = False
    directories_only: bool = False

    @property
    def by_name(self) -> bool:
        """It has no slash but at its end, so any name on the way may match it."""
        return len(self.segments) == 1

    @property
    def by_last_name(self) -> bool:
        """It matches only where one name of the path matches its last segment."""
        return self.by_name or (len(self.segments) == 2 and self.segments[0] == "**" and self.segments[1] != "**")

    def matches(self, path: Sequence[str], *, directory: bool) -> bool:
        """Whether the path, or a directory on the way to it, is meant."""
        depth = len(self.domain)
        if len(path) <= depth or tuple(path[:depth]) != self.domain:
            return False
        below = path[depth:]
        rest = _after_name(self.segments[0], below) if self.by_name else _after_path(self.segments, below)
        if rest is None:
            return False
        return bool(rest) or directory or not self.directories_only

    def may_match_below(self, path: Sequence[str]) -> bool:
        """Whether it might match something below a directory; True when in doubt."""
        depth = len(self.domain)
        if tuple(path[:depth]) != self.domain[: len(path)]:
            return False
        if self.by_name:
            return True
        for segment, name in zip((s for s in self.segments if s), path[depth:], strict=False):
            if "**" in segment:
                return True
            if not _segment(segment).fullmatch(name):
                return False
        return True


def _after_name(segment: str, path: Sequence[str]) -> Sequence[str] | None:
    """What is left behind the first name that matches; None when no name does."""
    regex = _segment(segment)
    for position, name in enumerate(path):
        if regex.fullmatch(name):
            return path[position + 1 :]
    return None


def _after_path(segments: Sequence[str], path: Sequence[str]) -> Sequence[str] | None:
    """What is left behind the leading part of the path that the pattern covers; None when it covers none."""
    matched = anywhere = False
    for position, segment in enumerate(segments):
        if segment == "":
            anywhere = False
        elif segment == "**":
            if position == len(segments) - 1:
                break
            anywhere = True
        elif "**" in segment or not path:
            return None
        elif anywhere:
            anywhere = False
            rest = _after_name(segment, path)
            matched, path = (False, ()) if rest is None else (True, rest)
        elif _segment(segment).fullmatch(path[0]):
            matched, path = True, path[1:]
        else:
            return None
    return path if matched else None


def parse_patterns(text: str, domain: Iterable[str] = ()) -> tuple[Pattern, ...]:
    """The patterns of an ignore file, in order. Comments and empty lines are left out."""
    place = tuple(domain)
    lines = (line.rstrip("\r") for line in text.split("\n"))
    return tuple(parse_pattern(line, place) for line in lines if line.strip() and not line.startswith("#"))


def parse_pattern(line: str, domain: tuple[str, ...] = ()) -> Pattern:
    negated = line.startswith("!")
    text = line[1:] if negated else line
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    return Pattern(tuple(text.removesuffix("/").split("/")), domain, negated, text.endswith("/"))


class Rules:
    """The patterns of one directory, ready to be asked about many names."""

    __slots__ = ("_names", "_others", "patterns")

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self.patterns = patterns
        self._others = tuple(pattern for pattern in patterns if not pattern.by_last_name)
        names = {_segment(pattern.segments[-1]).pattern for pattern in patterns if pattern.by_last_name}
        self._names = _any_of(names)

    def ignore(self, path: Sequence[str], *, directory: bool) -> bool:
        """The last pattern that matches decides. Most paths hold no name that any pattern speaks of."""
        named = self._names is None or any(self._names.fullmatch(name) for name in path)
        return is_ignored(self.patterns if named else self._others, path, directory=directory)


def _any_of(names: Iterable[str]) -> Linear | None:
    """None: they are too many for one expression, so each has to be asked."""
    try:
        return Linear("|".join(f"(?:{name})" for name in sorted(names)))
    except PatternError:
        return None


@lru_cache(maxsize=256)
def rules_for(files: tuple[tuple[Pattern, ...], ...], custom: str | None) -> Rules:
    """`patterns_for`, made once for all directories and snapshots with the same ignore files."""
    return Rules(patterns_for(files, custom))


NOTHING = "!*"
"""The `spec.ignore` of a source that leaves nothing out, whatever its own ignore files say."""


def patterns_for(files: Sequence[tuple[Pattern, ...]], custom: str | None) -> tuple[Pattern, ...]:
    """All that hold for one directory: `files` are those of the ignore files on the way to it, the root's first.

    Own patterns take the place of the default exclusions, but never of those for version control. (Flux also drops the
    defaults when an ignore file stands anywhere else in the repository; here only those on the way count, so that a
    commit elsewhere cannot change this directory.)
    """
    own = tuple(pattern for patterns in files for pattern in patterns)
    if custom is not None:
        own += parse_patterns(custom)
    return (_VERSION_CONTROL_PATTERNS + own) if own else (_VERSION_CONTROL_PATTERNS + _DEFAULT_PATTERNS)


def is_ignored(patterns: Sequence[Pattern], path: Sequence[str], *, directory: bool) -> bool:
    """The last pattern that matches decides."""
    for pattern in reversed(patterns):
        if pattern.matches(path, directory=directory):
            return not pattern.negated
    return False


@lru_cache(maxsize=4096)
def _segment(glob: str) -> Linear:
    """One name's glob: `*`, `?`, `[a-z]`, `[^a]` and `\\x`, as Go's path.Match. A malformed one matches nothing."""
    out: list[str] = []
    position = 0
    while position < len(glob):
        char = glob[position]
        position += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\":
            if position == len(glob):
                return _NOTHING
            out.append(re.escape(glob[position]))
            position += 1
        elif char == "[":
            end = glob.find("]", position + (2 if glob[position : position + 1] == "^" else 1))
            if end < 0:
                return _NOTHING
            body = glob[position:end]
            negate = body.startswith("^")
            out.append(f"[{'^' if negate else ''}{_class(body[1:] if negate else body)}]")
            position = end + 1
        else:
            out.append(re.escape(char))
    try:
        return Linear("".join(out))
    except PatternError:
        return _NOTHING


def _class(body: str) -> str:
    """The inside of a bracket: ranges stay, everything else that a regular expression would read is escaped."""
    return re.sub(r"[\[\]^&~|\\]", lambda match: "\\" + match[0], body)


_NOTHING = Nothing()
_VERSION_CONTROL_PATTERNS = tuple(parse_pattern(line) for line in _VERSION_CONTROL)
_DEFAULT_PATTERNS = tuple(parse_pattern(line) for line in _DEFAULTS)
