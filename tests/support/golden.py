"""The `golden` fixture: a whole text is the expectation, kept in a file beside the test; `--update-golden` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write golden files anew; review the difference.")


class Golden:
    """`golden("diff/image-change.txt", text)`: compares with `golden/diff/image-change.txt` in the test's folder."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self.folder = folder
        self.update = update

    def __call__(self, name: str, text: str) -> None:
        path = self.folder / name
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} does not exist yet: run with --update-golden, and review what it writes"
        assert text == path.read_text(encoding="utf-8"), f"not as in {path}; if it is meant: --update-golden"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.path.parent / "golden", update=bool(request.config.getoption("--update-golden")))
