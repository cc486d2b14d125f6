"""`trueup install`: CRDs, rights and the controller's Deployment, into any cluster; or printed for Git.

May be run again at any time: it applies the same objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from msgspec import structs

from trueup.cli import preflight
from trueup.cli.components import DEFAULT_IMAGE, NAMESPACE, Installation, all_components, is_ours
from trueup.cli.console import err, out, say, shown
from trueup.cli.options import Context, Kubeconfig
from trueup.cli.servercomponents import RIGHTS_SETTING, SETTINGS, other_rights
from trueup.cli.session import find_config
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.dialects.generate import to_yaml
from trueup.dialects.registry import crds
from trueup.model.duration import parse_duration
from trueup.model.errors import Transient
from trueup.model.health import Kstatus
from trueup.model.manifest import Manifest, ref_of, status_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.model.rights import Rights
from trueup.sync.health.judge import judge

INSTALLER = "trueup-install"
HEADER = "# Written by `trueup install --export`: apply it with kubectl, or keep it in Git.\n"


class NotRolledOut(Transient):
    """The controller was applied and did not become available in time."""

    reason = "NotRolledOut"


@shown
def install(
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where the controller runs.")] = NAMESPACE,
    image: Annotated[str, typer.Option(help="The controller's image, as made from deploy/Containerfile.")] = (
        DEFAULT_IMAGE
    ),
    crds_only: Annotated[bool, typer.Option("--crds-only", help="Only the CRDs.")] = False,
    export: Annotated[bool, typer.Option("--export", help="Print the manifests and touch nothing.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over from another controller, and replace CRDs that have more fields.")
    ] = False,
    rights: Annotated[
        Rights | None,
        typer.Option(
            help="Who decides who may do what: policies (argocd-rbac-cm), or Kubernetes' RBAC, each call made as the person. "
            "Default: as installed, at first policies."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the controller is available.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to wait, such as 90s or 5m.")] = "5m",
) -> None:
    """Install Trueup into a cluster, or bring an installation up to date."""
    chosen = Installation(namespace=namespace, image=image, adopt=adopt, rights=rights or Rights.POLICY)
    patience = parse_duration(timeout) if wait else None
    made = (lambda _: crds()) if crds_only else all_components
    if export:
        out.out(export_text(made(chosen)), end="", highlight=False)
        return
    asyncio.run(_install(find_config(kubeconfig, context), made, chosen, patience, keeps_rights=rights is None))


def export_text(manifests: Iterable[Manifest]) -> str:
    """A stream that kubectl reads."""
    return HEADER + "---\n".join(to_yaml(manifest) for manifest in manifests)


async def _install(
    config: ClusterConfig,
    made: Callable[[Installation], list[Manifest]],
    chosen: Installation,
    patience: timedelta | None,
    *,
    keeps_rights: bool,
) -> None:
    async with KubeClient(config) as client:
        say(f"[cyan]►[/] installing into {config.server}")
        found = await preflight.look(client, chosen.namespace)
        if found and not chosen.adopt:
            raise preflight.refuse(found)
        for text in found.lines():
            say(f"[yellow]◎[/] adopting: {text}")
        if keeps_rights:
            chosen = structs.replace(chosen, rights=await installed_rights(client, chosen.namespace))
        manifests = made(chosen)
        for manifest in manifests:
            ref = ref_of(manifest)
            if await _stays_as_it_is(client, manifest):
                say(f"[green]✔[/] {ref} [dim](was there)[/]")
                continue
            await _apply(client, [manifest], lambda ref: say(f"[green]✔[/] {ref}"))
        if any(obj["kind"] == "Deployment" for obj in manifests):
            await _take_back(client, chosen)
        deployments = [ref_of(obj) for obj in manifests if obj["kind"] == "Deployment"]
        if patience is None or not deployments:
            return
        with err.status("waiting for the controller") as progress:
            for ref in deployments:
                await until_available(client, ref, patience, progress.update)
        say("[green]✔[/] Trueup is at work; `trueup check` looks after it")
        await _tell_of_history(client, chosen.namespace)


async def installed_rights(client: KubeClient, namespace: str) -> Rights:
    """What the installation says decides; policies where there is none, or it says nothing. Raises ApiError."""
    found = await client.get(await client.discovery.resource("", "v1", "ConfigMap"), SETTINGS, namespace)
    said = ((found or {}).get("data") or {}).get(RIGHTS_SETTING)
    return Rights.KUBERNETES if said == Rights.KUBERNETES else Rights.POLICY


async def _tell_of_history(client: KubeClient, namespace: str) -> None:
    """Without a database that all pods share, each keeps its own, and loses it: no surprise that comes later."""
    secret = await client.get(await client.discovery.resource("", "v1", "Secret"), SETTINGS, namespace)
    if "TRUEUP_DATABASE" not in ((secret or {}).get("data") or {}):
        say(
            "[yellow]◎[/] history and audit are kept in each pod by itself, and go with it. To keep them, name a PostgreSQL:\n"
            f"  kubectl -n {namespace} create secret generic {SETTINGS}"
            " --from-literal=TRUEUP_DATABASE=postgresql://USER:PASSWORD@HOST/trueup\n"
            f"  kubectl -n {namespace} rollout restart deployment"
        )


async def _take_back(client: KubeClient, chosen: Installation) -> None:
    """The rights of the other way of deciding, which an installation of before may have given."""
    for manifest in other_rights(chosen.namespace, chosen.rights):
        ref = ref_of(manifest)
        resource = await client.discovery.resource(ref.group, "", ref.kind)
        found = await client.get(resource, ref.name, ref.namespace)
        if found is not None and is_ours(found):
            await client.delete(resource, ref.name, ref.namespace, uid=uid_of(found))
            say(f"[green]✔[/] {ref} [dim](taken back)[/]")


async def apply_all(config: ClusterConfig, manifests: Iterable[Manifest]) -> list[str]:
    """Applies manifests in their order, waiting for each CRD's kind to be served; gives the refs that were applied."""
    done: list[str] = []
    async with KubeClient(config) as client:
        await _apply(client, manifests, lambda ref: done.append(str(ref)))
    return done


