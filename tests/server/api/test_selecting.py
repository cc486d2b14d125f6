"""`fields=`: what is asked for, and nothing else."""

from __future__ import annotations

import pytest

from trueup.server.api.selecting import select

DATA = {"items": [{"metadata": {"name": "a", "uid": "1"}, "spec": {"x": 1}}, {"metadata": {"name": "b"}}], "total": 2}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("", DATA),
        ("items.metadata.name", {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}),
        ("items.spec,total", {"items": [{"spec": {"x": 1}}, {}], "total": 2}),
        ("-items", {"total": 2}),
        (
            "-items.spec,items.metadata.uid",
            {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}], "total": 2},
        ),
        ("nothing", {}),
        (" total , ", {"total": 2}),
    ],
)
def test_paths_go_through_lists(fields: str, wanted: object) -> None:
    assert select(DATA, fields) == wanted
