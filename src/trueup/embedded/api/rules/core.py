"""Rules."""

from __future__ import annotations

from trueup.embedded.api.rules.base import Rules
from trueup.embedded.storage.keys import Resource

RULES: dict[Resource, Rules] = {}
