"""Which of the names that a definition asks for it may have: each name that another definition of its group has is refused,
and what the definition had before stays. Pure.

Rules: k8s.io/apiextensions-apiserver, pkg/controller/status/naming_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

Names = Mapping[str, Any]


class Settled(Struct, frozen=True):
    """The names that are the definition's now, and why others are not."""

    accepted: dict[str, Any]
    reason: str = "NoConflicts"
    message: str = "no conflicts found"

    @property
    def is_accepted(self) -> bool:
        return self.reason == "NoConflicts"


def settle(requested: Names, accepted: Names, others: Iterable[Names]) -> Settled:
    """`accepted`: what the definition has already; `others`: what the other definitions of its group have."""
    resources, kinds = _claimed(others)
    now = {"plural": "", "kind": ""} | dict(accepted)
    reason = message = ""
    for field, taken in (("plural", resources), ("singular", resources)):
        if problem := _problem(requested.get(field), accepted.get(field), taken):
            reason, message = f"{field.capitalize()}Conflict", problem
        else:
            _set(now, field, requested.get(field))
    if (wanted := requested.get("shortNames") or []) != (accepted.get("shortNames") or []):
        own = accepted.get("shortNames") or ()
        problems = [problem for name in wanted if name not in own and (problem := _problem(name, "", resources))]
        if problems:
            reason = "ShortNamesConflict"
            message = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        else:
            _set(now, "shortNames", wanted)
    for field, words in (("kind", "Kind"), ("listKind", "ListKind")):
        if problem := _problem(requested.get(field), accepted.get(field), kinds):
            reason, message = f"{words}Conflict", problem
        else:
            _set(now, field, requested.get(field))
    _set(now, "categories", requested.get("categories"))
    return Settled(now, reason, message) if reason else Settled(now)


def _claimed(others: Iterable[Names]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for names in others:
        resources |= {names.get("plural") or "", names.get("singular") or "", *(names.get("shortNames") or ())}
        kinds |= {names.get("kind") or "", names.get("listKind") or ""}
    return resources - {""}, kinds - {""}


def _problem(requested: str | None, accepted: str | None, taken: set[str]) -> str:
    if (requested or "") == (accepted or "") or requested not in taken:
        return ""
    return f'"{requested}" is already in use'


def _set(names: dict[str, Any], field: str, value: Any) -> None:
    """What may be left out is left out when it is empty."""
    if value or field in ("plural", "kind"):
        names[field] = value or ""
    else:
        names.pop(field, None)
