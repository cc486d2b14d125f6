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


class Asked(Struct, frozen=True, omit_defaults=True):
    """What a chart asked of the cluster, and what it was told: with other answers it would be another build."""

    kube_version: str = ""
    """The version that it saw; empty: it did not look."""
    api_versions: dict[str, bool] = {}
    everything: str = ""
    """A digest of all there is, where a chart looked at the list itself."""


class Build(Struct, frozen=True, kw_only=True):
    """The objects of a path, and all that was looked at for them."""

    objects: tuple[BuiltObject, ...]
    inputs: Inputs
    source_type: str
    """`Kustomize`, `Directory` or `Helm`."""
    question: str = ""
    """A digest of what else of the spec decided it, where that depends on the tool; "": nothing."""
    asked: Asked = Asked()
    notices: tuple[Notice, ...] = ()
