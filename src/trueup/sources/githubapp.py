"""Logging in as a GitHub App: a signed claim of being the App, exchanged for a token that Git takes as a password.

A token lives for an hour and is kept until five minutes before its end. Keys: Flux's `provider: github`
(githubAppID, githubAppInstallationID or -Owner, githubAppPrivateKey, githubAppBaseURL), Argo CD's repository Secrets.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.http import HttpAnswer, HttpLimits, Request
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.inflight import InFlight

GITHUB = "https://api.github.com"
USERNAME = "x-access-token"
_CLAIM = timedelta(minutes=9)  # GitHub takes at most ten
_SKEW = timedelta(minutes=1)
_EARLY = timedelta(minutes=5)
_LIMITS = HttpLimits(total=timedelta(seconds=30), size=256 * 1024)
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_MOST_TOKENS = 1000


class GitHubApp(Struct, frozen=True, kw_only=True):
    """Who the App is. Its repr shows no key."""

    app_id: str
    private_key: str
    installation_id: str = ""
    owner: str = ""
    """Whose installation, where its id is not given; both empty: the one of the repository."""
    base_url: str = GITHUB

    def __repr__(self) -> str:
        return f"GitHubApp({self.app_id!r}, {self.installation_id!r}, {self.base_url!r})"

    @property
    def subject(self) -> str:
        """The same for the same App and key, whatever token it has now; says nothing about the key."""
        key = hashlib.sha256(self.private_key.encode()).hexdigest()
        return f"github-app {self.app_id} {self.installation_id} {self.owner} {self.base_url} {key}"


class Http(Protocol):
    """`sources.http.HttpFetcher`."""

    async def fetch(self, request: Request) -> HttpAnswer: ...


class _Token(Struct):
    token: str
    expires_at: str


class _Installation(Struct):
    id: int


class GitHubTokens:
    """The tokens of all Apps of one process. `clock` is in seconds since the epoch."""

    def __init__(self, http: Http, *, clock: Callable[[], float] = time.time) -> None:
        self._http = http
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}
        self._asking: InFlight[str] = InFlight()

    async def token(self, app: GitHubApp, repository: str, access: HttpAccess) -> str:
        """A token for `owner/name`. Raises AuthenticationFailed, InvalidInput (the key) or another SourceError."""
        key = self._key(app, repository)
        kept = self._kept.get(key)
        if kept is not None and kept[1] - _EARLY.total_seconds() > self._clock():
            return kept[0]
        return await self._asking.share(key, lambda: self._ask(app, repository, access))

    def forget(self, app: GitHubApp, repository: str) -> None:
        """A token that was refused is not offered again."""
        self._kept.pop(self._key(app, repository), None)

    @staticmethod
    def _key(app: GitHubApp, repository: str) -> tuple[str, str]:
        return app.subject, "" if app.installation_id or app.owner else repository.lower()

    async def _ask(self, app: GitHubApp, repository: str, access: HttpAccess) -> str:
        claim = f"Bearer {make_claim(app, self._clock())}"
        installation = app.installation_id or await self._installation(app, repository, access, claim)
        url = f"{app.base_url}/app/installations/{quote(installation, safe='')}/access_tokens"
        answer = await self._http.fetch(_request(url, claim, access, "POST"))
        if answer.status != 201:
            raise _refused(app, answer, f"no token for the installation {installation}")
        try:
            found = read_json(answer.body, _Token)
            ends = datetime.fromisoformat(found.expires_at).replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise AuthenticationFailed(f"{app.base_url} answers with something that is not a token") from error
        while len(self._kept) >= _MOST_TOKENS:
            del self._kept[next(iter(self._kept))]
        self._kept[self._key(app, repository)] = found.token, ends
        return found.token

    async def _installation(self, app: GitHubApp, repository: str, access: HttpAccess, claim: str) -> str:
        places = [f"/orgs/{quote(app.owner)}", f"/users/{quote(app.owner)}"] if app.owner else []
        for place in places or [f"/repos/{quote(repository)}"]:
            answer = await self._http.fetch(_request(f"{app.base_url}{place}/installation", claim, access, "GET"))
            if answer.status == 200:
                try:
                    return str(read_json(answer.body, _Installation).id)
                except NotReadable as error:
                    raise AuthenticationFailed(f"{app.base_url} answers with no installation") from error
            if answer.status != 404:
                raise _refused(app, answer, "its installations are not told")
        raise AuthenticationFailed(
            f"the GitHub App {app.app_id} is not installed for {app.owner or repository}",
            hint="install it there, or name githubAppInstallationID",
        )


def make_claim(app: GitHubApp, now: float) -> str:
    """A JSON Web Token (RFC 7519, RS256) that says for the next minutes: this is the App."""
    key = _private_key(app.private_key)
    issued = int(now - _SKEW.total_seconds())
    header, body = (
        {"alg": "RS256", "typ": "JWT"},
        {"iat": issued, "exp": int(now + _CLAIM.total_seconds()), "iss": app.app_id},
    )
    signed = b".".join(_base64(msgspec.json.encode(part)) for part in (header, body))
    return (signed + b"." + _base64(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))).decode()


def app_of(data: Mapping[str, bytes], *, base_key: str = "githubAppBaseURL") -> GitHubApp | None:
    """Reads a Secret's keys; None where it names no App. Raises InvalidInput naming the key, never its value."""
    texts = {key: data.get(key, b"").decode("utf-8", "replace").strip() for key in (*_KEYS, base_key)}
    if not any(texts[key] for key in _KEYS):
        return None
    for key in ("githubAppID", "githubAppPrivateKey"):
        if not texts[key]:
            raise InvalidInput(f"the Secret of a GitHub App has no key {key!r}", field=key)
    if texts["githubAppInstallationID"] and not texts["githubAppInstallationID"].isdecimal():
        raise InvalidInput("the key 'githubAppInstallationID' is not a number", field="githubAppInstallationID")
    base = (texts[base_key] or GITHUB).rstrip("/")
    if not base.startswith(("https://", "http://")):
        raise InvalidInput(f"the key {base_key!r} is not an https address", field=base_key)
    _private_key(texts["githubAppPrivateKey"])
    return GitHubApp(
        app_id=texts["githubAppID"],
        private_key=texts["githubAppPrivateKey"],
        installation_id=texts["githubAppInstallationID"],
        owner=texts["githubAppInstallationOwner"],
        base_url=base,
    )


_KEYS = ("githubAppID", "githubAppInstallationID", "githubAppInstallationOwner", "githubAppPrivateKey")


def _private_key(text: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidInput(
            "the key 'githubAppPrivateKey' is not an RSA private key in PEM",
            hint="put in the whole .pem file that GitHub gave you",
            field="githubAppPrivateKey",
        ) from None
    return key


def _request(url: str, claim: str, access: HttpAccess, method: str) -> Request:
    return Request(url=url, method=method, headers=_HEADERS, authorization=claim, access=access, limits=_LIMITS)


def _refused(app: GitHubApp, answer: HttpAnswer, what: str) -> AuthenticationFailed:
    hints = {
        401: "check githubAppID, githubAppPrivateKey and this machine's clock",
        403: "check the App's permissions, and whether it is suspended",
        404: "check githubAppInstallationID, and that the App is installed there",
    }
    return AuthenticationFailed(
        f"{app.base_url} answers {answer.status} to the GitHub App {app.app_id}: {what}",
        hint=hints.get(answer.status, ""),
    )


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
