"""What a command says: results on standard output, progress and problems on standard error, colour only on a terminal."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import NoReturn, ParamSpec, TypeVar

from rich.console import Console

from trueup.model.errors import TrueupError

P = ParamSpec("P")
R = TypeVar("R")


class Exit(IntEnum):
    """Exit codes: a public interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DIFFERENCES = 3


INTERRUPTED = 130
"""128 + SIGINT, as shells say it."""


class _Results(Console):
    """A reader that has seen enough (`| head`) is no failure."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is still buffered must not complain when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(int(Exit.OK))


out = _Results(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def fail(message: str, *, hint: str = "", code: Exit = Exit.FAILED) -> NoReturn:
    """Says what went wrong and what to try, and ends the command."""
    err.print(f"[bold red]error:[/] {_escaped(message)}")
    if hint:
        err.print(f"  [dim]try:[/] {_escaped(hint)}")
    sys.exit(int(code))


def say(text: str) -> None:
    """Progress, for people, with markup; scripts read standard output."""
    err.print(text)


def tell(text: str) -> None:
    """The same for texts that come from elsewhere: their square brackets are no markup."""
    err.print(text, markup=False)


def shown(command: Callable[P, R]) -> Callable[P, R]:
    """Errors with a hint become two lines and exit code 1, without a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TrueupError as error:
            head, _, hint = str(error).partition("\n  try: ")
            fail(head, hint=hint)
        except ExceptionGroup as group:
            first = _first(group)
            if not isinstance(first, TrueupError):
                raise
            head, _, hint = str(first).partition("\n  try: ")
            fail(head, hint=hint)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    return wrapped


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
