"""JSON that somebody else wrote, read into a struct or refused: whatever is wrong with it is one kind of error.

Beside what is no JSON, or not of the type, that is nesting without end, for which the decoder has an error of another family.
Sizes are the callers' to bound.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class NotReadable(ValueError):
    """The text tells what and where, and shows nothing of what was read."""


def read_json(text: bytes, type_: type[T]) -> T:
    """Unknown fields are passed over. Raises NotReadable."""
    try:
        return msgspec.json.decode(text, type=type_)
    except RecursionError:
        raise NotReadable("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise NotReadable(str(error)) from error
