"""The call of a webhook over HTTPS: to its URL, or to the Service that it names, with its own authority and time.

A Service answers here when it leads out of the simulation: an ExternalName, or Endpoints that somebody wrote by hand. Errors
are told in the words of Go's client, which people search for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from trueup.embedded.api.hookreview import BadAnswer
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest

ANSWER_LIMIT = 3 * 1024 * 1024
KEPT_CONTEXTS = 256
_SERVICES, _ENDPOINTS = Resource("", "services"), Resource("", "endpoints")
_SAID = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class HookClient:
    """Posts reviews. `close` ends its connections."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, webhook: Manifest, content: bytes) -> bytes:
        """The answer's body; raises BadAnswer."""
        client = webhook.get("clientConfig") or {}
        seconds = int(webhook.get("timeoutSeconds") or 10)
        service = client.get("service")
        url = f"{client.get('url') or service_url(service or {})}?timeout={seconds}s"
        failed = f'failed to call webhook: Post "{url}"'
        try:
            async with asyncio.timeout(seconds):
                target, name = self._routed(url, service) if service else (url, None)
                return await self._exchange(target, name, content, client.get("caBundle") or "")
        except TimeoutError as error:
            raise BadAnswer(f"{failed}: context deadline exceeded") from error
        except _Refused as error:
            raise BadAnswer(f"failed to call webhook: {error}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BadAnswer(f"{failed}: {_in_go(error, url)}") from error

    async def _exchange(self, url: str, name: str | None, content: bytes, bundle: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
        if name is not None:
            headers["Host"] = name
        async with self._session.post(
            url, data=content, ssl=self._tls(bundle), headers=headers, allow_redirects=False, server_hostname=name
        ) as response:
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > ANSWER_LIMIT:
                    raise ValueError(f"the answer is larger than {ANSWER_LIMIT} bytes")
                parts.append(part)
            if response.status >= 500 and response.status not in _SAID:
                raise _Refused('an error on the server ("unknown") has prevented the request from succeeding')
            if response.status != 200:
                raise _Refused(_SAID.get(response.status, _unknown(response.status)))
            return b"".join(parts)

    def _routed(self, url: str, service: dict[str, Any]) -> tuple[str, str]:
        """Where a Service's name leads, and the name that its certificate must bear."""
        namespace, name = str(service.get("namespace") or ""), str(service.get("name") or "")
        record = self._store.get(_SERVICES, namespace, name)
        if record is None:
            raise ValueError(f'service "{name}" not found')
        parts, host = urlsplit(url), f"{name}.{namespace}.svc"
        spec, wanted = record.manifest.get("spec") or {}, int(service.get("port") or 443)
        if spec.get("type") == "ExternalName":
            place = f"{spec.get('externalName')}:{wanted}"
        else:
            port = next((each for each in spec.get("ports") or () if each.get("port") == wanted), None)
            if port is None:
                raise ValueError(f'no service port {wanted} found for service "{name}"')
            place = self._endpoint(namespace, name, port, simulated=bool(spec.get("selector")))
        return parts._replace(netloc=place).geturl(), host

    def _endpoint(self, namespace: str, name: str, port: dict[str, Any], *, simulated: bool) -> str:
        if simulated:
            raise ValueError(
                f'no endpoints available for service "{name}": its pods are simulated and run no webhook; use a url, an '
                "ExternalName Service, or a Service without selector whose Endpoints lead to a real one"
            )
        record = self._store.get(_ENDPOINTS, namespace, name)
        for subset in (record.manifest.get("subsets") or ()) if record else ():
            for found in subset.get("ports") or ():
                if (found.get("name") or "") == (port.get("name") or "") and subset.get("addresses"):
                    address = str(subset["addresses"][0].get("ip"))
                    return f"[{address}]:{found['port']}" if ":" in address else f"{address}:{found['port']}"
        raise ValueError(f'no endpoints available for service "{name}"')

    def _tls(self, bundle: str) -> ssl.SSLContext:
        if (known := self._contexts.get(bundle)) is None:
            try:
                authority = base64.b64decode(bundle).decode() if bundle else None
                known = ssl.create_default_context(cadata=authority)
            except (binascii.Error, ValueError, ssl.SSLError) as error:
                raise ValueError(f"unable to load root certificates: {error}") from error
            if len(self._contexts) >= KEPT_CONTEXTS:
                self._contexts.clear()
            self._contexts[bundle] = known
        return known


class _Refused(Exception):
    """The webhook's server answered, with a status that is no success."""


def _unknown(status: int) -> str:
    return f"the server responded with the status code {status} but did not return more information"


def service_url(service: dict[str, Any]) -> str:
    """As the real server writes it."""
    path = str(service.get("path") or "/")
    host = f"{service.get('name')}.{service.get('namespace')}.svc"
    return f"https://{host}:{service.get('port') or 443}{path if path.startswith('/') else '/' + path}"


def _in_go(error: Exception, url: str) -> str:
    """The common failures as Go's net/http and crypto/tls tell them; others as they are told here."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_certificate_problem(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {urlsplit(url).hostname}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        parts = urlsplit(url)
        return f"dial tcp {parts.hostname}:{parts.port or 443}: connect: connection refused"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error)


def _certificate_problem(error: Exception) -> str:
    said = getattr(error, "verify_message", "") or str(error)
    if "unable to get local issuer" in said or "self-signed" in said or "self signed" in said:
        return "certificate signed by unknown authority"
    if "expired" in said:
        return "certificate has expired or is not yet valid"
    return said
