"""The Kubernetes API server's refusals, as `metav1.Status` says them.

https://kubernetes.io/docs/reference/using-api/api-concepts/ and apimachinery's StatusReason list.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from trueup.model.errors import Terminal, Transient, TrueupError
from trueup.model.refs import ObjectRef

# How the validation of each built-in kind says it; there is no reason of its own for it.
_IMMUTABLE = re.compile(
    r"immutable|updates to \w+(?: spec)?(?: for fields other than .*)? are forbidden|cannot change roleRef"
    r"|may not change once set|may not be changed in an update|may not change fields other than",
    re.IGNORECASE,
)


class Cause(Struct, frozen=True):
    """One row of `details.causes`: `reason` such as FieldValueInvalid, `field` such as `spec.replicas`."""

    reason: str
    message: str
    field: str = ""


class ApiError(TrueupError):
    """An answer with an error status. `code` is the HTTP status, `reason` the StatusReason (`NotFound`, `Conflict`, ...)."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
        ref: ObjectRef | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, reason=reason, ref=ref, hint=hint)
        self.code = code
        self.causes = causes
        self.retry_after = retry_after
        self.details = details or {}

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may pass later: overload, server faults, timeouts, not-yet-ready webhooks."""
        return self.code in (408, 429, 500, 502, 503, 504)

    @property
    def is_not_found(self) -> bool:
        return self.code == 404

    @property
    def is_conflict(self) -> bool:
        return self.code == 409

    @property
    def is_gone(self) -> bool:
        """410: the resourceVersion asked for is too old; only a fresh list helps."""
        return self.code == 410

    @property
    def is_forbidden(self) -> bool:
        return self.code == 403

    @property
    def is_immutable(self) -> bool:
        """Whether the server refused because a field cannot be changed in place; nothing else justifies a recreate."""
        return bool(self.immutable_causes) or (not self.causes and self._says_immutable(self.message))

    @property
    def immutable_causes(self) -> tuple[Cause, ...]:
        """The causes that name a field which cannot be changed in place."""
        return tuple(cause for cause in self.causes if self._says_immutable(cause.message))

    def _says_immutable(self, text: str) -> bool:
        return self.code in (409, 422) and _IMMUTABLE.search(text) is not None


class ClusterUnreachable(Transient):
    """The API server did not answer at all."""

    reason = "ClusterUnreachable"


class KindNotServed(Transient):
    """The cluster does not serve this kind (yet): its CRD may still come."""

    reason = "KindNotServed"


class LeaseLost(Terminal):
    """This process may not write any more: another holds the Lease, or ours ran out."""

    reason = "LeaseLost"
