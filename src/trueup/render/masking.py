"""Keeps values that came from Secrets out of what a tool says of them. Whole values and their parts of some length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from msgspec import Struct

from trueup.model.boundedyaml import load_yaml
from trueup.model.errors import TrueupError

SHORTEST = 4
"""Shorter texts are left: they would blot out half of every message, and tell nobody anything."""
MASK = "***"


class Masker(Struct, frozen=True):
    """`values` longest first, so that no part of a value is left beside the mask of another."""

    values: tuple[str, ...] = ()

    @staticmethod
    def of_texts(texts: Iterable[str]) -> Masker:
        """Texts are values themselves, and where they are YAML, so is every scalar in them."""
        found: set[str] = set()
        for text in texts:
            found |= {text.strip(), *(line.strip() for line in text.splitlines())}
            found |= set(_scalars(_parsed(text)))
        return Masker(tuple(sorted((each for each in found if len(each) >= SHORTEST), key=len, reverse=True)))

    def __repr__(self) -> str:
        return f"Masker({len(self.values)} values)"

    def text(self, said: str) -> str:
        for value in self.values:
            said = said.replace(value, MASK)
        return said

    def masked(self, error: TrueupError) -> TrueupError:
        """The same error without the values. It has no cause, which would hold them still."""
        if not self.values:
            return error
        return type(error)(
            self.text(error.message),
            reason=error.reason,
            hint=self.text(error.hint),
            origin=error.origin,
            ref=error.ref,
            field=error.field,
        )


def _parsed(text: str) -> Any:
    try:
        return load_yaml(text)
    except yaml.YAMLError:
        return None


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
