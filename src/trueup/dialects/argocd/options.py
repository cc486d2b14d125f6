"""Argo CD's sync options: `Name=value` texts of an Application, told apart by what becomes of them here.

The same names on a single object are `marks`' business. https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

ALWAYS_SO = frozenset(
    {
        "applyoutofsynconly=false",  # only objects that differ are ever sent
        "serversideapply=true",  # every apply is the server's
        "serversideapply=false",
        "skipdryrunonmissingresource=true",  # a missing kind is waited for
        "skipdryrunonmissingresource=false",
        "clientsideapplymigration=true",
        "prune=true",
        "delete=true",
        "validate=true",
        "createnamespace=false",
        "prunelast=false",
        "force=false",
        "replace=false",
        "failonsharedresource=false",
        "respectignoredifferences=false",
    }
)
"""What is so whatever an Application says, or is the default."""

PROPAGATION = {"foreground": "Foreground", "background": "Background", "orphan": "Orphan"}


class SyncOptions(Struct, frozen=True, kw_only=True):
    """What the options of one Application mean. `unbuilt` are texts as the user wrote them."""

    never_prune: bool = False
    never_delete: bool = False
    create_namespace: bool = False
    prune_last: bool = False
    confirm_prune: bool = False
    confirm_delete: bool = False
    respect_ignored: bool = False
    only_out_of_sync: bool = False
    """Only objects that differ are ever sent; with this, later waves wait for these alone."""
    validate: bool = True
    force: bool = False
    replace: bool = False
    refuse_shared: bool = False
    migrate_client_side_apply: bool = True
    propagation: str = ""
    unbuilt: tuple[str, ...] = ()


def read_options(texts: Iterable[str]) -> SyncOptions:
    """Case plays no part. An option that nobody knows is unbuilt too: it is a typing error or newer than we are."""
    said: dict[str, bool] = {}
    propagation = ""
    unbuilt: list[str] = []
    for text in texts:
        option = normalised(text)
        name, _, value = option.partition("=")
        if name == "prunepropagationpolicy" and value in PROPAGATION:
            propagation = PROPAGATION[value]
        elif option in _FIELDS:
            said[_FIELDS[option]] = option not in ("validate=false", "clientsideapplymigration=false")
        elif option and option not in ALWAYS_SO:
            unbuilt.append(text.strip())
    return SyncOptions(**said, propagation=propagation, unbuilt=tuple(unbuilt))


_FIELDS = {
    "prune=false": "never_prune",
    "prune=confirm": "confirm_prune",
    "respectignoredifferences=true": "respect_ignored",
    "delete=false": "never_delete",
    "delete=confirm": "confirm_delete",
    "applyoutofsynconly=true": "only_out_of_sync",
    "createnamespace=true": "create_namespace",
    "prunelast=true": "prune_last",
    "validate=false": "validate",
    "force=true": "force",
    "replace=true": "replace",
    "failonsharedresource=true": "refuse_shared",
    "clientsideapplymigration=false": "migrate_client_side_apply",
}


def normalised(option: str) -> str:
    """`" Prune = False "` -> `"prune=false"`."""
    name, equals, value = option.partition("=")
    return f"{name.strip()}{equals}{value.strip()}".lower()
