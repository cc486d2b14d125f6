"""Where an App or a source stands, in one word for every dialect."""

from __future__ import annotations

from enum import StrEnum


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
