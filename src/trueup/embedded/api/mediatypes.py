"""Content types as Go's `mime.ParseMediaType` reads them: what is no media type, or has broken parameters, is none at all."""

from __future__ import annotations

import re

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TYPE = re.compile(rf"{_NAME}(/{_NAME})?")
_PARAMETER = re.compile(rf'\s*;\s*({_NAME})\s*=\s*({_NAME}|"(?:[^"\\\r\n]|\\.)*")', re.DOTALL)
_END = re.compile(r"\s*;?\s*")


def media_type(text: str) -> str:
    """The media type without its parameters, in small letters; empty for what cannot be read."""
    found = text.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(found):
        return ""
    rest = text[text.find(";") :] if ";" in text else ""
    values: dict[str, str] = {}
    while not _END.fullmatch(rest):
        parameter = _PARAMETER.match(rest)
        if parameter is None:
            return ""
        name, value = parameter[1].lower(), parameter[2].strip('"')
        if values.setdefault(name, value) != value:
            return ""
        rest = rest[parameter.end() :]
    return found
