"""What a registered repository offers, at Argo CD's paths: its branches and tags, its charts, and whether it answers at all.

The controller asks the repository with the credentials that are registered for it; others are not tried.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.apps.probe import Probe, ProbeWish
from trueup.model.manifest import name_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Surface
from trueup.server.api.refusals import BadQuery, Impossible
from trueup.server.argo.finding import V1
from trueup.server.argo.placechanges import RepositoryChanges, RepositoryQuery
from trueup.server.comparing.operations import Asks

_ONE = V1 + "/repositories/{repo}"


class AccessQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Argo CD takes credentials in the address. Here that is refused: addresses are written down on their way."""

    app_project: str = ""
    username: str = ""
    password: str = ""
    bearer_token: str = ""
    ssh_private_key: str = ""
    tls_client_cert_key: str = ""
    github_app_private_key: str = ""

    def __repr__(self) -> str:
        return "AccessQuery()"


_SECRET = ("password", "bearer_token", "ssh_private_key", "tls_client_cert_key", "github_app_private_key")


class RepositoryProbes:
    def __init__(self, repositories: RepositoryChanges, controllers: Asks) -> None:
        self._repositories = repositories
        self._controllers = controllers

    async def refs(self, call: Call) -> Answer:
        found = await self._asked(call)
        return Answer(body={"branches": list(found.branches), "tags": list(found.tags)})

    async def charts(self, call: Call) -> Answer:
        found = await self._asked(call)
        return Answer(
            body={"items": [{"name": name, "versions": list(versions)} for name, versions in found.charts.items()]}
        )

    async def validate(self, call: Call) -> Answer:
        query = call.query
        if any(getattr(query, name) for name in _SECRET):
            raise Impossible(
                "credentials are not taken out of an address, where everything on the way writes them down",
                hint="register the repository first, then test what is registered",
            )
        await self._asked(call)
        return Answer(body={})

    async def _asked(self, call: Call) -> Probe:
        """Raises BadQuery in the controller's words where the repository does not answer."""
        _, secret = await self._repositories.known(call, "get")
        found = await self._controllers.probe(ProbeWish(secret=name_of(secret)))
        if not found.reachable:
            raise BadQuery(found.message, reason=found.reason, hint=found.hint)
        return found


def operations(probes: RepositoryProbes) -> list[Operation]:
    def at(name: str, path: str, summary: str, handler: Any, **more: Any) -> Operation:
        said: dict[str, Any] = {"method": "GET", "query": RepositoryQuery} | more
        return Operation(
            id=f"argo.repository-{name}",
            path=_ONE + path,
            summary=summary,
            access=Listed("repositories"),
            surface=Surface.ARGOCD,
            handler=handler,
            **said,
        )

    return [
        at("refs", "/refs", "Its branches and tags", probes.refs),
        at("oci-tags", "/oci-tags", "Its tags, of a registry's repository", probes.refs),
        at("charts", "/helmcharts", "Its charts and their versions", probes.charts),
        at(
            "validate", "/validate", "Whether it answers with the credentials that are registered", probes.validate,
            method="POST", query=AccessQuery, body=str, body_optional=True, audited=False,
        ),
    ]  # fmt: skip
