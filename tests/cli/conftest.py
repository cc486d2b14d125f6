"""Commands in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.cli.kit import Ran, run
from trueup.render.engine.identity import cache_root


@pytest.fixture
def trueup(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Ran]:
    """`trueup("get", "apps", stdin=b"")` -> code, stdout, stderr. Nothing of this machine's own set-up is seen."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRUEUP_CACHE_DIR", str(cache_root()))  # the engines are not built anew for each test
    monkeypatch.setenv("TRUEUP_RENDER_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "trueup-home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return partial(run, capsysbinary=capsysbinary, monkeypatch=monkeypatch)
