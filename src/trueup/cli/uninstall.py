"""`trueup uninstall`: takes Trueup out of a cluster and leaves every workload running. What it does is `removal`'s to decide."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Annotated

import msgspec
import typer

from trueup.cli.components import NAMESPACE, Installation, is_ours, namespaces
from trueup.cli.console import Exit, err, fail, out, say, shown
from trueup.cli.options import Context, Format, Kubeconfig, Output
from trueup.cli.output import write_data
from trueup.cli.preflight import installed_crds
from trueup.cli.removal import (
    CRD_KIND,
    Action,
    Found,
    Step,
    is_stranger,
    lease_ref,
    made_by_us,
    needs_release,
    plan_removal,
    removal_order,
)
from trueup.cli.session import find_config
from trueup.cluster.client import KubeClient
from trueup.cluster.clock import forward_clock
from trueup.cluster.config import ClusterConfig
from trueup.cluster.election import LeaseTiming, Observation, holder_of, observe, seconds_until_free
from trueup.cluster.lease import ClusterLeases
from trueup.cluster.resource import Resource
from trueup.dialects.dialect import Dialect
from trueup.dialects.registry import all_dialects, crds
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import Terminal, Transient
from trueup.model.manifest import Manifest, metadata_of, ref_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef

GONE_WITHIN = timedelta(minutes=2)
MANAGER = "trueup-uninstall"


class ControllerRuns(Terminal):
    """A controller that is not the Deployment's works on."""

    reason = "ControllerRuns"


class StillThere(Transient):
    """Something does not go."""

    reason = "StillThere"


