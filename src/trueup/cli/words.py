"""Status words and how they look: each word is drawn by one function, so that every command shows the same one."""

from __future__ import annotations

from enum import StrEnum

from rich.text import Text


class Status(StrEnum):
    """Where an App or a source stands, in one word for both dialects."""

    READY = "Ready"
    """What Git declares is applied, and well as far as that is asked for."""
    PROGRESSING = "Progressing"
    OUT_OF_SYNC = "OutOfSync"
    """It differs from Git, and nobody has asked for a sync (Argo CD without `automated`)."""
    DEGRADED = "Degraded"
    """Applied, but not well."""
    FAILED = "Failed"
    """It did not work, and is tried again."""
    STALLED = "Stalled"
    """It cannot work until the spec or the revision changes."""
    SUSPENDED = "Suspended"
    DELETING = "Deleting"
    DELETED = "Deleted"
    UNKNOWN = "Unknown"
    """Nobody has looked at it yet: is a controller running?"""


_GREEN = "green"
_CYAN = "cyan"
_YELLOW = "yellow"
_RED = "red"
_DIM = "dim"
_STYLES = {
    **dict.fromkeys(("Ready", "Healthy", "Synced", "Current", "succeeded", "created", "Normal"), _GREEN),
    **dict.fromkeys(("Progressing", "InProgress", "configured", "recreated"), _CYAN),
    **dict.fromkeys(("OutOfSync", "Missing", "Suspended", "partial", "skipped", "Terminating", "Warning"), _YELLOW),
    **dict.fromkeys(("Failed", "Stalled", "Degraded", "failed", "NotFound", "Deleting", "Deleted", "pruned"), _RED),
    **dict.fromkeys(("Unknown", "unchanged", ""), _DIM),
}


def word(text: str) -> Text:
    """A status word in its colour; colours are dropped where the output is no terminal."""
    return Text(text, style=_STYLES.get(text, ""))
