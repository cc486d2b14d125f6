"""An empty database of each kind, as the records' own tests have it."""

from __future__ import annotations

from tests.records.conftest import postgres, url

__all__ = ["postgres", "url"]
