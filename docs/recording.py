"""A terminal's output as an SVG that follows the reader's light or dark theme: `python docs/recording.py FILE.ansi > FILE.svg`.

The input is what commands really wrote (`script -qec COMMAND`), with lines that begin with `$ ` as the commands. Colours
and weights of ECMA-48's SGR become classes; lines longer than the terminal wrap. No animation, no script, no font to load.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from html import escape
from pathlib import Path

COLUMNS = 104
LINE, WIDTH, MARGIN = 19.0, 7.83, 18.0
TOP = 44.0
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_CLASSES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}

_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{label}">
<style>
  svg {{ --back: #fbfbfc; --edge: #d6d9de; --text: #24292f; --dim: #737c86;
    --green: #197a35; --cyan: #0a6f86; --yellow: #8a5a00; --red: #c22; }}
  @media (prefers-color-scheme: dark) {{
    svg {{ --back: #12161c; --edge: #303842; --text: #d7dde4; --dim: #8b949e;
      --green: #56d364; --cyan: #6fd0e8; --yellow: #e3b341; --red: #ff7b72; }}
  }}
  text {{ font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--text); white-space: pre; }}
  .b {{ font-weight: 700; }} .d {{ fill: var(--dim); }} .g {{ fill: var(--green); }} .c {{ fill: var(--cyan); }}
  .y {{ fill: var(--yellow); }} .r {{ fill: var(--red); }}
</style>
<rect x=".5" y=".5" width="{inner_width:.0f}" height="{inner_height:.0f}" rx="8" fill="var(--back)" stroke="var(--edge)"/>
<g fill="var(--edge)"><circle cx="20" cy="20" r="5"/><circle cx="36" cy="20" r="5"/><circle cx="52" cy="20" r="5"/></g>
{body}
</svg>
"""

Cell = tuple[str, str]
"""A character and its classes."""


def cells(line: str) -> list[Cell]:
    """The line's characters with the classes that were on when they were written."""
    if line.startswith("$ "):
        return [("$", "d"), (" ", ""), *((character, "b") for character in line[2:])]
    found: list[Cell] = []
    on: list[str] = []
    place = 0
    for code in [*_SGR.finditer(line), None]:
        text = line[place : code.start() if code else None]
        found.extend((character, " ".join(on)) for character in text)
        if code is None:
            break
        place = code.end()
        for number in code[1].split(";"):
            on = [] if number in ("", "0") else [*on, _CLASSES[number]]
    return found


def wrapped(row: list[Cell]) -> list[list[Cell]]:
    return [row[start : start + COLUMNS] for start in range(0, max(len(row), 1), COLUMNS)]


def spans(row: list[Cell]) -> str:
    """Runs of one class as `tspan`s, each at its own column, so that no font can shift what stands in columns."""
    out, start = [], 0
    for end in range(1, len(row) + 1):
        if end < len(row) and row[end][1] == row[start][1] and not _column_break(row, start, end):
            continue
        text = "".join(character for character, _ in row[start:end])
        if text.strip():
            shift = len(text) - len(text.lstrip(" "))
            mark = f' class="{row[start][1]}"' if row[start][1] else ""
            out.append(f'<tspan x="{MARGIN + (start + shift) * WIDTH:.1f}"{mark}>{escape(text.strip(" "))}</tspan>')
        start = end
    return "".join(out)


def _column_break(row: list[Cell], start: int, end: int) -> bool:
    """Whether a new column begins here: after two spaces, or at a symbol that fonts draw in other widths."""
    before = "".join(character for character, _ in row[max(start, end - 2) : end])
    return (before == "  " and row[end][0] != " ") or unicodedata.category(row[end - 1][0]) == "So"


def drawn(text: str, label: str) -> str:
    rows = [row for line in text.rstrip().splitlines() for row in wrapped(cells(line.replace("\r", "")))]
    body = "\n".join(f'<text y="{TOP + n * LINE + 13:.1f}">{spans(row)}</text>' for n, row in enumerate(rows) if row)
    width, height = 2 * MARGIN + COLUMNS * WIDTH, TOP + len(rows) * LINE + MARGIN
    return _SVG.format(
        width=width, height=height, inner_width=width - 1, inner_height=height - 1, label=escape(label), body=body
    )


LABEL = "A terminal: Trueup is started, a push is live, drift is healed"

if __name__ == "__main__":
    sys.stdout.write(drawn(Path(sys.argv[1]).read_text(encoding="utf-8"), LABEL))
