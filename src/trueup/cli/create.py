"""`trueup create`: sources and Apps of both dialects, in the cluster or (with --export) as YAML for Git."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from trueup.apps.asks import ARGOCD, Ask, Outcome, ready_outcome, source_outcome
from trueup.apps.times import parse_wait, utc_now
from trueup.cli.console import Exit, shown
from trueup.cli.options import Context, Kubeconfig, NoWait, TargetNamespace, Timeout
from trueup.cli.output import write
from trueup.cli.progress import done, failed, progress
from trueup.cli.session import MANAGER, Found, Session, in_session
from trueup.cli.waiting import until
from trueup.cli.yamltext import dump
from trueup.dialects.argocd.shared import APPLICATION, CONTROL_NAMESPACE, DEFAULT_PROJECT, FINALIZER, IN_CLUSTER_SERVER
from trueup.dialects.dialect import ServedKind
from trueup.dialects.flux.shared import EXTERNAL_ARTIFACT, GIT_REPOSITORY, KUSTOMIZATION, OCI_REPOSITORY
from trueup.dialects.registry import all_dialects, dialect_for, is_source
from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of

FLUX_NAMESPACE = "flux-system"

create = typer.Typer(no_args_is_help=True, help="Create sources and Apps, or print them with --export.")
source = typer.Typer(no_args_is_help=True, help="Create a source.")
create.add_typer(source, name="source")

Name = Annotated[str, typer.Argument(help="Name of the resource.")]
Export = Annotated[bool, typer.Option("--export", help="Print YAML; no cluster is asked.")]
Interval = Annotated[str, typer.Option("--interval", help="How often to look again, such as 1m.")]


@source.command("git")
@shown
def create_source_git(
    name: Name,
    url: Annotated[str, typer.Option("--url", help="https://, ssh:// or http:// URL of the repository.")],
    branch: Annotated[str, typer.Option("--branch", help="Follow this branch.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="This tag.")] = "",
    semver: Annotated[str, typer.Option("--tag-semver", help="The newest tag in this range, such as '>=1.0 <2'.")] = "",
    ref_name: Annotated[str, typer.Option("--ref-name", help="A full ref, such as refs/pull/7/head.")] = "",
    commit: Annotated[str, typer.Option("--commit", help="This commit.")] = "",
    secret_ref: Annotated[str, typer.Option("--secret-ref", help="Secret with the credentials.")] = "",
    ignore_paths: Annotated[list[str] | None, typer.Option("--ignore-paths", help="gitignore lines.")] = None,
    recurse_submodules: Annotated[bool, typer.Option("--recurse-submodules", help="Submodules too.")] = False,
    interval: Interval = "1m",
    export: Export = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: TargetNamespace = FLUX_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """A Git repository to watch (GitRepository)."""
    reference = {"branch": branch, "tag": tag, "semver": semver, "name": ref_name, "commit": commit}
    spec = {
        "interval": _duration(interval, "--interval"),
        "url": url,
        "ref": _given(reference) or None,
        "secretRef": {"name": secret_ref} if secret_ref else None,
        "ignore": "\n".join(ignore_paths) if ignore_paths else None,
        "recurseSubmodules": recurse_submodules or None,
    }
    _create(_resource(GIT_REPOSITORY, namespace, name, spec), export, no_wait, timeout, kubeconfig, context)


@source.command("oci")
@shown
def create_source_oci(
    name: Name,
    url: Annotated[str, typer.Option("--url", help="oci://host/repository, without tag or digest.")],
    tag: Annotated[str, typer.Option("--tag", help="Follow this tag.")] = "",
    semver: Annotated[str, typer.Option("--tag-semver", help="The newest tag in this range, such as '>=1.0 <2'.")] = "",
    digest: Annotated[str, typer.Option("--digest", help="This manifest, sha256:...")] = "",
    secret_ref: Annotated[str, typer.Option("--secret-ref", help="Secret of the registry's credentials.")] = "",
    service_account: Annotated[
        str, typer.Option("--service-account", help="ServiceAccount whose imagePullSecrets are used.")
    ] = "",
    cert_ref: Annotated[str, typer.Option("--cert-ref", help="Secret with ca.crt, or tls.crt and tls.key.")] = "",
    proxy_secret_ref: Annotated[str, typer.Option("--proxy-secret-ref", help="Secret with the proxy's address.")] = "",
    verify_secret_ref: Annotated[
        str,
        typer.Option("--verify-secret-ref", help="Secret with cosign's public keys; only what they signed is used."),
    ] = "",
    insecure: Annotated[bool, typer.Option("--insecure", help="HTTP, or a certificate that nobody checks.")] = False,
    ignore_paths: Annotated[list[str] | None, typer.Option("--ignore-paths", help="gitignore lines.")] = None,
    interval: Interval = "5m",
    export: Export = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: TargetNamespace = FLUX_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """An artifact in an OCI registry to watch (OCIRepository)."""
    spec = {
        "interval": _duration(interval, "--interval"),
        "url": url,
        "ref": _given({"tag": tag, "semver": semver, "digest": digest}) or None,
        "secretRef": {"name": secret_ref} if secret_ref else None,
        "serviceAccountName": service_account or None,
        "certSecretRef": {"name": cert_ref} if cert_ref else None,
        "proxySecretRef": {"name": proxy_secret_ref} if proxy_secret_ref else None,
        "verify": {"provider": "cosign", "secretRef": {"name": verify_secret_ref}} if verify_secret_ref else None,
        "insecure": insecure or None,
        "ignore": "\n".join(ignore_paths) if ignore_paths else None,
    }
    _create(_resource(OCI_REPOSITORY, namespace, name, spec), export, no_wait, timeout, kubeconfig, context)


@create.command("kustomization")
@shown
def create_kustomization(
    name: Name,
    source_: Annotated[
        str,
        typer.Option(
            "--source", help="KIND/NAME or KIND/NAME.NAMESPACE; the kind is GitRepository where none is named."
        ),
    ],
    path: Annotated[str, typer.Option("--path", help="Folder in the source.")] = "./",
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Delete what left Git.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-health", help="Ready only when all objects are well.")] = False,
    target_namespace: Annotated[str, typer.Option("--target-namespace", help="Put every object there.")] = "",
    service_account: Annotated[str, typer.Option("--service-account", help="Apply with its rights.")] = "",
    depends_on: Annotated[
        list[str] | None, typer.Option("--depends-on", help="NAME or NAMESPACE/NAME that must be ready first.")
    ] = None,
    substitute: Annotated[
        list[str] | None, typer.Option("--substitute", metavar="K=V", help="A variable for postBuild.")
    ] = None,
    interval: Interval = "10m",
    retry_interval: Annotated[str, typer.Option("--retry-interval", help="How soon to retry a failure.")] = "",
    sync_timeout: Annotated[str, typer.Option("--sync-timeout", help="spec.timeout: how long health may take.")] = "",
    export: Export = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: TargetNamespace = FLUX_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """An App in Flux's dialect (Kustomization)."""
    from trueup.cli.envsubst import read_assignment

    variables = dict(read_assignment(text) for text in substitute or [])
    spec = {
        "interval": _duration(interval, "--interval"),
        "retryInterval": _duration(retry_interval, "--retry-interval") if retry_interval else None,
        "timeout": _duration(sync_timeout, "--sync-timeout") if sync_timeout else None,
        "sourceRef": read_source_ref(source_, namespace),
        "path": path,
        "prune": prune,
        "wait": wait or None,
        "targetNamespace": target_namespace or None,
        "serviceAccountName": service_account or None,
        "dependsOn": [_dependency(text) for text in depends_on] if depends_on else None,
        "postBuild": {"substitute": variables} if variables else None,
    }
    _create(_resource(KUSTOMIZATION, namespace, name, spec), export, no_wait, timeout, kubeconfig, context)


