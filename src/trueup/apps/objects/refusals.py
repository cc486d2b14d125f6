"""Why something is not done with an object: the same words wherever it lives."""

from __future__ import annotations

from trueup.model.errors import Terminal, Transient
from trueup.model.refs import ObjectRef


class NoSuchObject(Terminal):
    """It is not there, or is not the App's, which is none of its readers' business."""

    reason = "NotFound"

    def __init__(self, ref: ObjectRef) -> None:
        super().__init__(f"there is no {ref}", hint="look at the list of what there is", ref=ref)

    def __str__(self) -> str:
        return self.message


class NoLogs(Terminal):
    """There are no pods, or none with such a container."""

    reason = "NotFound"

    def __str__(self) -> str:
        return self.message


class OtherVersion(Terminal):
    """It is not the one, or not as, the caller thought."""

    reason = "PreconditionFailed"


class AnApp(Terminal):
    """It is an App of its own."""

    reason = "Forbidden"


class NotAtWork(Transient):
    """This process does not reach Apps' clusters now; another may."""

    reason = "NotAtWork"


def check_version(if_match: str, version: str) -> None:
    """Raises OtherVersion when the header `If-Match` names others than this resourceVersion."""
    wanted = if_match.strip()
    if wanted and wanted != "*" and f'"{version}"' not in (part.strip() for part in wanted.split(",")):
        raise OtherVersion("it has changed since you read it", hint="read it again, and decide anew")


def check_uid(wanted: str, uid: str) -> None:
    """Raises OtherVersion when another object has its name by now; empty: the caller does not mind."""
    if wanted and wanted != uid:
        raise OtherVersion("another one has this name by now", hint="look at it again, and decide anew")
