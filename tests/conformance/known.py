"""Stories in which the embedded Kubernetes still differs from the real server, with the reason that users are told."""

from __future__ import annotations

from typing import Final

KNOWN: Final[dict[str, str]] = {}
