"""The token by which our own processes know each other: in a Secret of their namespace, made by whoever comes first."""

from __future__ import annotations

import base64
import binascii
import secrets

import structlog

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.manifest import Manifest

log = structlog.get_logger(__name__)

SECRET = "trueup-internal"  # noqa: S105 the name of a Secret
KEY = "token"
MANAGER = "trueup"
SHORTEST = 32
_SECRETS = Resource(
    group="", version="v1", plural="secrets", kind="Secret", namespaced=True, verbs=("get", "list", "watch", "create")
)


async def read_token(client: KubeClient, namespace: str) -> str:
    """Empty: there is none (yet), it is too short to be one, or it may not be read."""
    try:
        found = await client.get(_SECRETS, SECRET, namespace)
    except (ApiError, ClusterUnreachable) as error:
        log.warning("the internal token cannot be read", secret=f"{namespace}/{SECRET}", error=error.message)
        return ""
    return _token_of(found) if found is not None else ""


async def ensure_token(client: KubeClient, namespace: str) -> str:
    """As `read_token`, but makes one where there is none. Of several who make it, one wins, and all have that."""
    if token := await read_token(client, namespace):
        return token
    made: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "trueup"}},
        "type": "Opaque",
        "data": {KEY: base64.b64encode(secrets.token_urlsafe(32).encode()).decode()},
    }
    try:
        return _token_of(await client.create(made, manager=MANAGER))
    except (ApiError, ClusterUnreachable) as error:
        if not (isinstance(error, ApiError) and error.code == 409):
            log.warning("the internal token cannot be made", secret=f"{namespace}/{SECRET}", error=error.message)
            return ""
    return await read_token(client, namespace)


def _token_of(secret: Manifest) -> str:
    data = secret.get("data")
    text = str(data.get(KEY) or "") if isinstance(data, dict) else ""
    try:
        token = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return token if len(token) >= SHORTEST else ""
