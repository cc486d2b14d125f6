"""One object of an App in whichever cluster it lives, for a person who opens it: read once, secrets masked, nothing kept."""

from __future__ import annotations

from collections.abc import Callable

from trueup.apps.comparison import ObjectSeen, ObjectWish
from trueup.controllers.comparing import NoSuchApp
from trueup.controllers.shell import AppShell
from trueup.model.refs import ObjectRef
from trueup.sync.canonical import masked, masking_of


class Looking:
    """`shell_of` an App has the cluster of its objects; `below` tells the version of what hangs below them, empty: nothing of its."""

    def __init__(
        self,
        shell: AppShell,
        shell_of: Callable[[ObjectRef], AppShell],
        below: Callable[[ObjectRef, ObjectRef], str],
    ) -> None:
        self._shell = shell
        self._shell_of = shell_of
        self._below = below

    async def see(self, wish: ObjectWish) -> ObjectSeen:
        """Raises NoSuchApp for what is not the App's or not there, ApiError, and what keeps its cluster from being asked."""
        app, ref = wish.app, wish.ref
        memory = self._shell.memories.get(app)
        if memory is None or self._shell.resources.get(app) is None:
            raise NoSuchApp(f"no App {app} is served here", hint="was it made a moment ago? Try again")
        site = self._shell_of(app)
        entries = (entry for entry in memory.saved.inventory.entries if entry.ref == ref)
        version = next((entry.version for entry in entries), "") or self._below(app, ref)
        live = await site.applier_for(memory.app.rules).get(ref, version) if version and memory.app else None
        if live is None:
            raise NoSuchApp(f"{ref} is no object of {app}, or is gone", ref=ref)
        return ObjectSeen(manifest=masked(live, masking_of(live, tainted=False), self._shell.secret_key))
