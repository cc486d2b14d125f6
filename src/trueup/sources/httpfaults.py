"""What goes wrong with a host over HTTP, as errors that say what to try; no address is shown with its user or query. Pure."""

from __future__ import annotations

import aiohttp

from trueup.model.errors import SourceError
from trueup.sources.addresses import AddressUnwanted
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.httpvalues import MEBIBYTE, Request, shown


class FetchTimeout(SourceError):
    """The host took too long: to connect, between two pieces of an answer, or in all."""

    reason = "Timeout"


class DownloadTooLarge(SourceError):
    """More came, or was announced, than is taken."""

    reason = "DownloadTooLarge"


class RateLimited(SourceError):
    """The host asks to be left alone for longer than one fetch may wait. `retry_after` is in seconds."""

    reason = "RateLimited"
    retry_after: float = 0.0


class AddressRefused(SourceError):
    """The name leads to an address, or a redirect to a place, that is not connected to."""

    reason = "AddressRefused"


class TlsFailed(Unreachable):
    """Somebody answers, but not in TLS, or not in a form of it that we have in common."""


def too_large(response: aiohttp.ClientResponse, limit: int) -> DownloadTooLarge:
    return DownloadTooLarge(
        f"{shown(response.url)} is larger than {limit // MEBIBYTE or 1} MiB (limit)",
        hint="publish less in one piece",
    )


def busy(response: aiohttp.ClientResponse, wait: float) -> RateLimited:
    kind = "too many requests" if response.status == 429 else "it is busy"
    error = RateLimited(
        f"{shown(response.url)} answers {response.status} ({kind}), and asks to come back in {wait:g} s",
        hint="raise spec.interval, or log in: anonymous requests often have lower limits",
    )
    error.retry_after = wait
    return error


def timed_out(request: Request) -> FetchTimeout:
    limits = request.limits
    return FetchTimeout(
        f"{shown(request.url)} took longer than {limits.total.total_seconds():g} s, "
        f"or was silent for {limits.stall.total_seconds():g} s",
        hint="check the host, or raise spec.timeout",
    )


def still_silent(place: str, ago: float) -> FetchTimeout:
    return FetchTimeout(
        f"{place} fell silent {ago:.0f} s ago, and has not answered anybody since",
        hint="it is asked again by itself; check the host",
    )


def fault(error: aiohttp.ClientError, url: str, request: Request) -> SourceError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressUnwanted):
            return AddressRefused(
                f"{shown(url)} leads to {cause.address}, {cause.why}",
                hint="name a host that may be reached, or use an ExternalArtifact",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return timed_out(request)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return CertificateUntrusted(
            f"the certificate of {shown(url)} cannot be trusted: {error.certificate_error}",
            hint="put the authority into ca.crt of the Secret that certSecretRef names",
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return TlsFailed(f"no TLS connection to {shown(url)} comes about: {error.os_error}")
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Unreachable(f"the proxy on the way to {shown(url)} does not answer or refuses", hint="check the proxy")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Unreachable(f"the answer of {shown(url)} broke off in the middle")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"{shown(url)} cannot be reached: {error.os_error.strerror or error.os_error}")
    return Unreachable(f"{shown(url)} gave no usable answer ({type(error).__name__})")
