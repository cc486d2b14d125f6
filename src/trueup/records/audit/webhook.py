"""Entries as lines of JSON, posted to a URL and signed: `X-Trueup-Signature: t=SECONDS,v1=HEX`.

The signature is HMAC-SHA256 over `SECONDS.BODY`, so that a receiver can refuse what is old. Retrying is the shipper's.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Callable, Sequence

import aiohttp
from yarl import URL

from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed
from trueup.records.audit.formats import json_line
from trueup.records.audit.shipping import NotDelivered
from trueup.sources.addresses import names_this_machine, socket_to_anyone, socket_to_others
from trueup.sources.httpvalues import shown

SECONDS = 30.0
SIGNATURE = "X-Trueup-Signature"


class Webhook:
    """A `Destination`. Any 2xx is a receipt; a redirect is not followed, for it would take the entries elsewhere."""

    def __init__(
        self, name: str, url: str, secret: bytes, *, now: Callable[[], float], tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._url = _parsed(url)
        self._secret = secret
        self._now = now
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Webhook({self.name})"

    async def send(self, entries: Sequence[Sealed]) -> None:
        body = b"".join(json_line(entry) + b"\n" for entry in entries)
        headers = {
            "Content-Type": "application/x-ndjson",
            "X-Trueup-Delivery": f"{entries[0].place}-{entries[-1].sequence}",
            SIGNATURE: sign(body, self._secret, int(self._now())),
        }
        try:
            async with self._connected().post(
                self._url, data=body, headers=headers, allow_redirects=False, ssl=self._tls or True
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotDelivered(
                f"the audit webhook at {shown(self._url)} cannot be reached ({type(error).__name__})",
                hint="check its address and certificate",
            ) from None
        if not 200 <= status < 300:
            raise NotDelivered(
                f"the audit webhook at {shown(self._url)} answers {status}",
                hint="it must answer 2xx when it has the entries",
            )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Link-local addresses (a cloud's metadata) are never meant; this machine only where it is named.
            own = names_this_machine(self._url.host or "")
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=2, socket_factory=socket_to_anyone if own else socket_to_others),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=SECONDS, sock_connect=10),
                trust_env=False,
            )
        return self._session


def sign(body: bytes, secret: bytes, seconds: int) -> str:
    proof = hmac.new(secret, str(seconds).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={proof}"


def _parsed(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput("the audit webhook's url is not an http or https URL", field="webhook.url")
    return url.with_user(None)
