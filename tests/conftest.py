"""Fixtures that every test may use. Real peers (kube-apiserver, etcd, kubectl) come from tests/peers."""

from __future__ import annotations

pytest_plugins = [
    "tests.embedded.fixtures",
    "tests.peers.fixtures",
    "tests.e2e.fixtures",
    "tests.support.golden",
    "trueup.testing.plugin",
]
