"""`trueup run`: the controller process, on any cluster that a kubeconfig or the pod's own account reaches."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import structlog
import typer
from aiohttp import web

from trueup.cli.auditing import AuditKeyFile, AuditSettingsFile, auditing, make_audit, told, webhook_noted
from trueup.cli.auditkey import AuditSecretName, bring_key
from trueup.cli.console import shown
from trueup.cli.home import find_home
from trueup.cli.logging import configure_logging
from trueup.cli.preflight import until_free
from trueup.cli.recording import make_recorder, recording
from trueup.cluster.config import load_config
from trueup.controllers.lockdown import Lockdown
from trueup.controllers.manager import Controller, ControllerOptions, utc_now
from trueup.controllers.packing import ArtifactStore
from trueup.dialects.registry import all_dialects
from trueup.render.plugins.definitions import read_plugins
from trueup.server.http import Artifacts, Probes, make_app
from trueup.server.internal import Internal
from trueup.server.sharedaudit import answering_audit
from trueup.server.sharedhistory import answering
from trueup.server.webhooks.receiver import Receiver

log = structlog.get_logger(__name__)


@shown
def run(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Which cluster; default: KUBECONFIG, then the pod's account.")
    ] = None,
    context: Annotated[str, typer.Option(help="Context of the kubeconfig.")] = "",
    state_dir: Annotated[Path | None, typer.Option(help="Folder for mirrors, caches and state.")] = None,
    render_cache: Annotated[
        Path | None,
        typer.Option(
            envvar="TRUEUP_RENDER_CACHE",
            help="Folder of kept builds, which controllers may share; default: in the state folder.",
        ),
    ] = None,
    render_cache_size: Annotated[int, typer.Option(min=1, help="What the kept builds may take, in MiB.")] = 512,
    source_storage: Annotated[
        int, typer.Option(min=1, help="What Git mirrors and other fetched content may take together, in MiB.")
    ] = 10240,
    artifact_size: Annotated[
        int, typer.Option(min=1, help="What one OCI artifact may hold, packed or unpacked, in MiB.")
    ] = 256,
    namespace: Annotated[str, typer.Option(help="Namespace of the Lease.")] = "trueup-system",
    http_port: Annotated[int, typer.Option(help="Port of health, metrics and hooks.")] = 8080,
    http_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 probes come from outside the pod
    allow_local_git: Annotated[bool, typer.Option("--allow-local-git", help="Allow file: and git: URLs.")] = False,
    no_remote_bases: Annotated[
        bool, typer.Option("--no-remote-bases", help="Refuse kustomizations that name other repositories or URLs.")
    ] = False,
    default_service_account: Annotated[
        str,
        typer.Option(
            help="Account, in its own namespace, of each Kustomization and HelmRelease that names none; default: our own rights.",
        ),
    ] = "",
    default_kubeconfig_service_account: Annotated[
        str,
        typer.Option(
            help="The same for those with a kubeConfig: an account of the other cluster; default: the kubeconfig's user.",
        ),
    ] = "",
    no_cross_namespace_refs: Annotated[
        bool,
        typer.Option(
            "--no-cross-namespace-refs", help="Refuse Kustomizations and HelmReleases of other namespaces' sources."
        ),
    ] = False,
    insecure_kubeconfig_exec: Annotated[
        bool,
        typer.Option(
            "--insecure-kubeconfig-exec",
            help="Let kubeconfigs in Secrets name commands, which then run in the controller.",
        ),
    ] = False,
    insecure_kubeconfig_tls: Annotated[
        bool,
        typer.Option("--insecure-kubeconfig-tls", help="Let kubeconfigs in Secrets ask not to verify the server."),
    ] = False,
    plugins: Annotated[
        Path | None,
        typer.Option(envvar="TRUEUP_PLUGINS", help="Folder of ConfigManagementPlugin files; default: no plugins."),
    ] = None,
    push_token: Annotated[str, typer.Option(envvar="TRUEUP_PUSH_TOKEN", help="Token of push notices.")] = "",
    internal_token: Annotated[
        str,
        typer.Option(
            envvar="TRUEUP_INTERNAL_TOKEN",
            help="Token by which servers read live trees and reach objects elsewhere; default: that of the Secret trueup-internal.",
        ),
    ] = "",
    database: Annotated[
        str, typer.Option(envvar="TRUEUP_DATABASE", help="SQLAlchemy URL of the records; default: none are kept.")
    ] = "",
    audit_settings: AuditSettingsFile = None,
    audit_key: AuditKeyFile = None,
    audit_secret: AuditSecretName = "",
    serve_artifacts: Annotated[
        bool, typer.Option("--serve-artifacts", help="Make and serve a tarball of each revision.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Work also where another controller serves the same resources.")
    ] = False,
    log_level: Annotated[str, typer.Option(help="debug, info or error.")] = "info",
) -> None:
    """Run the controller until it is told to stop."""
    configure_logging(log_level)
    config = load_config(kubeconfig, context or None)
    local = http_host == "127.0.0.1"
    base_url = f"http://127.0.0.1:{http_port}" if local else f"http://trueup.{namespace}.svc:{http_port}"
    options = ControllerOptions(
        state_dir=state_dir or find_home().controller,
        render_cache=render_cache,
        render_cache_bytes=render_cache_size << 20,
        source_bytes=source_storage << 20,
        artifact_bytes=artifact_size << 20,
        namespace=namespace,
        internal_token=internal_token,
        allow_local_git=allow_local_git,
        remote_bases=not no_remote_bases,
        lockdown=Lockdown(
            default_service_account=default_service_account,
            default_kubeconfig_service_account=default_kubeconfig_service_account,
            no_cross_namespace_refs=no_cross_namespace_refs,
        ),
        insecure_kubeconfig_exec=insecure_kubeconfig_exec,
        insecure_kubeconfig_tls=insecure_kubeconfig_tls,
        plugins=read_plugins(plugins) if plugins is not None else (),
        artifact_url=base_url,
    )
    store = ArtifactStore(options.state_dir / "artifacts", base_url, utc_now) if serve_artifacts else None
    recorder = make_recorder(database)
    if database and audit_key is None:
        bring_key(config, namespace, audit_secret, options.state_dir, make=True)
    audit = make_audit(database, options.state_dir, audit_settings, audit_key)
    controller = Controller(config, all_dialects(), options, told(recorder, audit), packer=store)
    app = make_app(
        Probes(controller.alive, controller.ready, controller.exposition),
        on_push=controller.pushed,
        push_token=push_token,
        artifacts=Artifacts(store.open) if store else None,
        receiver=Receiver(controller.webhook_secrets, controller.heard, webhook_noted(audit)),
        internal=Internal(
            controller.internal_token,
            controller.trees,
            controller.compare,
            controller.impact,
            controller.commits,
            answering(database),
            controller.probe,
            answering_audit(database, options.state_dir),
            controller.objects,
            controller.logs,
            controller.chart,
        ),
    )

    async def work() -> None:
        await until_free(config, namespace, adopt=adopt)
        registry = controller.metrics.registry
        async with auditing(audit, registry), recording(recorder, registry):
            await controller.run()

    asyncio.run(_serve(app, work, http_host, http_port))


async def _serve(app: web.Application, work: Callable[[], Coroutine[None, None, None]], host: str, port: int) -> None:
    """Serves the HTTP side beside the loops; SIGTERM and SIGINT stop both cleanly."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(work(), name="controller")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        await runner.cleanup()
