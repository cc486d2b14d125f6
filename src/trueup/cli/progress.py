"""What is going on while somebody waits: a spinner on a terminal, a line for each change elsewhere. On standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.status import Status

from trueup.cli.console import err

LONGEST = 160


class Progress:
    """Told what is going on now; says it once."""

    def __init__(self, spinner: Status | None) -> None:
        self._spinner = spinner
        self._last = ""

    def update(self, text: str) -> None:
        first = text.split("\n", 1)[0]
        shown = first if len(first) <= LONGEST else first[: LONGEST - 1] + "…"
        if shown == self._last:
            return
        self._last = shown
        if self._spinner is not None:
            self._spinner.update(escape(shown))
        else:
            err.print(f"… {shown}", markup=False)


@contextmanager
def progress(text: str) -> Iterator[Progress]:
    """While the block runs."""
    if not err.is_terminal:
        reporter = Progress(None)
        reporter.update(text)
        yield reporter
        return
    with err.status(escape(text)) as spinner:
        yield Progress(spinner)


def done(text: str) -> None:
    err.print(f"[green]✔[/] {escape(text)}")


def failed(text: str) -> None:
    err.print(f"[red]✗[/] {escape(text)}")
