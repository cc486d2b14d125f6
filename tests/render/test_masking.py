"""What came from Secrets is kept out of messages, whatever it is made of."""

from __future__ import annotations

from trueup.render.masking import Masker


def test_scalars_of_yaml_are_masked_one_by_one() -> None:
    assert Masker.of_texts(["a: {b: [first-value, second-value]}"]).text("first-value, no other") == "***, no other"


def test_a_value_nested_without_end_is_masked_by_its_lines_and_ends_nothing() -> None:
    masker = Masker.of_texts(["[" * 200_000 + "\nsecret-line\n"])
    assert masker.text("it says secret-line") == "it says ***"
