"""Fields that an App does not want compared (Argo CD's `ignoreDifferences`): taken out of both sides before they are.

JSON pointers and jq paths name them by place, managers by who holds them on the live object. An object that matches no rule
costs a look at the rules and nothing else. jq runs in this process, so only expressions that are sure to end soon are taken
(`jqsafety`).
https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import jq

from trueup.model.app import IgnoreRule
from trueup.model.errors import InvalidInput
from trueup.model.fields import EMPTY, FieldSet, format_path, managed_entries
from trueup.model.globs import matches
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.jqsafety import unsafe

Place = tuple[str | int, ...]


def rules_for(rules: Sequence[IgnoreRule], ref: ObjectRef) -> tuple[IgnoreRule, ...]:
    """Those that are about this object."""
    return tuple(rule for rule in rules if _is_about(rule, ref)) if rules else ()


def without_ignored(obj: Manifest, rules: Sequence[IgnoreRule]) -> Manifest:
    """The object without what these rules ignore by place; itself where that is nothing. `rules` are about it."""
    places = [place for place in ignored_places(obj, rules) if _at(obj, place)[0]]
    if not places:
        return obj
    result = copy.deepcopy(obj)
    # Later items of a list first, so that the places of the others stay what they are.
    for place in sorted(places, key=_from_the_end, reverse=True):
        _remove(result, place)
    return result


def with_live_values(manifest: Manifest, live: Manifest, rules: Sequence[IgnoreRule]) -> Manifest:
    """What to send where differences are respected: of the ignored places the live values, and nothing where there is none.

    Items of lists are taken as they stand at the same place, as Argo CD does.
    """
    wanted = {*ignored_places(manifest, rules), *ignored_places(live, rules), *_held(live, rules)}
    result = copy.deepcopy(manifest)
    for place in sorted(wanted, key=_from_the_end, reverse=True):
        found, value = _at(live, place)
        if found:
            _put(result, place, value)
        elif _at(result, place)[0]:
            _remove(result, place)
    return result


def ignored_places(obj: Manifest, rules: Sequence[IgnoreRule]) -> tuple[Place, ...]:
    """Where this object has, or would have, an ignored field."""
    found: dict[Place, None] = {}
    for rule in rules:
        for pointer in rule.json_pointers:
            found[_of_pointer(obj, pointer)] = None
        for expression in rule.jq_paths:
            for place in _of_jq(obj, expression):
                found[place] = None
    return tuple(place for place in found if place)


def held_by(obj: Manifest, rules: Sequence[IgnoreRule]) -> FieldSet:
    """The fields that ignored managers hold on a live object."""
    names = {name for rule in rules for name in rule.managers}
    fields = EMPTY
    for entry in managed_entries(obj) if names else ():
        if entry.manager in names and entry.subresource != "status":
            fields = fields.union(entry.fields)
    return fields


def is_held(path: str, fields: FieldSet) -> bool:
    """Whether a changed field (`FieldChange.path`) is one of these, or lies in one."""
    return any(path == held or path.startswith((f"{held}.", f"{held}[")) for held in map(format_path, fields.leaves()))


def check_rules(rules: Iterable[IgnoreRule], ref: ObjectRef, field: str) -> None:
    """Raises InvalidInput for what is no pointer, no expression, or one that is not sure to end."""
    for number, rule in enumerate(rules):
        for pointer in rule.json_pointers:
            if not pointer.startswith("/"):
                where = f"{field}[{number}].jsonPointers"
                raise InvalidInput(f"{pointer!r} is no JSON pointer", ref=ref, field=where, hint='begin it with "/"')
        for expression in rule.jq_paths:
            if why := _refused(expression):
                where = f"{field}[{number}].jqPathExpressions"
                hint = "paths and select() with a condition may be used: docs/how-to/ignore-differences.md"
                raise InvalidInput(f"{expression!r}: {why}", ref=ref, field=where, hint=hint)


def _refused(expression: str) -> str:
    if why := unsafe(expression):
        return why
    try:
        _compiled(expression)
    except ValueError as error:
        return f"is no jq expression: {str(error).splitlines()[0]}"
    return ""


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return jq.compile(f"[path({expression})]")


def _of_jq(obj: Manifest, expression: str) -> list[Place]:
    """None where it does not fit the object: as with the original, that is no error."""
    try:
        found = _compiled(expression).input_value(obj).first()
    except ValueError:
        return []
    return [tuple(place) for place in found if all(isinstance(part, str | int) for part in place)]


def _of_pointer(obj: Manifest, pointer: str) -> Place:
    """RFC 6901; a number is an index where a list stands."""
    place: list[str | int] = []
    value: Any = obj
    for raw in pointer.split("/")[1:]:
        part: str | int = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and str(part).isdigit():
            part = int(part)
        place.append(part)
        value = _child(value, part)[1]
    return tuple(place)


def _child(value: Any, part: str | int) -> tuple[bool, Any]:
    if isinstance(value, dict) and isinstance(part, str) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return True, value[part]
    return False, None


def _at(obj: Any, place: Place) -> tuple[bool, Any]:
    found, value = True, obj
    for part in place:
        found, value = _child(value, part)
        if not found:
            return False, None
    return found, value


def _remove(obj: Any, place: Place) -> None:
    found, parent = _at(obj, place[:-1])
    if found and _child(parent, place[-1])[0]:
        del parent[place[-1]]


def _put(obj: Any, place: Place, value: Any) -> None:
    """Where the way there leads through a list that has no such item, nothing is put."""
    here = obj
    for part in place[:-1]:
        found, child = _child(here, part)
        if not found and isinstance(here, dict) and isinstance(part, str):
            child = here[part] = {}
        elif not found:
            return
        here = child
    last = place[-1]
    if (isinstance(here, dict) and isinstance(last, str)) or _child(here, last)[0]:
        here[last] = copy.deepcopy(value)


def _held(live: Manifest, rules: Sequence[IgnoreRule]) -> list[Place]:
    """Of ignored managers' fields those that lead through no list: the others are told apart by keys, not by places."""
    places: list[Place] = []
    for path in held_by(live, rules).leaves():
        if all(element.startswith("f:") for element in path):
            places.append(tuple(element[2:] for element in path))
    return places


def _from_the_end(place: Place) -> tuple[int, tuple[tuple[int, int, str], ...]]:
    parts = tuple((1, part, "") if isinstance(part, int) else (0, 0, part) for part in place)
    return len(parts), parts


def _is_about(rule: IgnoreRule, ref: ObjectRef) -> bool:
    return (
        matches(rule.group, ref.group)
        and matches(rule.kind, ref.kind)
        and (not rule.name or matches(rule.name, ref.name))
        and (not rule.namespace or matches(rule.namespace, ref.namespace))
    )
