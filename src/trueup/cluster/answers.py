"""From an HTTP answer to a value or an error: `metav1.Status` read leniently, refusals made into ApiError. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trueup.model.apierror import ApiError, Cause, KindNotServed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_HINTS = {
    401: "check the credentials of the kubeconfig's user, or log in again",
    413: "the object is larger than the server takes; split it",
}
_manifest_decoder = msgspec.json.Decoder(dict[str, Any])


class Answer(Struct, frozen=True):
    """A whole HTTP answer. `headers` keys are as aiohttp gives them: looked up without regard to case."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def manifest(self) -> Manifest:
        return decode_manifest(self.body, code=self.code)


def decode_manifest(body: bytes, *, code: int = 200) -> Manifest:
    try:
        return _manifest_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise ApiError(
            code,
            "InvalidAnswer",
            f"the server's answer is not a JSON object ({error}): {start!r}",
            hint="check that the kubeconfig's server is a Kubernetes API, not a proxy's login page",
        ) from error


def error_from_status(status: Mapping[str, Any], *, code: int, ref: ObjectRef | None = None) -> ApiError:
    """A `Status` object, as an answer or as the object of a watch's ERROR event."""
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    own_code = status.get("code")
    number = own_code if isinstance(own_code, int) and own_code else code
    seconds = details.get("retryAfterSeconds")
    rows = details.get("causes")
    causes = tuple(
        Cause(str(row.get("reason") or ""), str(row.get("message") or ""), str(row.get("field") or ""))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    )
    return ApiError(
        number,
        str(status.get("reason") or _REASONS.get(number, "Unknown")),
        str(status.get("message") or f"the server answered {number}"),
        causes=causes,
        retry_after=float(seconds) if isinstance(seconds, (int, float)) and seconds else None,
        details=details,
        ref=ref,
        hint=_HINTS.get(number, ""),
    )


def error_from_answer(answer: Answer, ref: ObjectRef | None = None) -> ApiError:
    """The error of an answer with a code of 400 and above, whether a Status or a proxy's page."""
    retry_after = parse_retry_after(answer.headers.get("Retry-After"))
    try:
        status = _manifest_decoder.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = {}
    if status.get("kind") == "Status":
        error = error_from_status(status, code=answer.code, ref=ref)
    else:
        text = " ".join(answer.body[:400].decode("utf-8", "replace").split())
        error = ApiError(
            answer.code,
            _REASONS.get(answer.code, "Unknown"),
            f"the server answered {answer.code}" + (f": {text}" if text else ""),
            ref=ref,
            hint=_HINTS.get(answer.code, ""),
        )
    if retry_after is not None:
        error.retry_after = retry_after
    return error


def is_unserved(error: ApiError) -> bool:
    """Whether a 404 means that the server does not know the resource, rather than the one object.

    A missing object is a Status that names it; an unknown path is answered in plain text, or by a Status that names nothing.
    """
    return error.code == 404 and not error.details.get("name")


def not_served(api_version: str, what: str, error: ApiError) -> KindNotServed:
    """KindNotServed for a request that found no such resource, though discovery once had it."""
    made = KindNotServed(
        f"the cluster no longer serves {what} in {api_version}", hint="install its CustomResourceDefinition again"
    )
    made.__cause__ = error
    return made


def parse_retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header; the date form, which no API server sends, is ignored."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None


def parse_warnings(values: list[str]) -> list[str]:
    """Texts of `Warning: 299 - "text"` headers (RFC 7234, part 5.5). Others are ignored."""
    found = []
    for value in values:
        code, _, rest = value.partition(" ")
        _agent, _, quoted = rest.partition(" ")
        if code == "299" and quoted.startswith('"') and quoted.rstrip().endswith('"'):
            found.append(quoted.strip()[1:-1].replace('\\"', '"').replace("\\\\", "\\"))
    return found
