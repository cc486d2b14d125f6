"""Which version of a chart a range means. Pure.

As in Flux and Helm: a text equal to a version is that version, whatever it may mean as a range; else the highest version
in the range counts, and of equal ones (they differ in build metadata only) the one created last. Flux looks at strict versions
(three numbers) alone, Helm and Argo CD at any that can be read as one: here others count where no strict one fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from trueup.model.errors import InvalidInput
from trueup.sources.helm.reading import IndexRow
from trueup.sources.semver import SemverError, Version, parse_constraint, parse_version

_STRICT = re.compile(r"^v?\d+\.\d+\.\d+(?:[-+].*)?$", re.ASCII)


def choose_row(rows: Sequence[IndexRow], wanted: str) -> IndexRow | None:
    """`wanted` is a version or a range; empty or `*`: the newest that is no pre-release. Raises InvalidInput."""
    if wanted:
        for row in rows:
            if row.version == wanted:
                return row
    try:
        constraint = parse_constraint(wanted or "*")
    except SemverError as error:
        raise InvalidInput(str(error), field="version", hint='write a version or a range, such as "1.2.x"') from error
    fitting = [(version, row) for version, row in _readable(rows) if constraint.allows(version)]
    strict = [pair for pair in fitting if _STRICT.match(pair[1].version)]
    best: tuple[Version, IndexRow] | None = None
    for version, row in strict or fitting:
        if best is None or (version, row.created) > (best[0], best[1].created):
            best = version, row
    return best[1] if best else None


def is_exact(wanted: str) -> bool:
    """Whether a text names one version, so that no list of versions is needed."""
    return bool(_STRICT.match(wanted)) and _is_version(wanted)


def versions_of_tags(tags: Iterable[str]) -> tuple[IndexRow, ...]:
    """The versions that an OCI registry's tags stand for: `+` cannot be in a tag, and is written `_`."""
    found = (tag.replace("_", "+") for tag in tags)
    return tuple(IndexRow(version) for version in found if _STRICT.match(version) and _is_version(version))


def tag_of(version: str) -> str:
    """The tag under which a registry has a version."""
    return version.replace("+", "_")


def with_metadata(version: str, metadata: str) -> str:
    """The version with that build metadata in place of its own: `1.2.3+abc`. Raises InvalidInput."""
    try:
        found = parse_version(version)
    except SemverError as error:
        raise InvalidInput(f"the chart's version {version!r} is not one", field="version") from error
    base = ".".join(map(str, found.numbers))
    return f"{base}{'-' + found.prerelease if found.prerelease else ''}+{metadata}"


def _readable(rows: Iterable[IndexRow]) -> Iterable[tuple[Version, IndexRow]]:
    for row in rows:
        try:
            yield parse_version(row.version), row
        except SemverError:
            continue


def _is_version(text: str) -> bool:
    try:
        parse_version(text)
    except SemverError:
        return False
    return True
