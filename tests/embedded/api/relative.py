"""Versions, uids and tokens of a scenario by the steps that they come from.

`$version2`, `$uid2` and `$continue2` in a step are replaced by what step 2 answered (steps count from 1). The other way
round, versions in answers are told as the step that wrote them, so that two servers can be compared.
"""

import base64
import json
import re
from typing import Any

_REFERENCE = re.compile(r"\$(version|uid|continue)(\d+)")
_BACKGROUND = re.compile(r"List$|^Table$")
"""Kinds whose version is the server's: other writers move it on, so it is told as a lower bound."""


class Steps:
    """What the steps so far answered."""

    def __init__(self) -> None:
        self._answers: list[Any] = []

    def add(self, answer: Any) -> None:
        self._answers.append(answer)

    def resolved(self, value: Any) -> Any:
        """A step with its references replaced."""
        if isinstance(value, dict):
            return {key: self.resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        return (
            _REFERENCE.sub(lambda found: self._of(found[1], int(found[2])), value) if isinstance(value, str) else value
        )

    def _of(self, what: str, number: int) -> str:
        meta = self._answers[number - 1]["metadata"]
        return str(meta[{"version": "resourceVersion"}.get(what, what)])

    def told(self, answer: Any, *, bound: bool = False) -> Any:
        """An answer with `version` in place of `resourceVersion`, and with readable continue tokens."""
        if isinstance(answer, list):
            return [self.told(item, bound=bound) for item in answer]
        if not isinstance(answer, dict):
            return answer
        bound = (bound or bool(_BACKGROUND.search(str(answer.get("kind", ""))))) or answer.get("type") == "BOOKMARK"
        told: dict[str, Any] = {}
        for key, value in answer.items():
            if key == "resourceVersion" and isinstance(value, str):
                told["version"] = self._relative(value, bound=bound)
            elif key == "continue" and value:
                told[key] = self._token(value)
            elif key in ("items", "rows"):
                told[key] = [self.told(item) for item in value] if value is not None else None
            else:
                told[key] = self.told(value, bound=bound and key in ("metadata", "object"))
        return told

    def _relative(self, version: str, *, bound: bool) -> str:
        if not version.isdigit():
            return version
        found = ""
        newest = -1
        for number, answer in enumerate(self._answers, 1):
            known = answer.get("metadata", {}).get("resourceVersion", "") if isinstance(answer, dict) else ""
            if not known.isdigit() or _BACKGROUND.search(str(answer.get("kind", ""))):
                continue
            if newest < int(known) <= int(version):
                newest, found = (
                    int(known),
                    f"step {number}" if known == version and not bound else f"from step {number}",
                )
        return found or "before"

    def _token(self, token: str) -> Any:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return read | {"rv": read["rv"] if read["rv"] <= 0 else self._relative(str(read["rv"]), bound=True)}
