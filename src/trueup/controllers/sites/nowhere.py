"""The site of Apps whose cluster is not known (yet): nothing is seen there, and nothing can be done.

What is asked of the wrong cluster would be answered, and what is applied to it would stay; so an App without its own
cluster has this one, and never the controller's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from trueup.controllers.managed import Kept, ManagedObjects
from trueup.controllers.releases.index import ReleaseIndex
from trueup.controllers.releases.shell import ReleaseShell
from trueup.controllers.shell import AppShell
from trueup.controllers.sites.site import Site, SiteUnavailable
from trueup.controllers.tracking import Tracking
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.rendering import Capabilities
from trueup.sync.facts import LiveFacts


def make_nowhere(home: AppShell) -> Site:
    """`home` gives what is no cluster's."""
    managed = ManagedObjects(lambda _app, _ref: None, _Silent(), home.secret_key, home.clock)
    releases = ReleaseShell(
        engine=home.releases.engine,
        index=ReleaseIndex(lambda _app, _status: None),
        lookup_for=_nothing,
        listing_for=_nothing,
    )
    shell = replace(
        home,
        capabilities=_no_capabilities,
        managed=managed,
        tracking=Tracking(_Blind(), managed),
        applier_for=_nothing,
        access_for=_nothing,
        established=_never,
        releases=releases,
    )
    return Site(name="", cluster_id="nowhere", shell=shell)


def _nothing(*_: object) -> NoReturn:
    raise SiteUnavailable("its cluster is not known yet", hint="try again in a moment")


async def _no_capabilities() -> Capabilities:
    _nothing()


async def _never(crd: Manifest) -> None:
    del crd
    _nothing()


class _Blind:
    """`controllers.tracking.Watches` that see nothing, so that nothing is taken for absent either."""

    async def follow(self, group: str, version: str, kind: str) -> None: ...

    def is_complete(self, group_kind: GroupKind, version: str = "") -> bool:
        del group_kind, version
        return False

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        del ref, version
        return None

    def observe(self, answer: Manifest) -> None: ...


class _Silent:
    """`controllers.managed.Listener`."""

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None: ...

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None: ...

    def health_changed(
        self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None
    ) -> None: ...
