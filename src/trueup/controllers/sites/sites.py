"""Which App's objects live in which cluster: sites are opened when the first App needs one, shared, exchanged, and closed.

An App asks by a *target* (`model.target`); a *link* keeps a target's site current: it reads the Secret, has the site opened
that this very content leads to, and looks again from time to time. Links of the same content share a site. An App moves
only in a look of its own, so a site goes when the last App has left it, and never under one that is at work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import cached_property

import structlog

from trueup.controllers.sites.hosting import Host, Link, Open
from trueup.controllers.sites.nowhere import make_nowhere
from trueup.controllers.sites.site import Site, SiteUnavailable
from trueup.controllers.sites.ways import ClusterUnknown, Way
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.model.target import Destination, Target

log = structlog.get_logger(__name__)

RELOOK = 300.0
"""Seconds after which it is read again where a cluster is, besides when there is a reason to."""
FIRST_AGAIN, LONGEST_AGAIN = 2.0, 60.0
"""Seconds between two tries to get to a cluster: doubled up to the second."""


class SitePending(SiteUnavailable):
    """The cluster is being looked at for the first time; a word comes of that soon."""


async def no_ways(target: Target) -> Way:
    """Where there is no cluster but the controller's own."""
    raise ClusterUnknown(f"{target} is not known")


