"""Errors about fields, in the words and with the reasons of kube-apiserver (k8s.io/apimachinery, `field.Error`)."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from trueup.embedded.gowords import shown

INVALID: Final = "FieldValueInvalid"
TYPE_INVALID: Final = "FieldValueTypeInvalid"
REQUIRED: Final = "FieldValueRequired"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
DUPLICATE: Final = "FieldValueDuplicate"
FORBIDDEN: Final = "FieldValueForbidden"
TOO_LONG: Final = "FieldValueTooLong"
TOO_MANY: Final = "FieldValueTooMany"

NOWHERE: Final = "<nil>"
"""The path of the object itself."""

_WORDS: Final = {
    INVALID: "Invalid value",
    TYPE_INVALID: "Invalid value",
    REQUIRED: "Required value",
    NOT_SUPPORTED: "Unsupported value",
    DUPLICATE: "Duplicate value",
    FORBIDDEN: "Forbidden",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
}
_WITHOUT_VALUE: Final = frozenset({REQUIRED, FORBIDDEN, TOO_LONG})


class FieldError(Struct, frozen=True):
    """One thing wrong with one field: a cause in a Status. `str()` is how it reads in the Status' message."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def field_error(path: str, reason: str, value: Any = None, detail: str = "") -> FieldError:
    """Puts the message together: `Invalid value: "x": detail`. An empty path is `<nil>`, as the server has it."""
    text = _WORDS[reason]
    if reason not in _WITHOUT_VALUE:
        text = f"{text}: {shown(value)}"
    return FieldError(path or NOWHERE, reason, f"{text}: {detail}" if detail else text)
