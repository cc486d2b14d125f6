"""Stories in which the embedded Kubernetes still differs from the real server, with the reason that users are told."""

from __future__ import annotations

from typing import Final

_WARNINGS: Final = (
    "warnings about fields that are valid and do little (a null labelSelector, an ignored externalName) are not given"
)
_DIFF: Final = "the diff of Go structs at the end of the message about immutable fields is not shown"

KNOWN: Final[dict[str, str]] = {
    "apply-lists: topology spread constraints are found by key and action": _WARNINGS,
    "apply-lists: a Service moves between kinds": _WARNINGS,
    "apply-lists: a claim's request grows by apply": _DIFF,
    "strategic-more: containers of a running pod change only their image": _DIFF,
    "apply-requests: a custom resource is validated after the merge": "an integer beyond its format is refused in one message, not in two",
    "apply-requests: a creationTimestamp and other things of the server are not owned": (
        "a generation that a client sends for a kind without generations is dropped"
    ),
}
