"""The search of lists: words and `field:value` terms, all of which must hold. Pure.

web                      the name, namespace, project, path, URL, revision or message contains it
status:failed,stalled    one of several; also health:, sync:, kind:, project:, namespace:, cluster:, environment:,
                         team:, dialect:, key:KIND/NAMESPACE/NAME
label:team=a             a label has that value; label:team - it is there
name~^web-[0-9]+$        a regular expression (RE2)
-status:ready            not
is:suspended             suspended, pinned, manual (not automated), busy (an operation runs), broken
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import re2  # type: ignore[import-untyped]

from trueup.apps.status import Status
from trueup.model.errors import InvalidInput
from trueup.server.world.rows import AppRow

Test = Callable[[AppRow], bool]
BROKEN = frozenset({Status.FAILED, Status.STALLED, Status.DEGRADED})
LONGEST = 500
MOST_TERMS = 30

_FIELDS: dict[str, Callable[[AppRow], str]] = {
    "key": lambda row: row.key,
    "name": lambda row: row.name,
    "status": lambda row: row.status,
    "health": lambda row: row.health,
    "sync": lambda row: row.sync,
    "kind": lambda row: row.kind,
    "project": lambda row: row.project,
    "namespace": lambda row: row.namespace,
    "cluster": lambda row: row.cluster,
    "environment": lambda row: row.environment,
    "team": lambda row: row.team,
    "destination": lambda row: row.destination,
    "dialect": lambda row: row.dialect,
    "revision": lambda row: row.full_revision,
    "repo": lambda row: row.source.url or row.source.ref,
    "path": lambda row: row.source.path,
    "image": lambda row: " ".join(row.images),
    "message": lambda row: row.message,
}
_CONTAINS = frozenset({"repo", "path", "image", "message", "revision"})
"""Fields of which `:` asks for a part; of the others the whole value."""
_IS: dict[str, Test] = {
    "suspended": lambda row: row.suspended,
    "pinned": lambda row: row.pinned,
    "manual": lambda row: not row.automated,
    "busy": lambda row: row.operation is not None and row.operation.phase in ("Running", "Terminating"),
    "broken": lambda row: row.status in BROKEN,
}


def search(text: str) -> Test:
    """Raises InvalidInput, which names the term and what is allowed."""
    if len(text) > LONGEST:
        raise InvalidInput(f"is longer than {LONGEST} characters", field="search")
    try:
        terms = shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"a quote is not closed: {error}", field="search", hint="close it") from None
    if len(terms) > MOST_TERMS:
        raise InvalidInput(f"has more than {MOST_TERMS} terms", field="search")
    tests = [_term(term) for term in terms]
    return lambda row: all(test(row) for test in tests)


def _term(term: str) -> Test:
    if term.startswith("-") and len(term) > 1:
        inner = _term(term[1:])
        return lambda row: not inner(row)
    for mark in ("~", ":"):
        field, found, value = term.partition(mark)
        if found and field.lower() in (*_FIELDS, "is", "label"):
            return _pattern(field.lower(), value) if mark == "~" else _field(field.lower(), value)
    if ":" in term and "/" not in term and not term.partition(":")[2].isdigit():
        known = ", ".join(sorted((*_FIELDS, "is", "label")))
        raise InvalidInput(f"there is no field {term.partition(':')[0]!r}", field="search", hint=f"there are: {known}")
    return _word(term)


def _word(term: str) -> Test:
    wanted = term.lower()

    def test(row: AppRow) -> bool:
        source = row.source
        texts = (row.name, row.namespace, row.project, source.path, source.url, source.ref, row.revision, row.message)
        return any(wanted in text.lower() for text in texts)

    return test


def _field(field: str, value: str) -> Test:
    if field == "is":
        return _any(value, _IS)
    if field == "label":
        return _label(value)
    read = _FIELDS[field]
    wanted = [part.lower() for part in value.split(",") if part]
    if field in _CONTAINS:
        return lambda row: any(part in read(row).lower() for part in wanted)
    allowed = frozenset(wanted)
    return lambda row: read(row).lower() in allowed


def _any(value: str, known: dict[str, Test]) -> Test:
    if value.lower() not in known:
        raise InvalidInput(f"is:{value} means nothing", field="search", hint=f"there are: {', '.join(sorted(known))}")
    return known[value.lower()]


def _label(value: str) -> Test:
    name, equals, wanted = value.partition("=")
    if not equals:
        return lambda row: name in row.labels
    return lambda row: row.labels.get(name) == wanted


def _pattern(field: str, value: str) -> Test:
    if field in ("is", "label"):
        raise InvalidInput(f"{field} takes no pattern", field="search", hint=f"write {field}:VALUE")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    try:
        compiled = re2.compile(value, options)
    except re2.error as error:
        raise InvalidInput(
            f"{value!r} is no pattern: {error}", field="search", hint="see https://golang.org/s/re2syntax"
        ) from error
    read = _FIELDS[field]
    return lambda row: compiled.search(read(row)) is not None
