from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sources.signatures.signkit import Gpg


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    made = Gpg()
    yield made
    made.close()
