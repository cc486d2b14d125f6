"""An operation: one method on one path, with all that is known of it before anybody calls. A table of these is the API.

Who may call it is part of it, so that no path can be added without an answer to that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from trueup.model.refs import ObjectRef

if TYPE_CHECKING:
    from trueup.server.api.call import Call

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FIELDS, SINCE = "fields", "since"
"""Parameters that are the frame's own: which parts of an answer are asked for, and where a stream is to go on."""


class Target(Struct, frozen=True):
    """What a call is about: `name` as policies write it, `ref` the object itself where there is one."""

    name: str
    ref: ObjectRef | None = None


class Public(Struct, frozen=True):
    """Anybody, and nobody is asked who they are."""


class SignedIn(Struct, frozen=True):
    """Whoever is known; the answer is about the caller, or the same for everybody."""


class Needs(Struct, frozen=True):
    """A right on one object. `target` finds it from the call, and raises NotFound when there is none.

    A caller who may not see it (`get`) is told that it does not exist, whatever was asked for.
    """

    resource: str
    action: str
    target: Callable[[Call], Target]
    exact: Callable[[Call], str] | None = None
    """The action as this call means it: `action/apps/Deployment/restart`, where `action` says `action/*` for the document."""


class Listed(Struct, frozen=True):
    """Whoever is known, but shown only what they may `action`: the handler asks `call.predicate` for each."""

    resource: str
    action: str = "get"


Access = Public | SignedIn | Needs | Listed
PUBLIC, SIGNED_IN = Public(), SignedIn()


class Surface(StrEnum):
    """Whose manners an operation has."""

    TRUEUP = "trueup"
    """Problem details, strict parameters; in the OpenAPI document."""
    ARGOCD = "argocd"
    """Argo CD's errors and shapes; unknown parameters are passed over, as it does."""
    BROWSER = "browser"
    """Redirects and pages; in no document."""


class Answer(Struct, frozen=True, kw_only=True):
    """A struct or plain data, to become JSON. `etag` None: made from the body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}
    etag: str | None = None


class Content(Struct, frozen=True, kw_only=True):
    """Bytes of some other kind: an image, YAML, a page."""

    body: bytes
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = {}


class Event(Struct, frozen=True):
    """One server-sent event. `id` empty: nothing to resume by. `data` is JSON, without line ends."""

    data: bytes
    event: str = ""
    id: str = ""


class Events(Struct, frozen=True, kw_only=True):
    """A stream of server-sent events. The source is asked for the next only when the last was taken: nothing piles up."""

    source: AsyncIterator[Event]


class Lines(Struct, frozen=True, kw_only=True):
    """A stream of bytes as they come: Argo CD's `{"result": ...}` lines, a log to download."""

    source: AsyncIterator[bytes]
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}


Reply = Answer | Content | Events | Lines


class Operation(Struct, frozen=True, kw_only=True):
    """`query` and `body` are structs that parameters and JSON are read into; `answer` is what a 2xx holds.

    `id` is `PART.VERB`: the name in the document, the audit log and the metrics.
    """

    id: str
    method: str
    path: str
    summary: str
    access: Access
    handler: Callable[[Call], Awaitable[Reply]]
    query: type[Struct] | None = None
    body: Any = None
    body_optional: bool = False
    """Whether an empty body is taken for one with nothing said."""
    body_media_types: tuple[str, ...] = ("application/json",)
    answer: Any = None
    status: int = 200
    streams: bool = False
    downloads: tuple[str, ...] = ()
    """Media types in which a stream may be asked for as a file."""
    followed: bool = True
    """Of a stream: whether it is one of events, with which one may go on; else it is a file that has an end."""
    surface: Surface = Surface.TRUEUP
    audited: bool = True
    """Of a changing operation: whether the audit log is told. Not so for what changes nothing although it is a POST."""
    reads: bool = True
    """Of a GET: whether it only reads. A browser comes back from a login by one that does not."""
    body_limit: int = 1024 * 1024
    """Bytes."""
    seconds: float = 60.0
    """After which an answer that has not begun is given up."""
    description: str = ""
    secret_answer: bool = False
    """Whether the answer holds what is told once and kept nowhere: then not for a retry either, which only hears that it was done."""

    @property
    def changes(self) -> bool:
        return (self.method in CHANGING or not self.reads) and self.audited

    @property
    def takes_key(self) -> bool:
        """Whether `Idempotency-Key` holds for it: it changes something, a caller is known, and its answer has an end."""
        return self.changes and not self.streams and not isinstance(self.access, Public)

    @property
    def frame_parameters(self) -> frozenset[str]:
        """Parameters that its `query` does not have and that it takes all the same."""
        if self.surface is not Surface.TRUEUP:
            return frozenset()
        cut = self.method == "GET" and self.answer is not None and not self.streams
        return frozenset({FIELDS} if cut else {SINCE} if self.streams and self.followed else ())

    @property
    def part(self) -> str:
        return self.id.partition(".")[0]