@create.command("application")
@shown
def create_application(
    name: Name,
    repo: Annotated[str, typer.Option("--repo", help="URL of the Git repository.")],
    path: Annotated[str, typer.Option("--path", help="Folder in it.")] = ".",
    revision: Annotated[str, typer.Option("--revision", help="Branch, tag, commit or semver range.")] = "HEAD",
    dest_namespace: Annotated[str, typer.Option("--dest-namespace", help="For objects that name none.")] = "",
    dest_server: Annotated[str, typer.Option("--dest-server", help="Where to.")] = IN_CLUSTER_SERVER,
    project: Annotated[str, typer.Option("--project", help="AppProject.")] = DEFAULT_PROJECT,
    automated: Annotated[bool, typer.Option("--automated/--manual", help="Sync without being asked.")] = True,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Delete what left Git.")] = False,
    self_heal: Annotated[
        bool, typer.Option("--self-heal/--no-self-heal", help="Take changes in the cluster back.")
    ] = True,
    create_namespace: Annotated[bool, typer.Option("--create-namespace", help="Create the namespace.")] = False,
    cascade: Annotated[bool, typer.Option("--cascade", help="Deleting the Application deletes its objects.")] = False,
    recurse: Annotated[bool, typer.Option("--recurse", help="A plain folder with all folders below.")] = False,
    export: Export = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: TargetNamespace = CONTROL_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """An App in Argo CD's dialect (Application)."""
    policy = {
        "automated": {"prune": prune, "selfHeal": self_heal} if automated else None,
        "syncOptions": ["CreateNamespace=true"] if create_namespace else None,
    }
    spec = {
        "project": project,
        "source": _given(
            {
                "repoURL": repo,
                "targetRevision": revision,
                "path": path,
                "directory": {"recurse": True} if recurse else None,
            }
        ),
        "destination": _given({"server": dest_server, "namespace": dest_namespace}),
        "syncPolicy": _given(policy) or None,
    }
    manifest = _resource(APPLICATION, namespace, name, spec)
    if cascade:
        manifest["metadata"]["finalizers"] = [FINALIZER]
    _create(manifest, export, no_wait, timeout, kubeconfig, context)


def _resource(kind: ServedKind, namespace: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "")}


