"""The settings that Argo CD tells its pages and command line before anybody has signed in: nothing secret is among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from trueup.server.api.call import Call
from trueup.server.api.operation import PUBLIC, Answer, Content, Operation, Surface
from trueup.server.argo.badge import ENABLED
from trueup.server.argo.finding import V1
from trueup.server.identity.settings import Settings
from trueup.server.identity.sso.providers import ARGO
from trueup.server.world.world import World


class ArgoSettings:
    def __init__(self, world: World, settings: Callable[[], Settings]) -> None:
        self._world = world
        self._settings = settings

    async def get(self, call: Call) -> Answer:
        del call
        return Answer(body=told(self._settings(), self._world.control_namespace))


async def health(call: Call) -> Content:
    """What probes and load balancers of Argo CD ask; its `full` is not needed, for a server that hears no cluster serves on."""
    del call
    return Content(body=b"ok", media_type="text/plain")


def told(settings: Settings, namespace: str) -> dict[str, Any]:
    """What Trueup does not have is left out or said to be off, as a client of Argo CD understands it."""
    data = settings.data
    said: dict[str, Any] = {
        "url": settings.urls[0] if settings.urls else "",
        "additionalUrls": list(settings.urls[1:]),
        "oidcConfig": _provider(data.get(ARGO, "")),
        "appLabelKey": data.get("application.instanceLabelKey") or "app.kubernetes.io/instance",
        "trackingMethod": data.get("application.resourceTrackingMethod") or "annotation",
        "statusBadgeEnabled": data.get(ENABLED, "").strip().lower() == "true",
        "statusBadgeRootUrl": data.get("statusbadge.url", ""),
        "passwordPattern": settings.password_pattern,
        "userLoginsDisabled": not any(one.enabled for one in settings.accounts.values()),
        "controllerNamespace": namespace,
        "installationID": data.get("installationID", ""),
    }
    off = {"appsInAnyNamespaceEnabled": True, "execEnabled": False, "impersonationEnabled": False, "help": {}}
    return {key: value for key, value in said.items() if value not in ("", [], None)} | off


def _provider(text: str) -> dict[str, Any] | None:
    """What a client needs to begin a login, and nothing else of it."""
    try:
        loaded = yaml.safe_load(text) if text.strip() else None
    except (yaml.YAMLError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    found = {
        "name": loaded.get("name"),
        "issuer": loaded.get("issuer"),
        "clientID": loaded.get("clientID"),
        "cliClientID": loaded.get("cliClientID"),
        "scopes": loaded.get("requestedScopes"),
    }
    # A reference stays one: what it stands for is not for everybody.
    return {key: value for key, value in found.items() if value} | {"enablePKCEAuthentication": True}


def operations(settings: ArgoSettings) -> list[Operation]:
    return [
        Operation(
            id="argo.settings",
            method="GET",
            path=V1 + "/settings",
            summary="What a client needs to know before it signs in",
            access=PUBLIC,
            surface=Surface.ARGOCD,
            handler=settings.get,
        ),
        Operation(
            id="argo.health",
            method="GET",
            path="/healthz",
            summary="Whether the server answers",
            access=PUBLIC,
            surface=Surface.ARGOCD,
            handler=health,
        ),
    ]
