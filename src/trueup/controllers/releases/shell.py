"""What releases need of the world besides what every App needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trueup.controllers.releases.index import ReleaseIndex
from trueup.controllers.releases.records import ListRecords
from trueup.model.app import SyncRules
from trueup.render.releases import Lookup, ReleaseEngine


@dataclass(slots=True)
class ReleaseShell:
    engine: ReleaseEngine
    index: ReleaseIndex
    lookup_for: Callable[[SyncRules], Lookup]
    """`lookup` of templates, as the identity that the release works as."""
    listing_for: Callable[[SyncRules], ListRecords]
