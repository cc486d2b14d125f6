"""Which tag a range of versions means. Pure; tags come from the registry, and what a tag points to is asked afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable

import re2  # type: ignore[import-untyped]

from trueup.model.errors import InvalidInput, RefNotFound
from trueup.sources.semver import Constraint, SemverError, highest, parse_constraint

_STRICT = re.compile(r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_SHOWN = 10
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def choose_tag(tags: Iterable[str], semver: str, semver_filter: str, what: str) -> str:
    """The highest tag in Flux's range; only whole versions (`1.2.3`, `v1.2.3-rc.1`) count. Raises InvalidInput, RefNotFound."""
    constraint = _constraint(semver, "spec.ref.semver")
    fitting = _filtered(tags, semver_filter)
    found = highest(constraint, [tag for tag in fitting if _STRICT.fullmatch(tag)])
    if found is None:
        raise RefNotFound(f"{what} has no tag for the range {semver!r}{_there_are(fitting)}", hint="check ref.semver")
    return found


def choose_expressed(tags: Iterable[str], expression: str, what: str) -> str:
    """The highest tag in Argo CD's range, where `_` in a tag stands for the `+` of a version (as Helm pushes it)."""
    constraint = _constraint(expression, "targetRevision")
    by_version = {tag.replace("_", "+"): tag for tag in tags}
    found = highest(constraint, by_version)
    if found is None:
        raise RefNotFound(f"{what} has no tag for {expression!r}{_there_are(by_version)}", hint="check targetRevision")
    return by_version[found]


def is_range(expression: str) -> bool:
    try:
        parse_constraint(expression)
    except SemverError:
        return False
    return True


def _constraint(text: str, field: str) -> Constraint:
    try:
        return parse_constraint(text)
    except SemverError as error:
        raise InvalidInput(str(error), field=field, hint='write for example ">=1.0.0 <2.0.0"') from error


def _filtered(tags: Iterable[str], pattern: str) -> list[str]:
    if not pattern:
        return list(tags)
    try:
        compiled = re2.compile(pattern, _OPTIONS)  # Go's syntax, in linear time
    except re2.error as error:
        raise InvalidInput(
            f"{pattern!r} is not a regular expression: {error}", field="spec.ref.semverFilter"
        ) from error
    return [tag for tag in tags if compiled.search(tag)]


def _there_are(tags: Iterable[str]) -> str:
    some = sorted(tags)[-_SHOWN:]
    return f"; there are {', '.join(some)}" if some else "; it has none at all"
