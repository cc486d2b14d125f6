"""`trueup server`: the door for people, scripts and forges, beside the controller."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer

from trueup.cli.auditing import AuditKeyFile, AuditSettingsFile, make_audit
from trueup.cli.auditkey import AuditSecretName, bring_key
from trueup.cli.console import shown
from trueup.cli.home import Home, find_home
from trueup.cli.logging import configure_logging
from trueup.cli.thismachine import this_machine
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import read_token
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.registry import all_dialects
from trueup.model.errors import InvalidInput
from trueup.model.rights import Rights
from trueup.records.audit.entry import AuditLog, NoAudit
from trueup.records.audit.service import AuditService
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.proxies import behind, root_of, trusting
from trueup.server.api.streaming import MOST
from trueup.server.api.tls import Certificate, own_certificate
from trueup.server.assembly import Serving, serving
from trueup.server.identity.kubernetesnames import names_of
from trueup.server.measures import measuring

log = structlog.get_logger(__name__)

MEASURERS = 32
"""Connections at once to the port of the metrics."""


@shown
def server(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Which cluster; default: KUBECONFIG, then the pod's account.")
    ] = None,
    context: Annotated[str, typer.Option(help="Context of the kubeconfig.")] = "",
    state_dir: Annotated[Path | None, typer.Option(help="Folder of the audit journal and our own certificate.")] = None,
    namespace: Annotated[
        str, typer.Option(help="Where argocd-cm, argocd-secret, argocd-rbac-cm and AppProjects are.")
    ] = CONTROL_NAMESPACE,
    controller: Annotated[
        list[str] | None,
        typer.Option(
            envvar="TRUEUP_CONTROLLER_URL",
            help="URL of a controller's HTTP side, from which live trees are read; may be repeated. Default: its Service.",
        ),
    ] = None,
    controller_namespace: Annotated[
        str, typer.Option(help="Where the controller is, and its Secret trueup-internal.")
    ] = "trueup-system",
    internal_token: Annotated[
        str,
        typer.Option(envvar="TRUEUP_INTERNAL_TOKEN", help="Token of live trees; default: that of the Secret."),
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 the Service's pods are reached from outside
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8443,
    database: Annotated[
        str, typer.Option(envvar="TRUEUP_DATABASE", help="SQLAlchemy URL of records and audit; default: none.")
    ] = "",
    audit_settings: AuditSettingsFile = None,
    audit_key: AuditKeyFile = None,
    audit_secret: AuditSecretName = "",
    audit_optional: Annotated[
        bool,
        typer.Option("--audit-optional", help="Change things also while the audit log cannot store what is changed."),
    ] = False,
    rights: Annotated[
        Rights,
        typer.Option(
            envvar="TRUEUP_RIGHTS",
            help="Who decides who may do what: policies (argocd-rbac-cm), or Kubernetes' RBAC, each call made as the person.",
        ),
    ] = Rights.POLICY,
    user_prefix: Annotated[
        str,
        typer.Option(
            envvar="TRUEUP_USER_PREFIX",
            help="With --rights kubernetes: before the names of a provider's users, as of kube-apiserver; -: nothing.",
        ),
    ] = "oidc:",
    group_prefix: Annotated[
        str, typer.Option(envvar="TRUEUP_GROUP_PREFIX", help="The same before the names of their groups.")
    ] = "oidc:",
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate in PEM; default: one of our own.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Speak plain HTTP: behind a proxy that does TLS, or on this machine.")
    ] = False,
    loopback_port: Annotated[
        int, typer.Option(help="Also plain HTTP on this port of 127.0.0.1, for browsers of this machine; 0: no.")
    ] = 0,
    metrics_port: Annotated[
        int, typer.Option(help="Metrics for Prometheus at /metrics of this port, without a login; 0: none.")
    ] = 0,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address or network of a proxy whose X-Forwarded headers are believed; may be repeated."),
    ] = None,
    root_path: Annotated[
        str, typer.Option(help="Path below which a proxy offers us, whether it takes it away or not: /trueup.")
    ] = "",
    max_connections: Annotated[int, typer.Option(min=10, help="Connections at once.")] = 4000,
    max_rate: Annotated[
        float,
        typer.Option(
            min=0,
            help="Requests a second of one client, ten times so many of a private address; 0: no bound.",
        ),
    ] = 200.0,
    max_streams: Annotated[int, typer.Option(min=10, help="Lists, trees and logs that are followed at once.")] = MOST,
    embedded_home: Annotated[
        Path | None, typer.Option(hidden=True, help="Folder of `trueup up`, where the first password is written too.")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info or error.")] = "info",
) -> None:
    """Run the API server until it is told to stop."""
    configure_logging(log_level)
    folder = state_dir or find_home().root / "server"
    config = load_config(kubeconfig, context or None)
    certificate = None if insecure else _certificate(tls_cert, tls_key, folder)
    if database and audit_key is None:
        bring_key(config, controller_namespace, audit_secret, folder, make=False)
    audit_service = make_audit(database, folder, audit_settings, audit_key)
    local = this_machine(embedded_home)
    names = names_of(user_prefix, group_prefix)
    root = root_of(root_path)
    reaching = behind(trusted_proxy or (), root)

    async def run() -> None:
        async def token() -> str:
            return internal_token or await read_token(client, controller_namespace)

        async with KubeClient(config) as client, audited(audit_service) as audit:
            options = Serving(
                client=client,
                dialects=all_dialects(),
                control_namespace=namespace,
                home=embedded_home,
                local=local,
                audit=audit,
                database=database,
                states=(folder,) if embedded_home is None else (folder, Home(embedded_home).controller),
                controllers=tuple(controller or (f"http://trueup.{controller_namespace}.svc:8080",)),
                internal_token=token,
                audit_strict=not audit_optional,
                # A file is each pod's own; only on one machine may it be the controller's too.
                controllers_history=embedded_home is None and database.startswith("sqlite"),
                max_streams=max_streams,
                rate=max_rate,
                https=certificate is not None and not loopback_port,
                reaching=reaching,
                root=root,
                rights=rights,
                names=names,
            )
            async with serving(options) as running:
                listener = Listener(running.app, Bounds(connections=max_connections), trusting(trusted_proxy or ()))
                measures = Listener(measuring(running.metrics), Bounds(connections=MEASURERS))
                taken = await listener.start(host, port, certificate.context if certificate else None)
                if loopback_port:
                    await listener.start("127.0.0.1", loopback_port)
                if metrics_port:
                    await measures.start(host, metrics_port)
                log.info("serving", host=host, port=taken, tls=certificate is not None, rights=str(rights))
                renewing = asyncio.create_task(certificate.keep(), name="certificate") if certificate else None
                try:
                    await until_told()
                finally:
                    if renewing is not None:
                        renewing.cancel()
                    await listener.stop()
                    await measures.stop()
        log.info("stopped")

    asyncio.run(run())


async def until_told() -> None:
    """Returns at SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


@asynccontextmanager
async def audited(audit: AuditService | None) -> AsyncIterator[AuditLog]:
    """The audit log of this replica: its chain in the database, its journal, key and exported checkpoints in the folder."""
    if audit is None:
        log.warning("no database is named, so no audit log is kept")
        yield NoAudit()
        return
    async with audit.running():
        yield audit.log


def _certificate(certificate: Path | None, key: Path | None, folder: Path) -> Certificate:
    if (certificate is None) != (key is None):
        raise InvalidInput("a certificate needs its key", hint="give both, --tls-cert and --tls-key")
    if certificate is not None and key is not None:
        pair = certificate, key
        return Certificate(lambda: pair)
    names = (
        "localhost",
        "127.0.0.1",
        "::1",
        socket.gethostname(),
        "trueup-server",
        "trueup-server.trueup-system.svc",
    )
    log.info("our own certificate is used; browsers warn of it", folder=str(folder / "tls"))
    return Certificate(lambda: own_certificate(folder / "tls", names))
