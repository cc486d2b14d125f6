"""Which commit a GitReference means, given what a remote lists. Pure: `git ls-remote` text in, a decision out.

Precedence is Flux's (commit > name > semver > tag > branch); `expression` follows Argo CD's rules for `targetRevision`:
a full hash, else a semver range over the tags, else a branch, tag or full ref name, else an abbreviated hash.
"""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from trueup.model.errors import InvalidInput, RefNotFound
from trueup.model.source import GitReference
from trueup.sources.giterrors import EmptyRepository
from trueup.sources.semver import SemverError, highest, parse_constraint

FULL_HASH = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")
_ABBREVIATED = re.compile(r"^[0-9a-f]{7,63}$", re.IGNORECASE)
HEADS, TAGS = "refs/heads/", "refs/tags/"


class Scope(StrEnum):
    """How much of a remote's refs a listing holds. Most polls need no pull-request refs, of which there may be thousands."""

    HEADS_AND_TAGS = "heads-and-tags"
    ALL = "all"


class Listing(Struct, frozen=True):
    """What a remote showed to one set of credentials: full ref name -> commit (annotated tags peeled)."""

    refs: dict[str, str]
    default_branch: str = ""
    """The ref that HEAD points to; known only in a listing of scope ALL."""

    def holds(self, commit: str) -> bool:
        return commit in self.refs.values()


class Target(Struct, frozen=True):
    """What to fetch: `ref` is a full ref name, `HEAD`, or empty for a bare hash. `name` becomes the Revision's name."""

    name: str
    ref: str = ""
    commit: str = ""
    """Known before the fetch (from a listing or the reference itself); empty on first contact."""
    prefix: str = ""
    """An abbreviated hash, to be found among the commits that the listed refs lead to."""


def parse_listing(text: str) -> Listing:
    """Reads `git ls-remote --symref`. Lines: `<hash>TAB<ref>`, `<hash>TAB<tag>^{}` (peeled), `ref: <target>TABHEAD`."""
    refs: dict[str, str] = {}
    peeled: dict[str, str] = {}
    default = ""
    for line in text.splitlines():
        left, separator, name = line.partition("\t")
        if not separator:
            continue
        if left.startswith("ref: "):
            default = left.removeprefix("ref: ") if name == "HEAD" else default
        elif name.endswith("^{}"):
            peeled[name.removesuffix("^{}")] = left
        else:
            refs[name] = left
    return Listing(refs | peeled, default)


def scope_of(reference: GitReference) -> Scope:
    """The smallest listing that can answer."""
    kind, value = _first(reference)
    match kind:
        case _Kind.HEAD:
            return Scope.ALL
        case _Kind.NAME:
            return Scope.HEADS_AND_TAGS if value.startswith((HEADS, TAGS)) else Scope.ALL
        case _Kind.EXPRESSION:
            return (
                Scope.ALL if value.startswith("refs/") and not value.startswith((HEADS, TAGS)) else Scope.HEADS_AND_TAGS
            )
        case _Kind.COMMIT | _Kind.SEMVER | _Kind.TAG | _Kind.BRANCH:
            return Scope.HEADS_AND_TAGS
        case _:
            assert_never(kind)


def direct_target(reference: GitReference) -> Target | None:
    """What can be fetched without a listing first; None where only a listing tells (a range; an ambiguous expression)."""
    kind, value = _first(reference)
    match kind:
        case _Kind.COMMIT:
            return Target(name=_commit_name(reference), commit=value)
        case _Kind.NAME:
            return Target(name=value, ref=value)
        case _Kind.TAG:
            return Target(name=value, ref=TAGS + value)
        case _Kind.BRANCH:
            return Target(name=value, ref=HEADS + value)
        case _Kind.HEAD:
            return Target(name="HEAD", ref="HEAD")
        case _Kind.EXPRESSION:
            if FULL_HASH.match(value):
                return Target(name="", commit=value)
            if value.startswith("refs/"):
                return Target(name=value, ref=value)
            return None
        case _Kind.SEMVER:
            return None
        case _:
            assert_never(kind)


def choose(reference: GitReference, listing: Listing, url: str) -> Target:
    """The target under a listing. Raises RefNotFound with the nearest names, EmptyRepository, InvalidInput (bad range)."""
    kind, value = _first(reference)
    if kind is not _Kind.COMMIT and not listing.refs:
        raise empty_repository(url)
    match kind:
        case _Kind.COMMIT:
            return Target(name=_commit_name(reference), commit=value)
        case _Kind.SEMVER:
            return _by_range(value, listing, url)
        case _Kind.EXPRESSION:
            return _by_expression(value, reference.tag_prefix, listing, url)
        case _Kind.NAME | _Kind.TAG | _Kind.BRANCH | _Kind.HEAD:
            target = direct_target(reference)
            assert target is not None
            commit = listing.refs.get(target.ref) or (
                listing.refs.get(listing.default_branch) if kind is _Kind.HEAD else None
            )
            if commit is None:
                raise missing_ref(target, listing, url)
            return Target(name=target.name, ref=target.ref, commit=commit)
        case _:
            assert_never(kind)


def empty_repository(url: str) -> EmptyRepository:
    hint = "push a first commit; if there are some, check that the URL is that of a Git repository"
    return EmptyRepository(f"{url}: the repository is empty", hint=hint)


