"""Clients of the cluster that speak as whoever calls: the API server then judges every read and write itself."""

from __future__ import annotations

from trueup.cluster.client import KubeClient
from trueup.server.api.caller import Caller, KubernetesIdentity
from trueup.server.api.refusals import Forbidden

SERVICE_ACCOUNT = "system:serviceaccount:"


class AsPerson:
    """A `live.place.Clients`. They share the connections of the one they are made from."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def of(self, caller: Caller) -> KubeClient:
        """Raises Forbidden for whom the API server must not be told of."""
        if caller.kubernetes is None:
            raise Forbidden(
                f"{caller.shown} is nobody whom Kubernetes could know",
                hint="names that begin with system: or trueup: are refused; configure a prefix for the provider's names",
            )
        return speaking_as(self._client, caller.kubernetes)


def speaking_as(client: KubeClient, identity: KubernetesIdentity) -> KubeClient:
    """A service account's groups are the API server's to add, so that no right to impersonate `system:` groups is needed."""
    if identity.user.startswith(SERVICE_ACCOUNT):
        return client.impersonate(identity.user)
    return client.impersonate(identity.user, identity.groups)
