"""Status words and how they look: each word is drawn by one function, so that every command shows the same one."""

from __future__ import annotations

from rich.text import Text

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
