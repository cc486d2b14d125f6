"""Label and field selectors, matched against manifests. Their texts are read by `labelgrammar` and `fieldgrammar`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from trueup.embedded.gowords import integer64
from trueup.model.manifest import Manifest, labels_of

FieldReader: TypeAlias = Callable[[Manifest], str]


class Requirement(Struct, frozen=True):
    """One term. `operator` is one of in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values if value is not None else False
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        have, want = integer64(value or ""), integer64(next(iter(self.values)))
        if have is None or want is None:
            return False
        return have > want if self.operator == "gt" else have < want


class LabelSelector(Struct, frozen=True):
    """All requirements must hold; none match everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        if not self.requirements:
            return True
        labels = labels_of(manifest)
        return all(requirement.matches(labels) for requirement in self.requirements)


class FieldSelector(Struct, frozen=True):
    """Terms of (path, wanted value, whether it must equal) with the reader of each path."""

    terms: tuple[tuple[str, str, bool], ...] = ()
    readers: tuple[FieldReader, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        return all(
            (reader(manifest) == value) is equal
            for (_, value, equal), reader in zip(self.terms, self.readers, strict=True)
        )
