"""An App comes to a cluster: its objects are claimed and looked at there, and what it left elsewhere is said.

What an App remembers (inventory, records) is about one cluster. Another kubeconfig of the same cluster changes nothing of
it; another cluster begins empty, and nothing is deleted in the one that was left, as with Flux: who moves an App in its
spec says nothing about what it made before.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from trueup.controllers.events import Event
from trueup.controllers.memory import AppMemory
from trueup.controllers.reading import claim, keep_release, release
from trueup.controllers.recording import make_record
from trueup.controllers.sites.site import Site
from trueup.controllers.sites.sites import Sites
from trueup.model.errors import TrueupError
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.records.record import RecordKind

log = structlog.get_logger(__name__)


class Placing:
    """`placed` is told of every App that came to a site."""

    def __init__(self, sites: Sites, placed: Callable[[ObjectRef, Site], None]) -> None:
        self._sites = sites
        self._placed = placed

    def send_away(self, memory: AppMemory) -> None:
        """For an App that is for another cluster, before its objects are claimed: in our own they are not looked at."""
        sites, app = self._sites, memory.app
        assert app is not None
        if sites.at(memory.ref) is sites.home and not sites.leads_home(memory.ref, app.target):
            self._move(memory, sites.nowhere)

    async def place(self, memory: AppMemory, obj: Manifest) -> TrueupError | None:
        """Brings the App to the site that its target leads to. What it gives keeps the site from being worked on."""
        sites, app = self._sites, memory.app
        if app is None:
            if memory.saved.cluster not in ("", sites.home.cluster_id) and sites.at(memory.ref) is sites.home:
                sites.put(memory.ref, sites.nowhere)  # it cannot be read; its objects are not in our cluster anyhow
            return None
        try:
            site = sites.wanted(memory.ref, app.target)
        except TrueupError as problem:
            if not sites.is_led(memory.ref):
                self._move(memory, sites.nowhere)
            return problem
        if sites.at(memory.ref) is site:
            self._settle(memory, obj, site)
            return None
        self._settle(memory, obj, site)
        try:
            await self._look_around(memory, site)
        except TrueupError as problem:
            return problem
        return None

    async def _look_around(self, memory: AppMemory, site: Site) -> None:
        """Claims before it looks, so that what is seen first is seen closely. Raises ApiError, ClusterUnreachable."""
        app, saved = memory.app, memory.saved
        assert app is not None
        claim(memory, app, site.shell)
        if site is not self._sites.home:
            try:
                await site.shell.tracking.follow(
                    sorted({(entry.ref.group, entry.version, entry.ref.kind) for entry in saved.inventory.entries})
                )
            except TrueupError:
                site.shell.managed.release(memory.ref)
                raise
        self._move(memory, site)
        if app.release is not None:
            keep_release(memory, app.release, site.shell, first=True)

    def _move(self, memory: AppMemory, site: Site) -> None:
        before = self._sites.at(memory.ref)
        if before is site:
            return
        release(memory, before.shell)
        self._sites.put(memory.ref, site)
        self._placed(memory.ref, site)

    def _settle(self, memory: AppMemory, obj: Manifest, site: Site) -> None:
        """Notes which cluster the memory is about; one that is about another begins anew."""
        saved = memory.saved
        known, saved.cluster = saved.cluster, site.cluster_id
        if known in ("", site.cluster_id):
            return
        left = len(saved.inventory)
        message = (
            f"{memory.ref} moved to the cluster {site.name}; its {left} objects in the cluster that it left live on there, "
            "unmanaged: delete them by hand, or move it back and empty it first"
        )
        log.warning("an App moved to another cluster", app=str(memory.ref), left=left, cluster=site.cluster_id)
        shell = site.shell
        if left:
            shell.events.emit(obj, Event(reason="ObjectsKept", message=message, warning=True))
            shell.recorder.put(make_record(shell, RecordKind.PRUNE, memory, result="succeeded", message=message))
        forget_cluster(memory)
        shell.state.put(memory.ref, memory.to_bytes())


def forget_cluster(memory: AppMemory) -> None:
    """Nothing of what is remembered is about the cluster that the App is in now."""
    saved = memory.saved
    saved.inventory, saved.records, memory.records = Inventory(), (), {}
    saved.progress, saved.hooks, saved.deletion_hooks, saved.record = None, (), (), ""
    memory.wait, memory.heals, memory.out_of_sync, memory.going = None, {}, set(), set()
    memory.shown, memory.missing_kinds, memory.healthy = (), frozenset(), frozenset()
    memory.prunes_left, memory.deleting, memory.retry_at, memory.failures = False, False, None, 0
    memory.content_stale, saved.moved = True, True
    if memory.release is not None:
        memory.release = memory.release.elsewhere()
