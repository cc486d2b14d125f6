"""How errors look and what they end with."""

from __future__ import annotations

import pytest

from trueup.cli.console import INTERRUPTED, shown, tell
from trueup.model.errors import InvalidInput


def ended(error: BaseException) -> int:
    @shown
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        command()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_an_error_is_told_with_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(InvalidInput("spec.containers[name=web] is [red] wrong", hint="write it :smile: so")) == 1
    assert capsys.readouterr().err == ("error: spec.containers[name=web] is [red] wrong\n  try: write it :smile: so\n")


def test_an_error_of_several_tasks_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [InvalidInput("lost")])])
    assert ended(group) == 1
    assert capsys.readouterr().err == "error: lost\n"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    @shown
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_ctrl_c_ends_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(KeyboardInterrupt()) == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_what_is_said_is_said_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    tell("note: containers[name=web] [bold]:smile:[/bold]")
    assert capsys.readouterr().err == "note: containers[name=web] [bold]:smile:[/bold]\n"
