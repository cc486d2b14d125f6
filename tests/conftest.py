"""Fixtures that every test may use. Real peers (kube-apiserver, etcd, kubectl) come from tests/peers."""

from __future__ import annotations

import contextlib
import signal

from hypothesis import settings

# A property is about what comes out; how busy the machine is must not decide it.
settings.register_profile("trueup", deadline=None)
settings.load_profile("trueup")

pytest_plugins = [
    "tests.embedded.fixtures",
    "tests.peers.fixtures",
    "tests.e2e.fixtures",
    "tests.support.golden",
    "trueup.testing.plugin",
]

# A shell that starts tests in the background ignores SIGINT, and so would every command that a test begins and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    with contextlib.suppress(ValueError):  # another thread than the first
        signal.signal(signal.SIGINT, signal.default_int_handler)
