"""A cluster as a test sees it: plain calls that wait for their answer. No event loop is needed, and none is in the way.

Errors are Trueup's: they say which object, what was found and what to try.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from os import fspath
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest
from trueup.testing.health import NotHealthy
from trueup.testing.reading import Place
from trueup.testing.work import FIRST_LOOK, LAST_LOOK, Work, working

T = TypeVar("T")
Manifests: TypeAlias = list[Manifest]

__all__ = ["NotHealthy", "NotThere", "Timeout", "TrueupCluster", "TrueupNamespace", "connected"]


class NotThere(InvalidInput, AssertionError):
    """There is no such object."""


class Timeout(AssertionError):
    """What a test waited for did not come."""


class TrueupCluster:
    """All of a cluster. `kubeconfig` is for programs that the test starts: operators, `kubectl`, any client.

    Kinds are written as for kubectl: `deploy`, `deployments`, `Deployment`, `widgets.shop.example`.
    """

    def __init__(self, kubeconfig: Path, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.kubeconfig = kubeconfig
        self._work = work
        self._loop = loop

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with KUBECONFIG, for `subprocess`."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    @property
    def now(self) -> datetime:
        """The cluster's time."""
        return self._work.now

    def apply(self, *what: Place | Mapping[str, Any], namespace: str = "default") -> Manifests:
        """Files, folders (rendered as Flux would: a kustomization, else all YAML) and objects, by server-side apply.

        Answers the objects as the server has them, in the order of what was given (they are applied in the order that
        they need). `namespace` is for those that name none.
        """

        async def work() -> Manifests:
            return await self._work.apply(await self._work.read(what), namespace)

        return self._do(work())

    def apply_yaml(self, text: str, *, namespace: str = "default") -> Manifests:
        """The same for YAML that stands in the test; any number of documents."""

        async def work() -> Manifests:
            return await self._work.apply(await self._work.read_yaml(text), namespace)

        return self._do(work())

    def crds(self, *places: Place) -> Manifests:
        """Installs the CRDs among the manifests of files and folders, and waits until their kinds are served."""

        async def work() -> Manifests:
            return await self._work.apply(await self._work.definitions([fspath(each) for each in places]), "")

        return self._do(work())

    def find(self, kind: str, name: str, *, namespace: str = "default") -> Manifest | None:
        """The object, or None."""
        return self._do(self._work.get(kind, name, namespace))

    def get(self, kind: str, name: str, *, namespace: str = "default") -> Manifest:
        """The object. Raises NotThere."""
        found = self.find(kind, name, namespace=namespace)
        if found is None:
            raise NotThere(
                f"there is no {kind} {name} in the namespace {namespace}",
                hint="wait for it with wait_until, or look with list what is there",
            )
        return found

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> Manifests:
        """All objects of a kind; of one namespace, and with these labels, if said."""
        return self._do(self._work.list(kind, namespace, selector))

    def patch(self, kind: str, name: str, change: Mapping[str, Any], *, namespace: str = "default") -> Manifest:
        """A JSON merge patch, as `kubectl patch --type=merge`: None removes a field, lists are replaced."""
        return self._do(self._work.patch(kind, name, namespace, change))

    def delete(self, kind: str, name: str, *, namespace: str = "default") -> bool:
        """Whether there was one. What it owns goes after it, as far as nothing holds it."""
        return self._do(self._work.delete(kind, name, namespace))

    def wait_until(self, condition: Callable[[], T], *, within: str | timedelta = "30s", what: str = "") -> T:
        """What the condition gives as soon as it is true. Raises Timeout; by the machine's time, not the cluster's."""
        patience = _time(within)
        end = time.monotonic() + patience.total_seconds()
        pause = FIRST_LOOK
        while True:
            if found := condition():
                return found
            if time.monotonic() > end:
                raise Timeout(f"{what or getattr(condition, '__name__', 'the condition')}: not within {within}")
            time.sleep(pause)
            pause = min(pause * 2, LAST_LOOK)

    def wait_until_healthy(self, *objects: Manifest, within: str | timedelta = "30s") -> None:
        """Until each of these objects (as `apply` answered them) is done and well, by Flux's and Argo CD's rules.

        Raises NotHealthy with what is amiss, at once where an object says that it failed.
        """
        self._do(self._work.wait_until_healthy(objects, _time(within)))

    def advance(self, by: str | timedelta) -> datetime:
        """Lets the cluster live through a time at once (`"10m"`, at most 31 days); answers its time then.

        Schedules, restarts and time limits happen in their order. Programs outside see the result.
        """
        return self._do(self._work.advance(_time(by)))

    def namespace(self, name: str) -> TrueupNamespace:
        """Makes a namespace and answers it."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return TrueupNamespace(self, name)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class TrueupNamespace:
    """One namespace of a cluster: the same calls, and `wait_until_healthy` knows what was applied here."""

    def __init__(self, cluster: TrueupCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self._applied: dict[tuple[str, str, str], Manifest] = {}

    def apply(self, *what: Place | Mapping[str, Any]) -> Manifests:
        return self._remember(self.cluster.apply(*what, namespace=self.name))

    def apply_yaml(self, text: str) -> Manifests:
        return self._remember(self.cluster.apply_yaml(text, namespace=self.name))

    def find(self, kind: str, name: str) -> Manifest | None:
        return self.cluster.find(kind, name, namespace=self.name)

    def get(self, kind: str, name: str) -> Manifest:
        return self.cluster.get(kind, name, namespace=self.name)

    def list(self, kind: str, *, selector: str = "") -> Manifests:
        return self.cluster.list(kind, namespace=self.name, selector=selector)

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> Manifest:
        return self.cluster.patch(kind, name, change, namespace=self.name)

    def delete(self, kind: str, name: str) -> bool:
        for key in [key for key, each in self._applied.items() if each["metadata"]["name"] == name]:
            del self._applied[key]
        return self.cluster.delete(kind, name, namespace=self.name)

    def wait_until(self, condition: Callable[[], T], *, within: str | timedelta = "30s", what: str = "") -> T:
        return self.cluster.wait_until(condition, within=within, what=what)

    def wait_until_healthy(self, *objects: Manifest, within: str | timedelta = "30s") -> None:
        """Of these objects; without any, of everything that was applied through this namespace."""
        self.cluster.wait_until_healthy(*(objects or self._applied.values()), within=within)

    def advance(self, by: str | timedelta) -> datetime:
        """Of the whole cluster, which has one clock."""
        return self.cluster.advance(by)

    def _remember(self, objects: Manifests) -> Manifests:
        for each in objects:
            meta = each["metadata"]
            self._applied[each["kind"], meta.get("namespace", ""), meta["name"]] = each
        return objects


def _time(value: str | timedelta) -> timedelta:
    return parse_duration(value) if isinstance(value, str) else value


@contextmanager
def connected(kubeconfig: Path) -> Iterator[TrueupCluster]:
    """The cluster of a kubeconfig for the length of the block; its connections live in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="trueup-testing", daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def enter() -> Work:
        return await stack.enter_async_context(working(kubeconfig))

    try:
        work = asyncio.run_coroutine_threadsafe(enter(), loop).result()
        try:
            yield TrueupCluster(kubeconfig, work, loop)
        finally:
            asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
