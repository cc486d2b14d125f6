"""`trueup envsubst`: variables in a text, by the very rules of Flux's postBuild substitution."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from trueup.cli.console import shown
from trueup.model.errors import InvalidInput
from trueup.render.envsubst import VARIABLE_NAME, SubstitutionFailed, substitute


@shown
def envsubst(
    strict: Annotated[
        bool, typer.Option("--strict", help="A variable that is not set and has no default is an error.")
    ] = False,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="K=V", help="A variable; wins over the environment's.")
    ] = None,
) -> None:
    """Substitute ${variables} from standard input to standard output, from the environment and --var."""
    variables = dict(os.environ) | dict(read_assignment(text) for text in var or [])
    raw = sys.stdin.buffer.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            f"standard input is not UTF-8 text (line {line})", hint="convert it, as with iconv"
        ) from error
    try:
        result = substitute(text, variables, strict=strict)
    except SubstitutionFailed as error:
        raise InvalidInput(f"line {error.line}: {error.message}", hint=error.hint) from error
    sys.stdout.buffer.write(result.encode())
    sys.stdout.buffer.flush()


def read_assignment(text: str) -> tuple[str, str]:
    """`K=V`; the value may be empty and may hold `=`. Raises InvalidInput."""
    name, equals, value = text.partition("=")
    if not equals or not VARIABLE_NAME.fullmatch(name):
        raise InvalidInput(
            f"--var {text!r} is not K=V", hint="write --var name=value; names have letters, digits and _"
        )
    return name, value
