"""Whether a registered repository or cluster answers, as the controller tells the server. Pure data, nothing secret in it."""

from __future__ import annotations

from msgspec import Struct

MOST_NAMES = 10_000
"""Branches, tags, charts, versions of a chart: of each so many are told at most."""


class ProbeWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`secret`: the name of the labelled Secret of the control namespace that registers it."""

    secret: str


class Probe(Struct, frozen=True, kw_only=True, rename="camel"):
    """`reason`, `message` and `hint` say why not, in the words that conditions have. `version` is a cluster's, the rest a repository's."""

    reachable: bool
    reason: str = ""
    message: str = ""
    hint: str = ""
    version: str = ""
    default_branch: str = ""
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    charts: dict[str, tuple[str, ...]] = {}
