"""A refusal of the API server, said so that a person knows what to do: which object, which field, what to try."""

from __future__ import annotations

from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef


def explain(error: TrueupError, ref: ObjectRef, version: str) -> str:
    """Text for a condition, an event, a record. The place in Git is in the change that carries it."""
    return str(error)
