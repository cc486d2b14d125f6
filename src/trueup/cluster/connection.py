"""What reads and writes share: one cluster, one identity, one guard, and requests to any path."""

from __future__ import annotations

import functools
from urllib.parse import urlencode

from trueup.cluster.answers import Answer, is_unserved, not_served
from trueup.cluster.config import ClusterConfig
from trueup.cluster.discovery import Discovery
from trueup.cluster.exchange import JSON_TYPE, REQUEST_SECONDS, Call, Headers
from trueup.cluster.guard import WriteGuard
from trueup.cluster.resource import Resource
from trueup.cluster.transport import Transport
from trueup.model.apierror import ApiError


class Connection:
    """The base of KubeClient. `discovery` is shared by all identities of a cluster."""

    config: ClusterConfig
    discovery: Discovery
    _transport: Transport
    _identity: Headers
    _guard: WriteGuard | None

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON_TYPE,
        accept: str = JSON_TYPE,
        seconds: float = REQUEST_SECONDS,
    ) -> Answer:
        """Any request to any path. Everything but GET counts as a write and is sent once."""
        reads = method in ("GET", "HEAD")
        return await self._transport.request(
            Call(
                method=method,
                target=path + query_of(**(query or {})),
                verb=method.lower(),
                body=body,
                content_type=content_type,
                accept=accept,
                identity=self._identity,
                guard=None if reads else self._guard,
                repeatable=reads,
                seconds=seconds,
            )
        )

    def _unserved(self, error: ApiError, resource: Resource) -> Exception:
        """A 404 of the path itself means that discovery is out of date."""
        if not is_unserved(error):
            return error
        self.discovery.doubt()
        return not_served(resource.api_version, resource.kind, error)


@functools.lru_cache(maxsize=512)  # the same few, thousands of times
def query_of(**values: str) -> str:
    """`?a=b&c=d`, or nothing; empty values are left out."""
    given = [(key, value) for key, value in values.items() if value]
    return "?" + urlencode(given) if given else ""
