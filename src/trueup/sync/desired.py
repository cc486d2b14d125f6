"""One object as it is to be: normalised, marked with its owner, with the digest that tells whether it changed."""

from __future__ import annotations

from msgspec import Struct

from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest, Origin
from trueup.model.refs import ObjectRef


class Desired(Struct, frozen=True, kw_only=True):
    """`manifest` is exactly what is sent. `digest` is keyed (`canonical.keyed_digest`): it may be kept."""

    ref: ObjectRef
    version: str
    manifest: Manifest
    digest: str
    origin: Origin | None = None
    tainted: bool = False
    """A secret went through its text: its values may be kept only masked."""

    @property
    def entry(self) -> InventoryEntry:
        return InventoryEntry(self.ref, self.version)
