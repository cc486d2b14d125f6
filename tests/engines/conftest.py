"""The real engine binary, built when it is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.render.engine.build import engine_binary


@pytest.fixture(scope="session")
def binary() -> Path:
    return engine_binary("kustomize")
