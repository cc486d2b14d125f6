"""Stories in which the embedded Kubernetes still differs from the real server, with the reason that users are told."""

from __future__ import annotations

from typing import Final

_DIFF: Final = "the diff of Go structs at the end of the message about immutable fields is not shown"

KNOWN: Final[dict[str, str]] = {
    "apply-lists: a claim's request grows by apply": _DIFF,
    "strategic-more: containers of a running pod change only their image": _DIFF,
}
