"""The API's refusals: `ApiError`s with the real server's codes, reasons and messages, and their `metav1.Status` form.

Wording follows apimachinery's `api/errors` and `util/validation/field`, so that clients and people recognise it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded.storage.keys import Resource
from trueup.model.apierror import ApiError as ApiError  # raised here, so caught by this name too
from trueup.model.apierror import Cause as Cause
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind as GroupKind


class FieldProblem(Struct, frozen=True):
    """One field's error: `reason` is a cause type (FieldValueInvalid, ...), `message` the text after the path."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def unnamed(name: str) -> ApiError:
    """400: of an object that a request names, but not itself."""
    return bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def go_value(value: Any) -> str:
    """A value as the messages quote it: strings in quotes, everything else as JSON."""
    return msgspec.json.encode(value).decode()


def invalid_value(path: str, value: Any, detail: str) -> FieldProblem:
    return FieldProblem(path, "FieldValueInvalid", f"Invalid value: {go_value(value)}: {detail}")


def required(path: str, detail: str = "") -> FieldProblem:
    return FieldProblem(path, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def forbidden_field(path: str, detail: str) -> FieldProblem:
    return FieldProblem(path, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(path: str, value: Any) -> FieldProblem:
    return FieldProblem(path, "FieldValueDuplicate", f"Duplicate value: {go_value(value)}")


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldProblem:
    choices = ", ".join(go_value(choice) for choice in supported)
    return FieldProblem(
        path, "FieldValueNotSupported", f"Unsupported value: {go_value(value)}: supported values: {choices}"
    )


def too_long(path: str, limit: int) -> FieldProblem:
    return FieldProblem(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=_details(resource, name))


def conflict(resource: Resource, name: str, detail: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource} "{name}": {detail}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


NO_DETAILS = {"kind": ""}
"""Details that are there and empty, as some answers have them."""

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(kind: GroupKind, name: str, problems: Sequence[FieldProblem]) -> ApiError:
    """422 with every field's problem as a cause."""
    texts = list(dict.fromkeys(str(problem) for problem in problems))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return ApiError(
        422,
        "Invalid",
        f'{kind} "{name}" is invalid: {said}',
        causes=tuple(Cause(problem.reason, problem.message, problem.path) for problem in problems),
        details={"name": name, "group": kind.group, "kind": kind.kind},
    )


def forbidden(resource: Resource, name: str, detail: str, causes: tuple[Cause, ...] = ()) -> ApiError:
    subject = f'{resource} "{name}" is forbidden' if name else f"{resource} is forbidden"
    return ApiError(403, "Forbidden", f"{subject}: {detail}", causes=causes, details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details=NO_DETAILS)


def view_not_acceptable(served: Iterable[str]) -> ApiError:
    """406 for a media type that is served, in a view that is not."""
    message = f"only the following media types are accepted: {', '.join(served)}"
    return ApiError(406, "NotAcceptable", message)


def wrong_view(view: str, go_type: str, *, is_list: bool) -> ApiError:
    """406 for the view of an object that was asked of a list, or the other way round."""
    what = "is a list" if is_list else "is not a list"
    return ApiError(406, "NotAcceptable", f"you requested {view}, but the requested object {what} ({go_type})")


def method_of_custom(resource: Resource, verb: str) -> ApiError:
    """A verb that a custom resource or its subresource does not have."""
    message = f'{verb} is not supported on resources of kind "{resource}"'
    return ApiError(405, "MethodNotAllowed", message, details=_details(resource, ""))


def not_watched(resource: Resource) -> ApiError:
    """A kind that is listed and cannot be watched."""
    message = f'watch is not supported on resources of kind "{resource.name}"'
    return ApiError(405, "MethodNotAllowed", message, details=_details(resource, ""))


def not_acceptable(served: Iterable[str]) -> ApiError:
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(served)}"
    return ApiError(406, "NotAcceptable", message, details=NO_DETAILS)


def unsupported_media_type(served: Iterable[str]) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(served)}"
    return ApiError(415, "UnsupportedMediaType", message)


def too_large(limit: int) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


class Expired(ApiError):
    """410. `continue_` is the token with which a list goes on with what there is now."""

    def __init__(self, message: str, continue_: str = "") -> None:
        super().__init__(410, "Expired", message)
        self.continue_ = continue_


class TimedOut(ApiError):
    """504: a request was not answered in its time. It is told in a form of its own, as the server's outermost part does."""

    def __init__(self) -> None:
        said = "Timeout: request did not complete within the allotted timeout"
        super().__init__(504, "Timeout", said, details=NO_DETAILS)


def expired(message: str, continue_: str = "") -> ApiError:
    return Expired(message, continue_)


def internal(message: str) -> ApiError:
    causes = (Cause("", message, ""),)
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", causes=causes)


class PageNotFound(ApiError):
    """A path that nothing serves; the real server answers it in plain text."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found")


def no_resource() -> ApiError:
    """A resource that a built-in group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details=NO_DETAILS)


def wrong_kind(wanted: GroupKind, api_version: str, name: str, *, is_known: bool) -> ApiError:
    """A body of another kind than the URL's."""
    _, _, version = api_version.rpartition("/")
    if is_known:
        package = (wanted.group or "core").partition(".")[0]
        said = f"converting ({version}.{name}) to ({package}.{wanted.kind}): unknown conversion"
        shown = version
    else:
        said = f'no kind "{name}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
        shown = version
    return bad_request(f'{name} in version "{shown}" cannot be handled as a {wanted.kind}: {said}')


def _details(resource: Resource, name: str) -> dict[str, Any]:
    return {"name": name, "group": resource.group, "kind": resource.name}


def status_of(error: ApiError) -> Manifest:
    """The error as the wire carries it."""
    details: Manifest = {key: value for key, value in error.details.items() if value}
    if error.causes:
        details["causes"] = [
            {key: value for key, value in (("reason", c.reason), ("message", c.message), ("field", c.field)) if value}
            for c in error.causes
        ]
    if error.retry_after is not None:
        details["retryAfterSeconds"] = int(error.retry_after)
    status: Manifest = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
    }
    if isinstance(error, Expired) and error.continue_:
        status["metadata"] = {"continue": error.continue_}
    if error.reason:
        status["reason"] = error.reason
    if details or error.details:
        status["details"] = details
    status["code"] = error.code
    return status


def encoded(error: ApiError) -> bytes:
    """The error's bytes, as answers hold them."""
    return msgspec.json.encode(status_of(error)) + b"\n"


def success(resource: Resource, name: str, uid: str) -> Manifest:
    """What a completed delete answers."""
    details = {key: value for key, value in (*_details(resource, name).items(), ("uid", uid)) if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
