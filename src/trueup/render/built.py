"""What a build gives, before anything that a Secret may have passed through: values only, fit for the cache."""

from __future__ import annotations

from msgspec import Raw, Struct

from trueup.model.outcome import Notice
from trueup.model.snapshot import Inputs


class BuiltObject(Struct, frozen=True, gc=False, omit_defaults=True, array_like=True):
    """One manifest as JSON. `text` is its YAML, where a `$` stands in it: substitution works on text."""

    object: Raw
    path: str = ""
    line: int = 0
    text: str = ""


class Build(Struct, frozen=True, kw_only=True):
    """The objects of a path, and all that was looked at for them."""

    objects: tuple[BuiltObject, ...]
    inputs: Inputs
    source_type: str
    """`Kustomize` or `Directory`."""
    notices: tuple[Notice, ...] = ()
