"""Where identity's facts are kept: ConfigMaps and Secrets of the control namespace, as a small protocol and in memory.

The server's own is fed by watches, so reading costs nothing and every replica sees a change; writes go to the API server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

SETTINGS = "argocd-cm"
SECRETS = "argocd-secret"
REVOKED = "trueup-revoked-sessions"
INITIAL = ("argocd-initial-admin-secret", "trueup-initial-admin-secret")


class Form(StrEnum):
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 not a secret


Data = Mapping[str, bytes]
Change = Callable[[Data], Data | None]
"""From the data as it is to what it should be; None: leave it. May be called again when somebody else wrote meanwhile."""


class Store(Protocol):
    def read(self, form: Form, name: str) -> Data:
        """As last seen; empty when there is no such object."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever anything that `read` answers has changed."""
        ...

    async def write(self, form: Form, name: str, change: Change, *, labels: Mapping[str, str] | None = None) -> Data:
        """Reads the newest, changes it, and writes it if nobody was faster; made when it is not there. `read` knows it at once."""
        ...


class MemoryStore:
    """For tests and for a server without a cluster. What `write` does is visible to all who share it."""

    def __init__(self, objects: Mapping[tuple[Form, str], Data] | None = None) -> None:
        self._objects = {key: dict(data) for key, data in (objects or {}).items()}
        self._version = 0

    @property
    def version(self) -> int:
        return self._version

    def read(self, form: Form, name: str) -> Data:
        return self._objects.get((form, name), {})

    def set(self, form: Form, name: str, data: Mapping[str, str | bytes]) -> None:
        self._objects[form, name] = {k: v.encode() if isinstance(v, str) else v for k, v in data.items()}
        self._version += 1

    async def write(self, form: Form, name: str, change: Change, *, labels: Mapping[str, str] | None = None) -> Data:
        del labels
        before = self.read(form, name)
        after = change(before)
        if after is None:
            return before
        self._objects[form, name] = dict(after)
        self._version += 1
        return after
