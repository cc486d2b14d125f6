"""What a new cluster has from its first moment: the system namespaces, RBAC's default roles, the `kubernetes` Service, and what
tells of the server itself: its API services, flow schemas and the addresses of Services."""

from __future__ import annotations

from trueup.embedded.api import metadata
from trueup.embedded.api.client import Client
from trueup.embedded.api.kinds import read_data
from trueup.embedded.api.writes import utc_now
from trueup.embedded.storage.keys import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, api_version_of, kind_of, name_of, namespace_of, status_of

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "kubernetes",
        "namespace": "default",
        "labels": {"component": "apiserver", "provider": "kubernetes"},
    },
    "spec": {
        "clusterIP": "10.96.0.1",
        "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 443}],
    },
}


async def ensure(client: Client) -> None:
    """Creates what is missing; what is there stays as it is."""
    for name in NAMESPACES:
        await _create(client, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for manifest in read_data("bootstrap.json.gz"):
        await _create(client, manifest)
    await _create(client, _SERVICE)


async def _create(client: Client, manifest: Manifest) -> None:
    served = client.by_kind(api_version_of(manifest), kind_of(manifest))
    assert served is not None, kind_of(manifest)
    resource: Resource = served.resource
    if client.get(resource, namespace_of(manifest), name_of(manifest)) is not None:
        return
    try:
        await client.create(resource, manifest)
        if conditions := status_of(manifest).get("conditions"):
            now = metadata.timestamp(utc_now())
            rows = [{**row, "lastTransitionTime": now} for row in conditions]
            await client.patch(resource, "", name_of(manifest), {"status": {"conditions": rows}}, "status")
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