async def until_available(
    client: KubeClient, ref: ObjectRef, patience: timedelta, progress: Callable[[str], None]
) -> None:
    """Waits for a workload to roll out. Raises NotRolledOut with what its pods complain of."""
    resource = await client.discovery.resource(ref.group, "v1", ref.kind)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    while True:
        verdict = judge(await client.get(resource, ref.name, ref.namespace), datetime.now(UTC))
        if verdict.kstatus is Kstatus.CURRENT:
            return
        complaints = await _complaints(client, ref.namespace)
        progress(f"waiting for {ref}: {complaints or verdict.message}")
        if loop.time() > deadline:
            raise NotRolledOut(
                f"{ref} is not available: {complaints or verdict.message}",
                hint=f"kubectl -n {ref.namespace} describe pods, then run the same command again",
            )
        await asyncio.sleep(0.5)


async def _complaints(client: KubeClient, namespace: str) -> str:
    """Why the pods of a namespace's controller do not run: `ImagePullBackOff: ...`."""
    resource = await client.discovery.resource("", "v1", "Pod")
    selector = "app.kubernetes.io/name=trueup"
    for pod in await client.list_all(resource, namespace, label_selector=selector):
        for row in status_of(pod).get("containerStatuses") or []:
            state = row.get("state") or {}
            if (waiting := state.get("waiting")) and waiting.get("reason") not in (None, "ContainerCreating"):
                return ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
        for row in status_of(pod).get("conditions") or []:
            if row.get("type") == "PodScheduled" and row.get("status") == "False":
                return str(row.get("message") or row.get("reason"))
    return ""


async def _stays_as_it_is(client: KubeClient, manifest: Manifest) -> bool:
    """A namespace that was there before is used and not taken over; a project is its users' once it is made."""
    if manifest["kind"] not in ("Namespace", "AppProject"):
        return False
    ref = ref_of(manifest)
    resource = await client.discovery.resource(ref.group, "", ref.kind)
    found = await client.get(resource, ref.name, ref.namespace)
    return found is not None and not is_ours(found)


async def _apply(client: KubeClient, manifests: Iterable[Manifest], done: Callable[[ObjectRef], None]) -> None:
    for manifest in manifests:
        ref = ref_of(manifest)
        await client.apply(manifest, manager=INSTALLER)
        if ref.kind == "CustomResourceDefinition":
            await _until_served(client, manifest)
        done(ref)


async def _until_served(client: KubeClient, crd: Manifest) -> None:
    spec = crd["spec"]
    pause = 0.05
    async with asyncio.timeout(60):
        while True:
            catalog = await client.discovery.refresh()
            if all(
                catalog.find(spec["group"], row["name"], spec["names"]["kind"])
                for row in spec["versions"]
                if row["served"]
            ):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
