"""Tables in plain columns, as kubectl prints them: easy to read, to grep and to cut. Pure but for `print_table`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

GAP = 3
Cell = str | Text


def lines(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int | None = None) -> list[Text]:
    """The lines of a table. `width` cuts each line, so that the last column does not wrap on a terminal."""
    table = (
        [[_cell(cell) for cell in row] for row in (headers, *rows)]
        if headers
        else [[_cell(c) for c in r] for r in rows]
    )
    widths = column_widths(table)
    return [line(row, widths, width=width) for row in table]


def column_widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [max(cell_len(str(cell)) for cell in column) for column in zip(*rows, strict=True)] if rows else []


def line(row: Sequence[Cell], widths: Sequence[int], *, width: int | None = None) -> Text:
    """One row in columns of these widths; a cell that is wider pushes the rest to the right."""
    text = Text(no_wrap=True, overflow="ignore", end="")
    for number, cell in enumerate(row):
        shown = _cell(cell)
        text.append_text(shown)
        if number + 1 < len(row):
            text.append(" " * (max(widths[number] - cell_len(shown.plain), 0) + GAP))
    text.rstrip()
    if width is not None and cell_len(text.plain) > width:
        text.truncate(width, overflow="ellipsis")
    return text


def print_table(console: Console, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    for text in lines(headers, rows, width=console.width if console.is_terminal else None):
        console.print(text)


def _cell(cell: Cell) -> Text:
    """One line: what goes on behind a line's end is left out."""
    text = cell.copy() if isinstance(cell, Text) else Text(cell)
    if "\n" in text.plain:
        text = text.split("\n")[0]
        text.append(" …")
    return text


__all__ = ["Cell", "column_widths", "line", "lines", "print_table"]