class Sites:
    """`home` is the controller's own cluster, whose Apps cost nothing here."""

    def __init__(
        self,
        home: Site,
        ways: Callable[[Target], Awaitable[Way]] = no_ways,
        open_site: Open | None = None,
    ) -> None:
        self.home = home
        self._ways = ways
        self._open_site = open_site
        self._links: dict[Target, Link] = {}
        self._link_of: dict[ObjectRef, Link] = {}
        self._at: dict[ObjectRef, Site] = {}
        self._hosts: dict[str, Host] = {}
        self._group: asyncio.TaskGroup | None = None
        self.wake: Callable[[ObjectRef], None] = lambda _: None

    @cached_property
    def nowhere(self) -> Site:
        return make_nowhere(self.home.shell)

    async def run(self) -> None:
        """Owns the tasks of links and sites, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for link in self._links.values():
                self._start(link)
            await asyncio.Event().wait()

    # where Apps are

    def at(self, app: ObjectRef) -> Site:
        """Where its objects are looked at now; for one that nobody placed the controller's own cluster."""
        return self._at.get(app, self.home)

    def wanted(self, app: ObjectRef, target: Target | None) -> Site:
        """The site that its target leads to now. Raises SitePending, or what keeps it from being worked on."""
        link = self._link_of.get(app)
        if target is None:
            if link is not None:
                self._unlink(app)
            return self.home
        if link is None or link.target != target:
            self._unlink(app)
            link = self._link(app, target)
        site = link.host.site if link.host is not None else None
        site = self.home if link.is_home else site
        if site is None or link.problem is not None:
            raise link.problem or SitePending(f"{target} is being looked at", hint="wait a moment")
        if site.problem is not None:
            raise site.problem
        return site

    def put(self, app: ObjectRef, site: Site) -> None:
        """Its objects are looked at there from now on."""
        before = self._at.pop(app, None)
        if before is not None:
            before.users.discard(app)
        if site is not self.home:
            self._at[app] = site
            site.users.add(app)
        if before is not None and before is not site:
            self._close_unused()

    def leads_home(self, app: ObjectRef, target: Target | None) -> bool:
        """Whether this very target is known to lead to the controller's own cluster."""
        link = self._link_of.get(app)
        return target is None or (link is not None and link.target == target and link.is_home)

    def problem(self, app: ObjectRef) -> SiteUnavailable | None:
        """Why its objects cannot be reached now, though they may have been before."""
        link, site = self._link_of.get(app), self.at(app)
        found = (link.problem if link is not None else None) or site.problem
        return SiteUnavailable(found.message, reason=found.reason, hint=found.hint) if found is not None else None

    def may_be_home(self, site: Site) -> bool:
        """Whether it is the controller's own cluster, if by another way; so it may be where the cluster does not tell who it is."""
        known = self.home.cluster_id
        return site is self.home or site.cluster_id == known or not site.is_named

    def is_led(self, app: ObjectRef) -> bool:
        """Whether its target leads anywhere, if only to a cluster that does not answer now."""
        link = self._link_of.get(app)
        return link is not None and (link.host is not None or link.is_home)

    def leave(self, app: ObjectRef) -> None:
        """The App is gone."""
        self._unlink(app)
        self.put(app, self.home)

    # what makes them look again

    def value_changed(self, ref: ObjectRef) -> None:
        """A Secret or ConfigMap was written; whoever is reached by it is looked for again."""
        for link in self._links.values():
            if not isinstance(link.target, Destination) and link.target.ref == ref:
                link.poked.set()

    def registry_changed(self) -> None:
        """A cluster was registered, changed or taken away."""
        for link in self._links.values():
            if isinstance(link.target, Destination):
                link.poked.set()

    def poke(self, app: ObjectRef) -> None:
        """Somebody asked for this App: its cluster is looked for at once."""
        if (link := self._link_of.get(app)) is not None:
            link.poked.set()

    # links

    def _link(self, app: ObjectRef, target: Target) -> Link:
        link = self._links.get(target)
        if link is None:
            link = self._links[target] = Link(target)
            self._start(link)
        link.users.add(app)
        self._link_of[app] = link
        return link

    def _start(self, link: Link) -> None:
        if self._group is not None and link.task is None:
            link.task = self._group.create_task(self._tend(link), name=f"link to {link.target}")

    def _unlink(self, app: ObjectRef) -> None:
        link = self._link_of.pop(app, None)
        if link is None:
            return
        link.users.discard(app)
        if not link.users:
            del self._links[link.target]
            if link.task is not None:
                link.task.cancel()
            self._let_go(link)

    async def _tend(self, link: Link) -> None:
        """Keeps a link's site current until it is cancelled."""
        failures = 0
        while True:
            link.poked.clear()
            try:
                await self._renew(link)
                failures = 0
                wait = RELOOK
            except (ApiError, ClusterUnreachable) as error:
                # Of our own cluster: what is known of the other one still holds.
                log.warning("a target could not be read", target=str(link.target), error=error.message)
                failures += 1
                wait = again(failures)
            except TrueupError as error:
                failures += 1
                wait = again(failures)
                self._lose(link, error)
            except Exception as error:
                # Whatever somebody writes into a Secret ends no more than the way that it describes.
                log.exception("a target could not be used, by a bug", target=str(link.target))
                failures += 1
                wait = again(failures)
                said = f"{link.target} cannot be used: an internal error: {type(error).__name__}"
                self._lose(
                    link, SiteUnavailable(said, hint="see the controller's log, and look at what the Secret says")
                )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await link.poked.wait()

    async def _renew(self, link: Link) -> None:
        """Raises TrueupError when there is no site that it leads to."""
        way = await self._ways(link.target)
        if way.is_home:
            if not link.is_home:
                self._let_go(link)
                link.is_home, link.problem = True, None
                self._wake(link.users)
            return
        host = self._hosts.get(way.identity)
        if host is None or host.ended:
            host = self._hosts[way.identity] = self._host(way)
        host.links.add(link)
        await host.settled.wait()
        if host.site is None or host.ended:
            raise host.failure or SiteUnavailable(f"{way.name} could not be looked at")
        before, waiting = link.host, link.problem is not None
        link.host, link.is_home, link.problem = host, False, None
        if before is not host or waiting:
            if before is not None and before is not host:
                before.links.discard(link)
                self._close_unused()
            self._wake(link.users)

    def _lose(self, link: Link, problem: TrueupError) -> None:
        """Nothing leads there any more, or what does leads nowhere: our credentials are used no longer."""
        known, link.problem = link.problem, problem
        self._let_go(link)
        if known is None or str(known) != str(problem):
            self._wake(link.users)

    def _let_go(self, link: Link) -> None:
        link.host, link.is_home = None, False
        for host in self._hosts.values():
            host.links.discard(link)
        self._close_unused()

    def _host(self, way: Way) -> Host:
        assert self._open_site is not None
        assert self._group is not None
        host = Host(way, self._open_site, lambda: self._changed(host), lambda: self._refused(host))
        self._group.create_task(host.run(), name=f"site {way.name}")
        return host

    def _changed(self, host: Host) -> None:
        """A site stopped or began to answer, or ended by itself."""
        for link in host.links:
            if host.ended:
                link.poked.set()
            self._wake(link.users)

    def _refused(self, host: Host) -> None:
        for link in host.links:
            link.poked.set()

    def _wake(self, apps: set[ObjectRef]) -> None:
        for app in sorted(apps):
            self.wake(app)

    def _close_unused(self) -> None:
        """One that is being opened for nobody any more is closed when it is open."""
        for identity, host in list(self._hosts.items()):
            if host.links or (host.site is not None and host.site.users):
                continue
            host.close()
            del self._hosts[identity]


def again(failures: int) -> float:
    """Seconds until the next try after so many failures in a row."""
    return float(min(FIRST_AGAIN * 2 ** min(failures - 1, 10), LONGEST_AGAIN))
