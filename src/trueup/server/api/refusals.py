"""What the API refuses, as errors: each class has its HTTP status and its reason."""

from __future__ import annotations

from trueup.model.errors import InvalidInput, TrueupError


class Refused(TrueupError):
    """A call that is not carried out; `status` is HTTP's. `retry_after`: seconds after which it may be, where that is known."""

    status = 400
    reason = "BadRequest"
    retry_after: float | None = None


class BadQuery(Refused, InvalidInput):
    """A parameter, a header or the body says something that is not allowed; `field` names it."""

    reason = "InvalidInput"


class Unauthenticated(Refused):
    """Nobody known: nothing was shown, or nothing that holds (any more)."""

    status = 401
    reason = "Unauthenticated"


class Forbidden(Refused):
    status = 403
    reason = "Forbidden"


class NotFound(Refused):
    """It does not exist, or not for this caller; the words are the same."""

    status = 404
    reason = "NotFound"


class MethodNotAllowed(Refused):
    """The path is there, but not for this."""

    status = 405
    reason = "MethodNotAllowed"


class Conflict(Refused):
    """It is not as the caller thought, or something else is under way."""

    status = 409
    reason = "Conflict"


class Gone(Refused):
    """What was asked for is not kept (any more)."""

    status = 410
    reason = "Gone"


class PreconditionFailed(Refused):
    """`If-Match` names another version than there is."""

    status = 412
    reason = "PreconditionFailed"


class TooLarge(Refused):
    status = 413
    reason = "TooLarge"


class WrongMediaType(Refused):
    """The body is of a kind, or packed in a way, that is not taken."""

    status = 415
    reason = "UnsupportedMediaType"


class Impossible(Refused):
    """Well-formed, and cannot be done: the resource, or what stands in Git, does not allow it."""

    status = 422
    reason = "Impossible"


class TooMany(Refused):
    """Come again after `retry_after` seconds."""

    status = 429
    reason = "TooManyRequests"

    def __init__(self, message: str, *, retry_after: float = 1.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unanswered(Refused):
    """Whoever was to do it went away before it answered: it may be done or not."""

    status = 504
    reason = "Unanswered"


class Unavailable(Refused):
    """What is needed for an answer is away; it may be back soon."""

    status = 503
    reason = "Unavailable"
