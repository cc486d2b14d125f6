"""Fields that are wrong are told with their line and column."""

from __future__ import annotations

import pytest

from trueup.cli.fieldplace import place_of_field
from trueup.model.manifest import Origin

TEXT = b"""\
# two documents
spec:
  path: a
---
spec: &all
  images:
    - name: web
      newTag: "1"
    - {name: db, newTag: "2"}
  ? {a: b}
  : c
  again: *known
  path: |
    images: no
"""


@pytest.mark.parametrize(
    ("line", "field", "place"),
    [
        (2, "spec.path", (3, 3)),
        (5, "spec.path", (13, 3)),
        (5, "spec.images", (6, 3)),
        (5, "spec.images[0]", (7, 7)),
        (5, "spec.images[1].newTag", (9, 18)),
        (5, "spec.images[1].digest", (9, 7)),
        (5, "spec.again.inside", (12, 3)),
        (5, "status.images", (5, 0)),
        (5, "", (5, 0)),
        (4, "spec.path", (4, 0)),
        (0, "spec.path", (0, 0)),
    ],
)
def test_the_deepest_part_of_a_field_that_is_there_is_found(line: int, field: str, place: tuple[int, int]) -> None:
    text = TEXT.replace(b"*known", b"*all")
    found = place_of_field(Origin("a.yaml", line), field, {"a.yaml": text}.get)
    assert (found.line, found.column) == place


@pytest.mark.parametrize(
    "text", [b"spec: [", b"a" + b"[" * 100_000, b"spec:\n" + b" {a:" * 50_000, b"\xff\xfe\x00", b"", None]
)
def test_what_cannot_be_read_leaves_the_place_as_it_was(text: bytes | None) -> None:
    origin = Origin("a.yaml", 1)
    assert place_of_field(origin, "spec.path.b", lambda _: text).path == "a.yaml"
