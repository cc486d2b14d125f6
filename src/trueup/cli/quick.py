"""`trueup render DIR` and `trueup validate [DIR]...` of what has not changed, answered without the program that would work it out.

Understands the plain forms of these commands, as scripts and hooks write them; whatever else is asked, or has changed, is for
the commands themselves. Imports next to nothing: that is its point.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_FORMS = {"render": ("yaml", "json", "name"), "validate": ("table", "json", "yaml", "name")}
_MODES = ("flux", "argocd")


def answer(arguments: Sequence[str]) -> int | None:
    """The exit code when the answer was given; None: somebody else has to."""
    if not arguments or arguments[0] not in _FORMS or sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        return None
    asked = _read(arguments[0], arguments[1:])
    if asked is None:
        return None
    from trueup.cli import answers

    places, output, mode, recurse = asked
    found = answers.find(
        answers.Question(command=arguments[0], places=places, output=output, mode=mode, recurse=recurse)
    )
    if found is None:
        return None
    sys.stdout.buffer.write(found.stdout.encode())
    sys.stdout.flush()
    sys.stderr.write(found.stderr)
    return 0


def _read(command: str, words: Sequence[str]) -> tuple[tuple[str, ...], str, str | None, bool] | None:
    """Places, form, mode, recurse; None for anything out of the ordinary."""
    places: list[str] = []
    output, mode, recurse = _FORMS[command][0], None, False
    pending = list(words)
    while pending:
        word, value = pending.pop(0), None
        if word.startswith("--") and "=" in word:
            word, value = word.split("=", 1)
        match word:
            case "-o" | "--output":
                output = value if value is not None else pending.pop(0) if pending else ""
                if output not in _FORMS[command]:
                    return None
            case "--mode" if command == "render":
                mode = value if value is not None else pending.pop(0) if pending else ""
                if mode not in _MODES:
                    return None
            case "--recurse" if command == "render" and value is None:
                recurse = True
            case _ if word.startswith("-"):
                return None
            case _:
                places.append(word)
    found = _folders(command, places)
    return (found, output, mode, recurse) if found else None


def _folders(command: str, places: Sequence[str]) -> tuple[str, ...] | None:
    if command == "validate" and not places:
        places = ["."]
    if command == "render" and (len(places) != 1 or not _is_path(places[0])):
        return None
    found = [Path(place).expanduser() for place in places]
    return tuple(str(place.resolve()) for place in found) if all(place.is_dir() for place in found) else None


def _is_path(text: str) -> bool:
    """As `cli.folder.is_folder`; a bare word is an App's name."""
    return text in (".", "..") or text.startswith(("./", "../", "/", "~/")) or text.endswith("/")