def _duration(text: str, option: str) -> str:
    """As it was written, once it is known to be a duration."""
    try:
        if parse_duration(text) <= timedelta():
            raise InvalidInput(f"{text!r} is not above nothing", hint='write "1m"')
    except InvalidInput as error:
        raise InvalidInput(error.message, field=option, hint=error.hint) from error
    return text


_SOURCES = (GIT_REPOSITORY.kind, OCI_REPOSITORY.kind, EXTERNAL_ARTIFACT.kind)


def read_source_ref(text: str, namespace: str) -> dict[str, str]:
    """`GitRepository/podinfo`, `GitRepository/podinfo.flux-system` or plain `podinfo` -> sourceRef. Raises InvalidInput."""
    kind, slash, rest = text.rpartition("/")
    name, _, where = rest.partition(".")
    kind = kind if slash else GIT_REPOSITORY.kind
    if kind not in _SOURCES or not name:
        raise InvalidInput(
            f"--source {text!r} is no source that can be used",
            hint=f"write KIND/NAME[.NAMESPACE], with KIND one of {', '.join(_SOURCES)}",
        )
    return _given({"kind": kind, "name": name, "namespace": where if where != namespace else ""})


def _dependency(text: str) -> dict[str, str]:
    where, _, name = text.rpartition("/")
    if not name:
        raise InvalidInput(f"--depends-on {text!r} names nothing", hint="write NAME or NAMESPACE/NAME")
    return _given({"namespace": where, "name": name})


def _create(
    manifest: Manifest, export: bool, no_wait: bool, timeout: str, kubeconfig: Path | None, context: str
) -> None:
    """Checks it by its own dialect, then prints it, or applies it and waits until it is ready."""
    check(manifest)
    if export:
        write("---\n" + dump(manifest))
        return
    wait = None if no_wait else parse_wait(timeout)

    async def work(session: Session) -> bool:
        return await _apply(session, manifest, wait)

    if not in_session(work, kubeconfig, context):
        sys.exit(int(Exit.FAILED))


def check(manifest: Manifest) -> None:
    """Raises what reading it raises: a mistake is told before anything is written."""
    dialects = all_dialects()
    kind = ref_of(manifest).group_kind
    dialect = dialect_for(kind, dialects)
    assert dialect is not None
    if is_source(dialect, kind):
        dialect.read_source(manifest)
    else:
        dialect.read_app(manifest)


async def _apply(session: Session, manifest: Manifest, wait: timedelta | None) -> bool:
    ref = ref_of(manifest)
    kind = next((kind for kind in await session.kinds() if kind.group_kind == ref.group_kind), None)
    if kind is None:
        raise InvalidInput(f"this cluster serves no {ref.kind}", hint="trueup install")
    before = await session.client.get(kind.resource, ref.name, ref.namespace)
    found = Found(kind, await session.client.apply(manifest, manager=MANAGER))
    verb = "created" if before is None else "configured"
    if wait is None:
        done(f"{ref} {verb}")
        return True
    dialect = kind.dialect

    def judge(obj: Manifest) -> Outcome | None:
        if kind.is_source:
            return source_outcome(obj, Ask({}))
        if dialect.name == ARGOCD and not obj.get("status"):
            return None
        return ready_outcome(obj, dialect, utc_now())

    with progress(f"{ref} {verb}, waiting until it is ready") as reporter:
        outcome = await until(session, found, judge, wait, reporter)
    (done if outcome.succeeded else failed)(f"{ref} {verb}: {outcome.message}")
    return outcome.succeeded
