"""A folder or an App: told apart by how it is written, and said where it was written wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.cli.folder import is_folder, or_folder
from trueup.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "folder"),
    [(".", True), ("./apps", True), ("apps/", True), ("/srv", True), ("apps/web", False), ("web", False)],
)
def test_a_folder_is_told_by_how_it_is_written(text: str, folder: bool) -> None:
    assert is_folder(text) is folder


def test_an_app_that_is_not_there_and_a_folder_that_is_are_told_of_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "charts" / "hello").mkdir(parents=True)
    with pytest.raises(InvalidInput) as found, or_folder("charts/hello"):
        raise InvalidInput("there is no App 'charts/hello'", hint="trueup get")
    assert str(found.value) == "there is no App 'charts/hello'\n  try: the folder is written ./charts/hello"
    with pytest.raises(InvalidInput, match="trueup get"), or_folder("other"):
        raise InvalidInput("there is no App 'other'", hint="trueup get")
