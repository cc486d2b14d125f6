"""The table of what the embedded Kubernetes simulates, made from the conformance suite of the tests."""

from __future__ import annotations

from tests.conformance import table


def text() -> str:
    return table.text()
