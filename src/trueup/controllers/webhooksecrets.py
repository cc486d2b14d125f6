"""The secrets by which webhooks are proved: Argo CD's `argocd-secret`, and `trueup-webhooks` beside the controller, which wins.

A value may point elsewhere as in Argo CD: `$key` of the same Secret, `$secret:key` of another one in its namespace.
"""

from __future__ import annotations

import contextlib

import structlog

from trueup.controllers.values import ValueStore, secret_data
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef

log = structlog.get_logger(__name__)

ARGOCD_SECRET, OWN_SECRET = "argocd-secret", "trueup-webhooks"
PREFIX = "webhook."
SECONDS = 15.0
"""How old what was read may be: a new secret counts that soon."""


class WebhookSecrets:
    """`values` reads Secrets; it should not keep them longer than `SECONDS`."""

    def __init__(self, values: ValueStore, *, control_namespace: str, namespace: str) -> None:
        self._values = values
        self._places = (
            ObjectRef("", "Secret", control_namespace, ARGOCD_SECRET),
            ObjectRef("", "Secret", namespace, OWN_SECRET),
        )

    async def read(self) -> dict[str, str]:
        """By key; empty where there are none, or they cannot be read: then no webhook is taken."""
        found: dict[str, str] = {}
        for ref in self._places:
            data = await self._data(ref)
            for key, value in data.items():
                if key.startswith(PREFIX) and (text := await self._resolved(value, ref, data)):
                    found[key] = text
        return found

    async def _resolved(self, value: bytes, ref: ObjectRef, data: dict[str, bytes]) -> str:
        text = value.decode("utf-8", "replace").strip()
        if not text.startswith("$"):
            return text
        name, colon, key = text[1:].rpartition(":")
        if colon:
            data = await self._data(ObjectRef("", "Secret", ref.namespace, name))
        return data.get(key, b"").decode("utf-8", "replace").strip()

    async def _data(self, ref: ObjectRef) -> dict[str, bytes]:
        with contextlib.suppress(TrueupError):
            obj = await self._values.get(ref)
            return secret_data(obj) if obj is not None else {}
        log.warning("a Secret of webhooks cannot be read", secret=str(ref))
        return {}
