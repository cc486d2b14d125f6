"""The parts of one HTTP exchange: what to send (`Call`), a body that asks the write guard last, and faults put into words."""

from __future__ import annotations

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from msgspec import Struct
from yarl import URL

from trueup.cluster.config import ClusterConfig
from trueup.cluster.guard import WriteGuard
from trueup.model.apierror import ClusterUnreachable
from trueup.model.refs import ObjectRef

JSON_TYPE = "application/json"
REQUEST_SECONDS = 60.0
"""For one attempt: the API server's own limit for a request that is not a watch."""

Headers = tuple[tuple[str, str], ...]


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """One request, whatever comes of it. `target` is path and query, already encoded; `verb` and `resource` name it in metrics.

    `repeatable`: it may safely arrive twice. `seconds` bounds one attempt.
    """

    method: str
    target: str
    verb: str
    resource: str = ""
    body: bytes | None = None
    content_type: str = JSON_TYPE
    accept: str = JSON_TYPE
    identity: Headers = ()
    guard: WriteGuard | None = None
    repeatable: bool = True
    ref: ObjectRef | None = None
    seconds: float = REQUEST_SECONDS

    def __repr__(self) -> str:
        return f"Call({self.method} {self.target})"  # never the body: it may be a Secret


class Sent:
    """What became of one attempt: whether bytes may have left, and whether the guard stopped it at the last moment."""

    __slots__ = ("any", "refusal")

    def __init__(self) -> None:
        self.any = False
        self.refusal: Exception | None = None


class GuardedBody(Payload):
    """A body that asks the guard once more when the connection stands and the first byte is due.

    aiohttp keeps the headers back until the body's first byte, so after a refusal here the server has seen nothing.
    """

    def __init__(self, value: bytes, content_type: str, guard: WriteGuard | None, sent: Sent) -> None:
        super().__init__(value, content_type=content_type)
        self._size = len(value)
        self._guard = guard
        self._sent = sent

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self._guard is not None:
            try:
                self._guard.check()
            except Exception as error:
                self._sent.refusal = error
                raise
        self._sent.any = True
        await writer.write(self._value if content_length is None else self._value[:content_length])


def impersonation_headers(user: str, groups: tuple[str, ...]) -> Headers:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

    A service account without explicit groups is sent alone: the server adds the account's three groups itself, and the
    impersonator then needs the right to impersonate that account only, not groups.
    """
    if not user:
        return ()
    return (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))


def unreachable(error: BaseException, url: URL, config: ClusterConfig) -> ClusterUnreachable:
    """A fault of the connection as a person should read it."""
    server = config.server
    hint = f"check that the API server runs and that {config.described or 'the configuration'} is right"
    if isinstance(error, TimeoutError):
        return ClusterUnreachable(f"{server} did not answer {url.path} in time", hint=hint)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = error.certificate_error
        reason = getattr(why, "verify_message", "") or str(why)
        return ClusterUnreachable(
            f"the certificate of {server} is not trusted: {reason}",
            hint="check certificate-authority-data and the host name in the kubeconfig's server",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return ClusterUnreachable(
            f"{server} cannot be reached: {error.os_error.strerror or error.os_error}",
            hint=hint,
        )
    return ClusterUnreachable(f"the connection to {server} broke: {error or type(error).__name__}", hint=hint)