def missing_ref(target: Target, listing: Listing, url: str) -> RefNotFound:
    """Says which refs exist: the nearest names first, at most five."""
    if target.ref == "HEAD":
        return RefNotFound(
            f"{url}: HEAD points to {listing.default_branch or 'nothing'}, which does not exist", hint="name a branch"
        )
    for prefix, word in ((HEADS, "branch"), (TAGS, "tag")):
        if target.ref.startswith(prefix):
            wanted = target.ref.removeprefix(prefix)
            names = [name.removeprefix(prefix) for name in listing.refs if name.startswith(prefix)]
            return _missing(
                f"{url}: the {word} {wanted!r} does not exist",
                wanted,
                names,
                "branches" if word == "branch" else "tags",
            )
    return _missing(f"{url}: the ref {target.ref!r} does not exist", target.ref, list(listing.refs), "refs")


def nearest(wanted: str, names: list[str], limit: int = 5) -> list[str]:
    """The names most like the wanted one, filled up with others in order."""
    close = difflib.get_close_matches(wanted, names, n=limit, cutoff=0.5)
    return (close + [name for name in sorted(names) if name not in close])[:limit]


class _Kind(StrEnum):
    COMMIT = "commit"
    NAME = "name"
    SEMVER = "semver"
    TAG = "tag"
    BRANCH = "branch"
    EXPRESSION = "expression"
    HEAD = "HEAD"


def _first(reference: GitReference) -> tuple[_Kind, str]:
    """The field that counts. An Argo `HEAD` or nothing at all is the remote's HEAD."""
    if reference.commit:
        return _Kind.COMMIT, reference.commit.lower()
    if reference.name:
        return (_Kind.HEAD, "HEAD") if reference.name == "HEAD" else (_Kind.NAME, reference.name)
    if reference.semver:
        return _Kind.SEMVER, reference.semver
    if reference.tag:
        return _Kind.TAG, reference.tag
    if reference.branch:
        return _Kind.BRANCH, reference.branch
    if reference.expression and reference.expression != "HEAD":
        expression = reference.expression
        return _Kind.EXPRESSION, expression.lower() if FULL_HASH.match(expression.lower()) else expression
    return _Kind.HEAD, "HEAD"


def check_reference(reference: GitReference) -> None:
    """Raises InvalidInput for names that git would not take, or would take for something else."""
    kind, value = _first(reference)
    if kind is _Kind.COMMIT and not FULL_HASH.match(value):
        raise InvalidInput(
            f"{value!r} is not a full commit hash", hint="write all 40 hexadecimal digits", field="ref.commit"
        )
    if kind is _Kind.SEMVER:
        try:
            parse_constraint(value)
        except SemverError as error:
            raise InvalidInput(str(error), field="ref.semver") from error
    if kind in (_Kind.NAME, _Kind.TAG, _Kind.BRANCH) and not is_ref_name(value):
        raise InvalidInput(f"{value!r} is not a Git ref name", field=f"ref.{kind}")
    if kind is _Kind.NAME and not value.startswith("refs/"):
        raise InvalidInput(
            f"{value!r} is not a full ref name", hint=f"write refs/heads/{value} or refs/tags/{value}", field="ref.name"
        )
    if reference.branch and not is_ref_name(reference.branch):
        raise InvalidInput(f"{reference.branch!r} is not a Git ref name", field="ref.branch")
    if kind is _Kind.EXPRESSION and not is_ref_name(value):
        try:
            parse_constraint(value)
        except SemverError as error:
            raise InvalidInput(
                f"{value!r} is neither a Git ref name nor a version range", field="targetRevision"
            ) from error


def is_ref_name(name: str) -> bool:
    """Whether `refs/heads/<name>` is a legal ref. Rules: git-check-ref-format(1)."""
    if not name or name.startswith(("-", "/", ".")) or name.endswith(("/", ".", ".lock")) or name == "@":
        return False
    if any(ord(c) <= 32 or ord(c) == 127 or c in "~^:?*[\\" for c in name):
        return False
    return not any(bad in name for bad in ("..", "@{", "//", "/.", ".lock/"))


def _commit_name(reference: GitReference) -> str:
    """Flux names a pinned commit after the branch beside it."""
    return reference.branch


def _tags(listing: Listing) -> dict[str, str]:
    return {name.removeprefix(TAGS): commit for name, commit in listing.refs.items() if name.startswith(TAGS)}


def _by_range(text: str, listing: Listing, url: str) -> Target:
    tags = _tags(listing)
    found = highest(parse_constraint(text), tags)
    if found is None:
        raise _missing(f"{url}: no tag is in the range {text!r}", text, list(tags), "tags")
    return Target(name=found, ref=TAGS + found, commit=tags[found])


def _by_expression(text: str, tag_prefix: str, listing: Listing, url: str) -> Target:
    if FULL_HASH.match(text):
        return Target(name="", commit=text)
    try:
        constraint = parse_constraint(text)
    except SemverError:
        constraint = None
    tags = _tags(listing)
    if constraint is not None:
        versions = [name.removeprefix(tag_prefix) for name in tags if name.startswith(tag_prefix)]
        if (highest_version := highest(constraint, versions)) is not None:
            found = tag_prefix + highest_version
            return Target(name=found, ref=TAGS + found, commit=tags[found])
    for ref in (HEADS + text, TAGS + text, text, "refs/" + text):
        if ref in listing.refs:
            return Target(name=text, ref=ref, commit=listing.refs[ref])
    if _ABBREVIATED.match(text):
        return Target(name="", prefix=text.lower())
    names = [name.split("/", 2)[2] for name in listing.refs if name.startswith((HEADS, TAGS))]
    raise _missing(
        f"{url}: {text!r} is no branch, tag, commit or version range that matches", text, names, "branches and tags"
    )


def _missing(message: str, wanted: str, names: list[str], word: str) -> RefNotFound:
    shown = nearest(wanted, names)
    if not shown:
        return RefNotFound(message, hint=f"there are no {word} yet")
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return RefNotFound(message, hint=f"{word} that exist: {', '.join(shown)}{more}")
