"""The text of a field selector: from `status.phase!=Failed,metadata.name=a\\,b` to terms over the fields that a kind offers.

A backslash stands before a backslash, comma or equals sign of a value. Terms are read in the order of their text, and all
of them before any field is looked for, so that of several faults the real server's is told. A term of nothing but a sign says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trueup.embedded.api.refusals import bad_request
from trueup.embedded.api.selectors import FieldReader, FieldSelector
from trueup.embedded.gowords import quoted

_ESCAPED_OR_COMMA = re.compile(r"\\.|,|[^\\,]+|\\$", re.DOTALL)
_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)
_VALUE_SIGNS = "\\,="


def parse_fields(text: str, readers: Mapping[str, FieldReader], unknown: str) -> FieldSelector:
    """Raises ApiError 400: for what cannot be read, and saying `unknown`, with the `path` or the `quoted` one
    in it, for a path that is not in `readers`."""
    read = [_term(text, term) for term in sorted(_split(text), key=str.encode) if term]
    terms = [term for term in read if term[0] or term[1]]
    chosen = []
    for path, _, _ in terms:
        if (reader := readers.get(path)) is None:
            raise bad_request(unknown.format(path=path, quoted=quoted(path)))
        chosen.append(reader)
    return FieldSelector(tuple(terms), tuple(chosen))


def _term(text: str, term: str) -> tuple[str, str, bool]:
    """Path, value, and whether it must be equal."""
    found = _TERM.fullmatch(term)
    if found is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
    path, sign, value = found.groups()
    return path, _unescaped(value), sign != "!="


def _split(text: str) -> list[str]:
    """The parts between commas that no backslash escapes."""
    parts = [""]
    for piece in _ESCAPED_OR_COMMA.findall(text):
        if piece == ",":
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _unescaped(value: str) -> str:
    """A value without its backslashes."""
    if not any(sign in value for sign in _VALUE_SIGNS):
        return value
    out, escaped = [], False
    for sign in value:
        if escaped:
            if sign not in _VALUE_SIGNS:
                raise bad_request(f"invalid field selector: invalid escape sequence: \\{sign}")
            out.append(sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(sign)}")
        else:
            out.append(sign)
    if escaped:
        raise bad_request("invalid field selector: invalid escape sequence: \\")
    return "".join(out)
