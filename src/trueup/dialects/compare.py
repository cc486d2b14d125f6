"""What an installed CRD has and ours lacks: fields that would be pruned, versions that would no longer be served.

`install` and `run` refuse where this finds anything, unless told to adopt, because the API server drops unknown fields
without a word when an object is next written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from trueup.dialects.reading import rows_of
from trueup.model.manifest import Manifest, name_of, spec_of

_PRESERVE = "x-kubernetes-preserve-unknown-fields"


class Lack(Struct, frozen=True, order=True):
    """One thing that the installed CRD has and ours has not. `field` empty: the whole version."""

    crd: str
    version: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.crd} {self.version}: {self.field}" if self.field else f"{self.crd}: version {self.version}"


def lacks(installed: Manifest, ours: Manifest) -> tuple[Lack, ...]:
    """Sorted; empty when every object that the installed CRD accepts keeps all its fields under ours."""
    crd = name_of(ours)
    served = dict(_versions(ours))
    found: set[Lack] = set()
    for version, schema in _versions(installed):
        if version not in served:
            found.add(Lack(crd, version))
            continue
        found.update(Lack(crd, version, field) for field in _missing(schema, served[version], ""))
    return tuple(sorted(found))


def _versions(crd: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The served or stored versions with their schemas."""
    for row in rows_of(spec_of(crd).get("versions")):
        if row.get("served") or row.get("storage"):
            schema = row.get("schema")
            root = schema.get("openAPIV3Schema") if isinstance(schema, dict) else None
            yield str(row.get("name")), root if isinstance(root, dict) else {}


def _missing(theirs: Mapping[str, Any], ours: Mapping[str, Any], path: str) -> Iterator[str]:
    """The topmost paths that theirs names and ours would prune; `[]` steps into a list, `*` into a map."""
    if ours.get(_PRESERVE):
        return
    if theirs.get(_PRESERVE):
        yield f"{path}.*" if path else "*"
        return
    properties = ours.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
    rest = ours.get("additionalProperties")
    theirs_properties = theirs.get("properties")
    for name, schema in (theirs_properties if isinstance(theirs_properties, dict) else {}).items():
        place = f"{path}.{name}" if path else name
        if not path and name in ("apiVersion", "kind", "metadata"):
            continue
        if name in known:
            yield from _missing(schema, known[name], place)
        elif isinstance(rest, dict):
            yield from _missing(schema, rest, place)
        elif rest is not True:
            yield place
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        inner = theirs.get(key)
        if not isinstance(inner, dict):
            if key == "additionalProperties" and inner is True and not isinstance(rest, dict) and rest is not True:
                yield f"{path}.*"
            continue
        own = ours.get(key)
        if isinstance(own, dict):
            yield from _missing(inner, own, f"{path}{mark}")
        elif key == "items" or own is not True:
            yield f"{path}{mark}"
