"""A pin names a revision, by whom, why and until when; a wrong one says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.apps.pins import is_in_force, pin_text, read_pin
from trueup.apps.wishes import pin_patch
from trueup.model.errors import InvalidInput
from trueup.model.revision import composite_revision

COMMIT = "a" * 40


def app(**annotations: str) -> dict[str, Any]:
    names = {f"trueup.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"apiVersion": "x/v1", "kind": "App", "metadata": {"name": "a", "namespace": "b", "annotations": names}}


def test_no_annotation_is_no_pin() -> None:
    assert read_pin(app()) is None
    assert not is_in_force(None, datetime.now(UTC))


def test_a_pin_is_in_force_until_its_end() -> None:
    pin = read_pin(
        app(pin=f"main@sha1:{COMMIT}", pin_by="somchai", pin_reason="broken", pin_until="2026-11-23T12:00:00Z")
    )
    assert pin is not None
    assert str(pin) == "main@aaaaaaa by somchai until 2026-11-23T12:00:00Z: broken"
    assert is_in_force(pin, datetime(2026, 11, 23, 11, 59, tzinfo=UTC))
    assert not is_in_force(pin, datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


def test_a_pin_of_several_sources_names_a_revision_of_each() -> None:
    pin = read_pin(app(pin=f"1.2.0,{COMMIT},main@sha1:{COMMIT}"))
    assert pin is not None
    assert list(map(str, pin.parts)) == ["1.2.0", f"sha1:{COMMIT}", f"main@sha1:{COMMIT}"]
    assert pin.revision == composite_revision(pin.parts)
    again = read_pin(app(pin=pin_text(pin)))
    assert again == pin
    written = pin_patch(pin).patch["metadata"]["annotations"]["trueup.dev/pin"]
    assert read_pin(app(pin=written)) == pin


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({"pin": f"1.2.0,,main@sha1:{COMMIT}"}, "is not a revision"),
        ({"pin": "yesterday"}, "is not a revision"),
        ({"pin": f"main@sha1:{COMMIT}", "pin_until": "tomorrow"}, "is not a time"),
        ({"pin": f"main@sha1:{COMMIT}", "pin_until": "2026-11-23T12:00:00"}, "names no time zone"),
    ],
)
def test_a_wrong_pin_says_what_is_wrong(annotations: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_pin(app(**annotations))
