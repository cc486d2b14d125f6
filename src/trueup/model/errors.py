"""Errors that carry what the user should do. The class says whether trying again can help.

`reason` becomes a condition's reason (CamelCase); `hint` is the "try: ..." line.
"""

from __future__ import annotations

from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef


class TrueupError(Exception):
    """An error to show to a person: what failed, where, and what to try."""

    reason: str = "Failed"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str = "",
        origin: Origin | None = None,
        ref: ObjectRef | None = None,
        field: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.origin = origin
        self.ref = ref
        self.field = field
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        """One line and, where there is one, a hint: `Deployment/shop/web: spec.selector: ... (apps/web.yaml:3)`."""
        place = f"{self.ref}: " if self.ref else ""
        field = f"{self.field}: " if self.field else ""
        origin = f" ({self.origin})" if self.origin else ""
        hint = f"\n  try: {self.hint}" if self.hint else ""
        return f"{place}{field}{self.message}{origin}{hint}"


class Transient(TrueupError):
    """The same input may work later; the queue backs off and tries again."""


class Terminal(TrueupError):
    """Only a new spec or revision can help; the object is Stalled until one comes."""


class InvalidInput(Terminal):
    """A file, field, flag or resource says something that is not allowed."""

    reason = "InvalidInput"


class NotBuiltYet(Terminal):
    """A field or annotation that has a meaning which Trueup does not carry out yet: said, never skipped."""

    reason = "NotBuiltYet"


class SourceError(Transient):
    """A source could not be reached or read; most causes pass."""

    reason = "FetchFailed"


class AuthenticationFailed(SourceError):
    """Credentials were refused, or a host could not be trusted."""

    reason = "AuthenticationFailed"


class RefNotFound(SourceError):
    """The branch, tag or commit does not exist (now)."""

    reason = "RefNotFound"


class BuildFailed(Terminal):
    """The manifests could not be rendered from this revision."""

    reason = "BuildFailed"


class EngineFailed(Transient):
    """An engine process died, hung or used too much memory; the next one may fare better."""

    reason = "EngineFailed"


class ReconciliationFailed(TrueupError):
    """Objects could not be applied; the parts are in the report."""

    reason = "ReconciliationFailed"
