"""Objects of an App in whichever cluster it lives, for people: seen, changed, and their Events and logs read, as the App itself.

Servers have no clients of other clusters. Who may ask for what they have decided already; what is the App's is decided here,
where its cluster is, and by the rights that the App works with there. Values of Secrets are masked before they leave.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import structs

from trueup.apps.objects.asks import (
    Act,
    AllEvents,
    Change,
    Done,
    EventsOf,
    EventsSeen,
    LogsOf,
    LogsSeen,
    LogsWish,
    ObjectsWish,
    Remove,
    See,
    Seen,
    Told,
)
from trueup.apps.objects.belonging import Ours
from trueup.apps.objects.podlogs import LogLine
from trueup.apps.objects.reach import Allowed, Near
from trueup.apps.objects.refusals import NotAtWork
from trueup.controllers.comparing import NoSuchApp
from trueup.controllers.shell import AppShell
from trueup.controllers.sites.hosting import refusal, unreachable
from trueup.controllers.sites.site import Site, SiteUnavailable
from trueup.controllers.sites.sites import Sites
from trueup.model.apierror import ApiError, ClusterUnreachable, LeaseLost
from trueup.model.refs import ObjectRef
from trueup.sync.canonical import masked, masking_of


class AppObjects:
    """`below`: what hangs below the objects that an App declares, as far as it is known."""

    def __init__(self, shell: AppShell, sites: Sites, below: Callable[[ObjectRef], Iterable[ObjectRef]]) -> None:
        self._shell = shell
        self._sites = sites
        self._below = below

    async def do(self, wish: ObjectsWish) -> Told:
        """Raises NoSuchApp, SiteUnavailable where its cluster cannot be asked, and what `apps.objects.reach.Reach` does."""
        site, near = self._reach(wish.app)
        with told_at(site.name):
            return self._masked(await self._done(near, wish))

    async def logs(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        """Raises as `do`. Nothing is open before the first lines are asked for."""
        site, near = self._reach(wish.app)
        with told_at(site.name):
            return (await near.logs(wish.of, wish.options)).lines

    async def _done(self, near: Near, wish: ObjectsWish) -> Told:
        match wish.ask:
            case See():
                return await near.see(wish.ask.ref)
            case Change():
                return await near.change(wish.ask)
            case Remove():
                return await near.remove(wish.ask)
            case Act():
                return await near.act(wish.ask)
            case EventsOf():
                return EventsSeen(items=await near.events(wish.ask.ref))
            case AllEvents():
                return await near.all_events(self._refs(wish.app))
            case LogsOf():
                return LogsSeen(sources=len(await near.log_sources(wish.ask)))

    def _reach(self, app: ObjectRef) -> tuple[Site, Near]:
        """The one site is used for all of what is asked, so nothing that was looked at in one cluster is done in another."""
        shell = self._shell
        memory = shell.memories.get(app)
        if memory is None or shell.resources.get(app) is None:
            raise NoSuchApp(f"no App {app} is served here", hint="was it made a moment ago? Try again")
        site = self._sites.at(app)
        declared = memory.app
        if declared is None:
            raise SiteUnavailable(f"{app} cannot be read, so its cluster is not known", hint="see its conditions")
        if (problem := self._sites.problem(app)) is not None:
            raise problem
        if declared.target is None or (site is self._sites.home and not self._sites.leads_home(app, declared.target)):
            raise SiteUnavailable(f"{app} is not in another cluster, or not yet", hint="try again in a moment")
        access = site.shell.access_for(declared.rules)
        versions = {entry.ref: entry.version for entry in memory.saved.inventory.entries}
        allowed = Allowed(write=access.check, is_app=self._is_app_at(site))
        account = declared.rules.service_account
        whose = f"the ServiceAccount {account}" if account else "the App"
        near = Near(access.client, Ours(app=app, versions=versions), shell.clock, allowed=allowed, whose=whose)
        return site, near

    def _is_app_at(self, site: Site) -> Callable[[ObjectRef], bool]:
        """In our own cluster, by whatever way it is reached, objects of these kinds are Apps; in another one they are not."""
        kinds = self._shell.dialects
        if not self._sites.may_be_home(site):
            return lambda _: False
        return lambda ref: ref.group_kind in kinds

    def _refs(self, app: ObjectRef) -> set[ObjectRef]:
        memory = self._shell.memories.get(app)
        entries = memory.saved.inventory.entries if memory is not None else ()
        return {*(entry.ref for entry in entries), *self._below(app)}

    def _masked(self, told: Told) -> Told:
        match told:
            case Seen():
                return structs.replace(told, manifest=self._mask(told.manifest))
            case Done():
                after = self._mask(told.after) if told.after is not None else None
                return structs.replace(told, before=self._mask(told.before), after=after)
        return told

    def _mask(self, manifest: dict[str, Any]) -> dict[str, Any]:
        return masked(manifest, masking_of(manifest), self._shell.secret_key)


@contextmanager
def told_at(cluster: str) -> Iterator[None]:
    """What the cluster refuses is raised as whoever does not know it has to be told."""
    try:
        yield
    except ApiError as error:
        if error.code == 401:
            raise refusal(cluster, error) from error
        if error.is_forbidden and not error.hint:
            raise ApiError(
                error.code,
                error.reason,
                f"the cluster {cluster} does not allow it: {error.message}",
                hint="the App may do there what its kubeconfig or ServiceAccount may: grant it in that cluster",
                ref=error.ref,
            ) from error
        raise
    except ClusterUnreachable as error:
        raise unreachable(cluster, error) from error
    except LeaseLost as error:
        raise NotAtWork(error.message, hint="ask the controller that has the Lease") from error
