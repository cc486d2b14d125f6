"""Whether a jq path expression is sure to end soon on any object, so that it may run in the controller. Pure.

jq is a whole programming language: it can loop, and its backtracking multiplies. What names fields needs none of that: steps down
an object, `[]` to go through a list, and `select` with a condition that looks at one value. Such an expression takes each node
of the object at most a few hundred times. jq itself still says what the expression means, and whether it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 2000
MOST_COMMAS = 8
"""Each may double the results."""
_WORDS = """
select has and or not null true false type length keys empty startswith endswith contains inside ltrimstr rtrimstr ascii_downcase
ascii_upcase tonumber
"""
WORDS = frozenset(_WORDS.split())
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<text>"(?:[^"\\]|\\[^(])*") | (?P<field>\.[A-Za-z_]\w*|\.(?="))
      | (?P<index>\[\s*(?:-?\d+|-?\d*\s*:\s*-?\d*|"(?:[^"\\]|\\[^(])*")?\s*\])
      | (?P<number>\d+(?:\.\d+)?) | (?P<word>[A-Za-z_]\w*) | (?P<operator>==|!=|<=|>=|//|[.|()?,<>-])""",
    re.VERBOSE,
)


def unsafe(expression: str) -> str:
    """Why it is not; empty: it is."""
    if len(expression) > LONGEST:
        return f"is longer than {LONGEST} characters"
    depth, commas = 0, 0
    conditions: list[int] = []
    word = ""
    for kind, text, at in _tokens(expression):
        if not kind:
            return f"{expression[at : at + 12]!r} may not be used here"
        if kind == "word" and text not in WORDS:
            return f"{text} may not be used here"
        if text == "(":
            depth += 1
            if word:
                conditions.append(depth)
        elif text == ")":
            if conditions and conditions[-1] == depth:
                conditions.pop()
            depth -= 1
        elif conditions and (text == "," or (kind == "index" and not text.strip("[] \t\n"))):
            return "a condition looks at one value: it has no [] and no comma"
        commas += text == ","
        word = text if kind == "word" else ""
    return f"has more than {MOST_COMMAS} commas" if commas > MOST_COMMAS else ""


def _tokens(expression: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and place; an empty kind where something else begins."""
    at, before = 0, ""
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None or (match[0] == "." and before == "."):
            yield "", "", at
            return
        if match.lastgroup != "space":
            yield match.lastgroup, match[0], at
        before = match[0]
        at = match.end()
