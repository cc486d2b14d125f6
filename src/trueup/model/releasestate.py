"""What is remembered of a Helm release between looks: what a HelmRelease's status holds. Pure vocabulary.

The status is the truth of it, so that a controller that lost its state folder, or another one, goes on from there.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from trueup.model.inventory import InventoryEntry
from trueup.model.releaserecord import ReleaseSnapshot


class ReleaseAction(StrEnum):
    """What can be done to a release. The values of install and upgrade are what the status says."""

    UNLOCK = "unlock"
    INSTALL = "install"
    UPGRADE = "upgrade"
    TEST = "test"
    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"
    REMOVE = "remove"
    """Uninstall what was released under another name, namespace or chart."""


class Mark(Struct, frozen=True):
    """One of the conditions Released, TestSuccess and Remediated: True or False, with the words of the action."""

    status: bool
    reason: str
    message: str


class Attempt(Struct, frozen=True, kw_only=True):
    """What the last install or upgrade worked on; a failure counts as long as it is this."""

    generation: int = 0
    revision: str = ""
    """The chart's version."""
    artifact_digest: str = ""
    config_digest: str = ""
    action: str = ""


class ReleaseState(Struct, frozen=True, kw_only=True):
    """`history` is newest first, back to the last release that succeeded."""

    history: tuple[ReleaseSnapshot, ...] = ()
    attempt: Attempt = Attempt()
    failures: int = 0
    install_failures: int = 0
    upgrade_failures: int = 0
    handled_force: str = ""
    handled_reset: str = ""
    storage_namespace: str = ""
    post_render_digest: str = ""
    chart_object: str = ""
    """`namespace/name` of the HelmChart that was made of a chart template."""
    released: Mark | None = None
    tested: Mark | None = None
    remediated: Mark | None = None
    drifted: Mark | None = None
    crds: tuple[InventoryEntry, ...] = ()

    @property
    def latest(self) -> ReleaseSnapshot | None:
        return self.history[0] if self.history else None

    def elsewhere(self) -> ReleaseState:
        """What still holds in another cluster, where nothing was released: answers to requests, and the HelmChart at home."""
        return ReleaseState(
            handled_force=self.handled_force, handled_reset=self.handled_reset, chart_object=self.chart_object
        )

    def previous(self, *, ignore_tests: bool) -> ReleaseSnapshot | None:
        """The release before the latest that succeeded: what a rollback goes back to."""
        for snapshot in self.history[1:]:
            if snapshot.status in ("deployed", "superseded") and (ignore_tests or not snapshot.tests_failed):
                return snapshot
        return None
