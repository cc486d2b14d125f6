"""The audit log's key in a cluster, where a pod's folder goes with the pod: in a Secret, made once by whoever may, used by all.

So what one pod signed the next can verify, and two replicas need one public key. Whoever may read Secrets of that namespace can sign;
a key that only an operator has is named by `--audit-key` instead.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
from pathlib import Path
from typing import Annotated

import structlog
import typer

from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest
from trueup.records.audit.checkpoints import load_signer, public_pem, signer_of
from trueup.records.audit.service import FOLDER, KEY

log = structlog.get_logger(__name__)

AuditSecretName = Annotated[
    str,
    typer.Option(
        "--audit-secret",
        envvar="TRUEUP_AUDIT_SECRET",
        help="Secret, beside the controller, that keeps the audit log's key; made if need be. Default: the state folder.",
    ),
]
SECONDS = 20.0
"""For which an API server that is away, or a controller that has yet to make it, is waited for."""
_SECRETS = Resource(
    group="", version="v1", plural="secrets", kind="Secret", namespaced=True, verbs=("get", "list", "watch", "create")
)


def bring_key(
    config: ClusterConfig, namespace: str, name: str, state: Path, *, make: bool, seconds: float = SECONDS
) -> None:
    """Puts the Secret's key into the state folder, before an audit log is made there. `make`: where there is none, the folder's
    becomes everybody's. Without an answer in time the folder's own is used, and that is said. Raises InvalidInput for a Secret
    that holds something else than a key; the folder keeps its own then."""
    if name:
        asyncio.run(_bring(config, namespace, name, state / FOLDER / KEY, make=make, seconds=seconds))


async def _bring(config: ClusterConfig, namespace: str, name: str, path: Path, *, make: bool, seconds: float) -> None:
    problem = "there is no such Secret yet"
    try:
        async with asyncio.timeout(seconds), KubeClient(config) as client:
            while True:
                try:
                    found = await _shared(client, namespace, name, path, make=make)
                    if found is not None and (pem := _key_in(found)) is not None:
                        signer_of(pem, f"the Secret {namespace}/{name}")
                        await asyncio.to_thread(_take_over, path, pem)
                        return
                    problem = problem if found is None else f"the Secret has no {KEY}"
                except (ApiError, ClusterUnreachable) as error:
                    problem = error.message
                await asyncio.sleep(1)
    except TimeoutError:
        log.warning("the audit log's own key is used", secret=f"{namespace}/{name}", why=problem)


async def _shared(client: KubeClient, namespace: str, name: str, path: Path, *, make: bool) -> Manifest | None:
    found = await client.get(_SECRETS, name, namespace)
    if found is None and make:
        await asyncio.to_thread(load_signer, path)  # makes one where there is none
        data = {KEY: base64.b64encode(await asyncio.to_thread(path.read_bytes)).decode()}
        made: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "trueup"}},
            "type": "Opaque",
            "data": data,
        }
        try:
            found = await client.create(made, manager="trueup")
        except ApiError as error:
            if not error.is_conflict:
                raise
            found = await client.get(_SECRETS, name, namespace)  # somebody was faster
    return found


def _key_in(secret: Manifest) -> bytes | None:
    try:
        return base64.b64decode(str((secret.get("data") or {}).get(KEY) or ""), validate=True) or None
    except binascii.Error:
        return None


def _take_over(path: Path, key: bytes) -> None:
    """The public half of another key that signed here before stays, for what it signed."""
    if path.exists() and path.read_bytes() != key:
        with contextlib.suppress(InvalidInput):
            before = load_signer(path)
            path.with_name(f"signing-{before.name}.pub").write_text(public_pem(before.public), encoding="utf-8")
    _write(path, key)


def _write(path: Path, key: bytes) -> None:
    """Readable by its owner alone, and whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key)
    beside.replace(path)
