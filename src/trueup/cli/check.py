"""`trueup check`: what is missing, on this machine and in the cluster, and what to do about each."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from trueup.cli import preflight
from trueup.cli.components import CONTROLLER, NAMESPACE
from trueup.cli.console import Exit, out, shown
from trueup.cli.options import Context, Format, Kubeconfig, Output
from trueup.cli.output import write_data
from trueup.cli.preflight import installed_crds
from trueup.cli.removal import lease_ref
from trueup.cli.requirements import (
    Finding,
    Need,
    controller_needs,
    installer_needs,
    judge_crd,
    judge_git,
    judge_kubernetes,
    judge_rights,
)
from trueup.cli.session import find_config
from trueup.cluster.client import KubeClient
from trueup.cluster.election import holder_of
from trueup.cluster.lease import ClusterLeases
from trueup.dialects.registry import crds
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.errors import EngineFailed, InvalidInput
from trueup.model.health import Kstatus
from trueup.model.manifest import Manifest, name_of, status_of
from trueup.render.engine.build import find_engine
from trueup.sync.health.judge import judge

_AUTHORIZATION = "/apis/authorization.k8s.io/v1"


@shown
def check(
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where the controller runs.")] = NAMESPACE,
    pre: Annotated[bool, typer.Option("--pre", help="Only what has to be there before `trueup install`.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """Say what is missing; exit code 1 when something is."""
    findings = [*_machine(), *asyncio.run(_cluster(kubeconfig, context, namespace, pre=pre))]
    _write(findings, output)
    sys.exit(int(Exit.FAILED if any(finding.ok is False for finding in findings) else Exit.OK))


def _write(findings: Sequence[Finding], output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        ok = all(finding.ok is not False for finding in findings)
        write_data({"ok": ok, "checks": [msgspec.to_builtins(finding) for finding in findings]}, output)
        return
    for finding in findings:
        mark = {True: "[green]✔[/]", False: "[red]✗[/]", None: "[yellow]◎[/]"}[finding.ok]
        out.print(f"{mark} {escape(finding.what)}: {escape(finding.found)}")
        if finding.hint:
            out.print(f"    [dim]try:[/] {escape(finding.hint)}")


# this machine


def _machine() -> list[Finding]:
    return [judge_git(_git_version()), _engine()]


def _git_version() -> str:
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _engine() -> Finding:
    what = "rendering engine"
    try:
        binary = find_engine("kustomize")
    except EngineFailed as error:
        return Finding(what, False, error.message, error.hint)
    if binary is None:
        return Finding(what, None, "not built yet; it is built when first needed", "make engines")
    return Finding(what, True, str(binary))


# the cluster


async def _cluster(kubeconfig: Path | None, context: str, namespace: str, *, pre: bool) -> list[Finding]:
    try:
        config = find_config(kubeconfig, context)
    except InvalidInput as error:
        return [Finding("cluster", False, error.message, error.hint)]
    async with KubeClient(config) as client:
        findings: list[Finding] = []
        try:
            findings.append(await _version(client))
            findings.append(await _rivals(client, namespace))
            if pre:
                needs = installer_needs(namespace)
                findings.append(judge_rights("you", needs, await _allowed(client, needs)))
                return findings
            findings += await _definitions(client)
            findings += await _controller(client, namespace)
        except (ApiError, ClusterUnreachable) as error:
            findings.append(Finding("cluster", False, error.message, error.hint))
        return findings


async def _version(client: KubeClient) -> Finding:
    answer = await client.raw("GET", "/version")
    return judge_kubernetes(str(answer.manifest.get("gitVersion") or ""))


async def _rivals(client: KubeClient, namespace: str) -> Finding:
    found = await preflight.look(client, namespace)
    if not found.rivals:
        return Finding("other controllers", True, "none serve the same resources")
    error = preflight.refuse(preflight.Preflight(rivals=found.rivals))
    return Finding("other controllers", False, error.message, error.hint)


async def _definitions(client: KubeClient) -> list[Finding]:
    ours = crds()
    installed = await installed_crds(client, ours)
    return [judge_crd(crd, installed.get(name_of(crd))) for crd in ours]


async def _controller(client: KubeClient, namespace: str) -> list[Finding]:
    """The Deployment and its account; where there is none, whoever holds the Lease from elsewhere."""
    deployments = await client.discovery.resource("apps", "v1", "Deployment")
    found = await client.get(deployments, CONTROLLER, namespace)
    if found is None:
        ref = lease_ref(namespace)
        lease = await ClusterLeases(client).read(ref.name, ref.namespace)
        holder = holder_of(lease) if lease else ""
        if not holder:
            return [Finding("controller", False, f"not installed in {namespace}", "trueup install, or trueup run")]
        return [Finding("controller", True, f"runs outside of the cluster: {holder}")]
    verdict = judge({**found, "apiVersion": "apps/v1", "kind": "Deployment"}, datetime.now(UTC))
    well = verdict.kstatus is Kstatus.CURRENT
    ready = status_of(found).get("readyReplicas", 0)
    text = f"{ready} ready" if well else verdict.message
    hint = "" if well else f"kubectl -n {namespace} describe pods; kubectl -n {namespace} logs deploy/{CONTROLLER}"
    needs = controller_needs(namespace)
    user = f"system:serviceaccount:{namespace}:{CONTROLLER}"
    return [
        Finding("controller", well, text, hint),
        judge_rights("the controller", needs, await _allowed(client, needs, user)),
    ]


async def _allowed(client: KubeClient, needs: Sequence[Need], user: str = "") -> list[bool | None]:
    """One access review each: of ourselves, or of another user."""
    return list(await asyncio.gather(*(_review(client, need, user) for need in needs)))


async def _review(client: KubeClient, need: Need, user: str) -> bool | None:
    kind = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
    spec: Manifest = {"resourceAttributes": need.attributes}
    if user:
        namespace = user.split(":")[2]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        spec |= {"user": user, "groups": groups}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    path = f"{_AUTHORIZATION}/{kind.lower()}s"
    with contextlib.suppress(ApiError):
        answer = await client.raw("POST", path, body=msgspec.json.encode(body))
        return bool(status_of(answer.manifest).get("allowed"))
    return None
