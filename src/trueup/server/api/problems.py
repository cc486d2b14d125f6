"""Errors as answers: RFC 9457 problem details for our API. Pure.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from trueup.model.apierror import ApiError
from trueup.model.errors import InvalidInput, NotBuiltYet, Terminal, Transient, TrueupError
from trueup.server.api.refusals import Refused

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://trueup.dev/problems/"
"""Of the `type` URIs, which name a kind of problem and need not be fetched."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`hint` says what to do; `field` and `ref` where."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    reason: str = ""
    hint: str = ""
    field: str = ""
    ref: str = ""
    origin: str = ""


def status_of(error: TrueupError) -> int:
    """HTTP's word for it: ours have one, the API server's is passed on, others by whether trying again can help."""
    match error:
        case Refused():
            return error.status
        case ApiError():
            return error.code if 400 <= error.code < 600 and error.code != 401 else 502
        case NotBuiltYet():
            return 501
        case TrueupError(reason="RefNotFound" | "RevisionGone"):
            return 422  # trying again helps only once somebody has pushed it
        case TrueupError(reason="Forbidden"):
            return 403
        case TrueupError(reason="NotFound"):
            return 404
        case TrueupError(reason="PreconditionFailed"):
            return 412
        case TrueupError(reason="TooManyRequests"):
            return 429
        case TrueupError(reason="Timeout"):
            return 504
        case InvalidInput():
            return 400
        case Terminal():
            return 422
        case Transient():
            return 503
    return 500


def problem_of(error: TrueupError, instance: str = "") -> Problem:
    return Problem(
        type=TYPE_BASE + kebab(error.reason),
        title=words(error.reason),
        status=status_of(error),
        detail=error.message,
        instance=instance,
        reason=error.reason,
        hint=error.hint,
        field=error.field,
        ref=str(error.ref) if error.ref else "",
        origin=str(error.origin) if error.origin else "",
    )


def retry_after(error: TrueupError) -> float | None:
    """Seconds after which the same call may pass; None: nobody knows."""
    if isinstance(error, Refused | ApiError) and error.retry_after is not None:
        return error.retry_after
    return 5.0 if status_of(error) == 503 else None


UNEXPECTED = Problem(
    type=TYPE_BASE + "internal-error",
    title="Internal error",
    status=500,
    detail="something went wrong in the server, and its log says what",
    reason="InternalError",
    hint="try again; if it stays, look for the request's id in the server's log",
)


def argo_problem(problem: Problem) -> dict[str, Any]:
    """The same as Argo CD's API tells it: `error`, `message` and gRPC's `code`."""
    text = f"{problem.detail}: {problem.hint}" if problem.hint else problem.detail
    code = 9 if problem.reason == "PreconditionFailed" else _GRPC_CODES.get(problem.status, 2)
    return {"error": text, "code": code, "message": text}


_GRPC_CODES = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    409: 6,
    412: 9,
    413: 8,
    415: 3,
    422: 9,
    429: 8,
    500: 13,
    501: 12,
    503: 14,
    504: 4,
}
"""https://grpc.github.io/grpc/core/md_doc_statuscodes.html, by the statuses that grpc-gateway gives them."""


def words(reason: str) -> str:
    """`TooManyRequests` -> `Too many requests`."""
    return " ".join(_parts(reason)).capitalize()


def kebab(reason: str) -> str:
    return "-".join(_parts(reason)).lower()


def _parts(reason: str) -> list[str]:
    parts: list[str] = []
    for letter in reason:
        if letter.isupper() or not parts:
            parts.append(letter)
        else:
            parts[-1] += letter
    return parts


def encoded(problem: Problem) -> bytes:
    return msgspec.json.encode(problem)