@shown
def uninstall(
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where the controller runs.")] = NAMESPACE,
    keep_crds: Annotated[
        bool, typer.Option("--keep-crds", help="Keep the CRDs, and with them every Kustomization and Application.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """Remove Trueup from a cluster. What it applied stays and keeps running."""
    chosen = Installation(namespace=namespace)
    asyncio.run(
        _Uninstall(find_config(kubeconfig, context), chosen, keep_crds, output).run(dry_run=dry_run, ask=not yes)
    )


class _Uninstall:
    """One run of the command."""

    def __init__(self, config: ClusterConfig, chosen: Installation, keep_crds: bool, output: Output) -> None:
        self._client = KubeClient(config)
        self._chosen = chosen
        self._keep_crds = keep_crds
        self._output = output

    async def run(self, *, dry_run: bool, ask: bool) -> None:
        async with self._client:
            steps = plan_removal(await self._find(), self._chosen, keep_crds=self._keep_crds)
            if not any(step.action is not Action.KEEP for step in steps):
                say(f"Trueup is not installed in {self._client.config.server}")
            elif dry_run:
                say("[dim]nothing is done: this is a dry run[/]")
            elif ask and sys.stdin.isatty() and not self._confirmed(steps):
                fail("nothing was removed", code=Exit.FAILED)
            else:
                await self._carry_out(steps)
        self._write(steps, only_planned=dry_run)

    def _confirmed(self, steps: list[Step]) -> bool:
        for step in steps:
            say(f"  {step}")
        return typer.confirm(f"Remove Trueup from {self._client.config.server}?", err=True)

    def _write(self, steps: list[Step], *, only_planned: bool) -> None:
        match self._output:
            case Output.JSON | Output.YAML:
                write_data({"steps": [msgspec.to_builtins(step) for step in steps]}, self._output)
            case Output.NAME:
                for step in steps:
                    out.out(str(step.ref), highlight=False)
            case Output.TABLE:
                for step in steps:
                    mark = "◎" if step.action is Action.KEEP else "►" if only_planned else "✔"
                    out.out(f"{mark} {step}", highlight=False)

    # looking

    async def _find(self) -> Found:
        parts = [*removal_order(self._chosen), *namespaces(self._chosen)]
        refs = [*map(ref_of, parts), *made_by_us(self._chosen.namespace)]
        objects = await asyncio.gather(*map(self._get, refs))
        installed = await installed_crds(self._client, crds())
        return Found(
            objects={ref_of(obj): obj for obj in objects if obj is not None},
            crds=tuple(installed.values()),
            resources=tuple(await self._resources()),
            strangers=tuple(await self._strangers(set() if self._keep_crds else set(installed))),
        )

    async def _get(self, ref: ObjectRef) -> Manifest | None:
        resource = await self._client.discovery.resource(ref.group, "", ref.kind)
        found = await self._client.get(resource, ref.name, ref.namespace)
        return found | {"apiVersion": resource.api_version, "kind": ref.kind} if found else None

    async def _resources(self) -> list[tuple[Dialect, Manifest]]:
        found: list[tuple[Dialect, Manifest]] = []
        for dialect in all_dialects():
            for kind in (dialect.app_kind, *dialect.source_kinds):
                try:
                    resource = await self._client.discovery.resource(kind.group, kind.version, kind.kind)
                    items = await self._client.list_all(resource)
                except KindNotServed:
                    continue
                found += [(dialect, {**obj, "apiVersion": resource.api_version, "kind": kind.kind}) for obj in items]
        return found

    async def _strangers(self, going: set[str]) -> list[ObjectRef]:
        """Of every kind in our namespace, so that nobody's data goes with it. `going`: CRDs that are removed anyway."""
        if await self._get(ObjectRef("", "Namespace", "", self._chosen.namespace)) is None:
            return []
        catalog = await self._client.discovery.catalog()
        newest: dict[tuple[str, str], Resource] = {}
        for resource in catalog.resources:
            if resource.namespaced and "list" in resource.verbs and resource.name not in going:
                newest.setdefault((resource.group, resource.kind), resource)
        lists = await asyncio.gather(*(self._listed(resource) for resource in newest.values()))
        return sorted({ref_of(obj) for items in lists for obj in items if is_stranger(obj)})

    async def _listed(self, resource: Resource) -> list[Manifest]:
        try:
            items = await self._client.list_all(resource, self._chosen.namespace)
        except (ApiError, KindNotServed) as error:
            if isinstance(error, ApiError) and error.code not in (403, 404, 405):
                raise
            return []
        return [{**obj, "apiVersion": resource.api_version, "kind": resource.kind} for obj in items]

    # doing

    async def _carry_out(self, steps: list[Step]) -> None:
        with err.status("removing") as progress:
            released = False
            for step in steps:
                progress.update(str(step))
                if not released and step.action is not Action.STOP:
                    progress.update("waiting until no controller works any more")
                    await self._until_nobody_works()
                    await self._release_all()
                    released = True
                if step.action is Action.STOP:
                    await self._delete(step.ref, propagation="Foreground")
                    await self._until_gone(step.ref)
                elif step.action is Action.DELETE:
                    await self._delete(step.ref)
                    if step.ref.kind in (CRD_KIND, "Namespace"):
                        await self._until_gone(step.ref)

    async def _until_nobody_works(self) -> None:
        """Until the Lease is given back or has run out. Raises ControllerRuns when somebody renews it."""
        leases, ref = ClusterLeases(self._client), lease_ref(self._chosen.namespace)
        first: Observation | None = None
        while True:
            lease = await leases.read(ref.name, ref.namespace)
            if lease is None or not holder_of(lease):
                return
            now = forward_clock()
            seen = observe(lease, first, now=now)
            if first is not None and seen.since != first.since:
                raise ControllerRuns(
                    f"a controller still works on this cluster: {holder_of(lease)}",
                    hint="stop that `trueup run` first, then run the same command again",
                )
            first = seen
            if seconds_until_free(seen, "", now=now, default_duration=LeaseTiming().duration) <= 0:
                return
            await asyncio.sleep(0.5)

    async def _release_all(self) -> None:
        """Of everything that is there now; who made a resource since the plan must not be left with a finalizer."""
        installed = await installed_crds(self._client, crds())
        ours = {crd["spec"]["names"]["kind"] for crd in installed.values() if is_ours(crd)}
        for dialect, obj in await self._resources():
            if obj["kind"] in ours:
                await self._release(dialect, obj)

    async def _release(self, dialect: Dialect, obj: Manifest) -> None:
        resource = await self._client.discovery.resource(ref_of(obj).group, "", obj["kind"])
        for _ in range(10):
            if not needs_release(dialect, obj, keep_crds=self._keep_crds):
                return
            patch = dialect.finalizer_patch(obj, present=False)
            if patch is None:
                return
            ref = ref_of(obj)
            try:
                await self._client.merge_patch(resource, ref.name, ref.namespace, patch.body, manager=MANAGER)
            except ApiError as error:
                if error.is_not_found:
                    return
                if not error.is_conflict:
                    raise
            newer = await self._client.get(resource, ref.name, ref.namespace)
            if newer is None:
                return
            obj = {**newer, "apiVersion": resource.api_version, "kind": obj["kind"]}
        raise ControllerRuns(
            f"somebody puts the finalizer of {ref_of(obj)} back",
            hint="stop the controller that serves it, then run the same command again",
        )

    async def _delete(self, ref: ObjectRef, *, propagation: str = "Background") -> None:
        obj = await self._get(ref)
        if obj is None:
            return
        resource = await self._client.discovery.resource(ref.group, "", ref.kind)
        await self._client.delete(resource, ref.name, ref.namespace, uid=uid_of(obj), propagation=propagation)

    async def _until_gone(self, ref: ObjectRef) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GONE_WITHIN.total_seconds()
        while (obj := await self._get(ref)) is not None:
            if loop.time() > deadline:
                held = metadata_of(obj).get("finalizers") or ["its objects"]
                raise StillThere(
                    f"{ref} does not go (resourceVersion {resource_version_of(obj)}): {', '.join(map(str, held))}",
                    hint="see what holds it with `kubectl get -o yaml`, then run the same command again",
                )
            await asyncio.sleep(0.2)
