"""Argo CD's globs: `*` and `**` match any text, slashes too; `?`, `[a-z]`; `{a,b}` alternatives.

Grammar: github.com/gobwas/glob without separators, as Argo CD compiles it. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

from trueup.model.errors import InvalidInput
from trueup.model.linear import Linear, PatternError


def matches(glob: str, text: str) -> bool:
    """Raises InvalidInput for a malformed glob."""
    return _compiled(glob).fullmatch(text)


@lru_cache(maxsize=16384)
def _compiled(glob: str) -> Linear:
    out: list[str] = []
    at = depth = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        match char:
            case "*":
                out.append(".*")
            case "?":
                out.append(".")
            case "\\" if at < len(glob):
                out.append(re.escape(glob[at]))
                at += 1
            case "{":
                depth += 1
                out.append("(?:")
            case "}" if depth:
                depth -= 1
                out.append(")")
            case "," if depth:
                out.append("|")
            case "[":
                end = glob.find("]", at + 1)
                if end < 0:
                    raise _malformed(glob)
                body = glob[at:end]
                inside = re.sub(r"[\[\]^&~|\\]", lambda found: "\\" + found[0], body.removeprefix("!"))
                out.append(f"[{'^' if body.startswith('!') else ''}{inside}]")
                at = end + 1
            case _:
                out.append(re.escape(char))
    if depth:
        raise _malformed(glob)
    try:
        return Linear("".join(out))
    except PatternError as error:
        raise _malformed(glob) from error


def _malformed(glob: str) -> InvalidInput:
    return InvalidInput(f"the glob {glob!r} is malformed", hint="write *.yaml or {a/*,b/*}")
