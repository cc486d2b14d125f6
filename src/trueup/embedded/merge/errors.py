"""What can go wrong in a patch, with the status code and the words that kube-apiserver answers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from trueup.embedded.gowords import shown
from trueup.model.fields import Element, key_values

BAD_REQUEST = 400
CONFLICT = 409
UNPROCESSABLE = 422
INTERNAL = 500


class PatchError(Exception):
    """A patch that cannot be carried out. `code` is the HTTP status; `str()` is the message for the client."""

    def __init__(self, message: str, code: int = BAD_REQUEST) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Conflict(Struct, frozen=True):
    """A field that somebody else owns. `manager` is the owner as the message shows it; `path` in the wire's elements."""

    manager: str
    path: tuple[Element, ...]

    @property
    def field(self) -> str:
        """`.spec.template.spec.containers[name="web"].image`."""
        return dotted(self.path)


class ApplyConflict(PatchError):
    """An apply that would change what others own, and was not forced. `conflicts` become the answer's causes."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__(_conflict_message(self.conflicts), CONFLICT)


def _conflict_message(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: conflict with {conflicts[0].manager}: {conflicts[0].field}"
    by_manager: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_manager.setdefault(conflict.manager, []).append(conflict.field)
    lines = [
        line
        for manager in sorted(by_manager)
        for line in (f"conflicts with {manager}:", *(f"- {field}" for field in by_manager[manager]))
    ]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def dotted(path: Sequence[Element]) -> str:
    """A path as structured-merge-diff writes it in messages: `.spec.ports[port=80,protocol="TCP"].name`."""
    out: list[str] = []
    for element in path:
        form, _, text = element.partition(":")
        if form == "f":
            out.append(f".{text}")
        elif form == "k":
            names, values = key_values(element)
            pairs = zip(names, values, strict=True)
            out.append("[" + ",".join(f"{name}={shown(value)}" for name, value in pairs) + "]")
        elif form == "v":
            out.append(f"[={shown(msgspec.json.decode(text))}]")
        else:
            out.append(f"[{text}]")
    return "".join(out)
