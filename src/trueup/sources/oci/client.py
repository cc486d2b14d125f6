"""A registry's pull API: manifests, blobs, tags and referrers, every byte checked against the digest that named it.

OCI distribution spec v1.1, "Pull" and "Content Discovery". Which of it is wanted is the fetchers' to say.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from typing import IO

from msgspec import Struct, structs
from yarl import URL

from trueup.model.errors import RefNotFound, SourceError
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.http import Downloaded, DownloadTooLarge, HttpAnswer, HttpFetcher, HttpLimits, Request
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.oci.address import OciAddress
from trueup.sources.oci.authorization import Authorizer, Party
from trueup.sources.oci.credentials import ANONYMOUS, RegistryLogin
from trueup.sources.oci.errors import RegistryFailed, refusal
from trueup.sources.oci.manifest import (
    ACCEPT,
    INDEX,
    TRY_AGAIN,
    Descriptor,
    DigestMismatch,
    Manifest,
    ManifestUnusable,
    read_manifest,
)

MEBIBYTE = 1024 * 1024
_LARGEST_MANIFEST = 4 * MEBIBYTE
_TAGS_PER_PAGE = 1000
_MOST_TAGS = 100_000
_MOST_REMEMBERED = 4096
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


class Repository(Struct, frozen=True, kw_only=True):
    """A repository and how it is reached. `insecure`: it may be spoken to without TLS."""

    address: OciAddress
    login: RegistryLogin = ANONYMOUS
    access: HttpAccess = HttpAccess()
    insecure: bool = False
    timeout: timedelta = timedelta(seconds=60)

    def named(self, reference: str) -> str:
        """`oci://host/repository:tag`, for messages."""
        return f"{self.address}{'@' if ':' in reference else ':'}{reference}"


class _Tags(Struct, frozen=True):
    tags: tuple[str, ...] | None = None


class RegistryClient:
    """All registries of one process. `largest_blob` is in bytes."""

    def __init__(
        self,
        http: HttpFetcher,
        *,
        now: Callable[[], float] = time.monotonic,
        largest_blob: int = 256 * MEBIBYTE,
    ) -> None:
        self._http = http
        self._authorizer = Authorizer(http, now)
        self._schemes: dict[tuple[str, HttpAccess], str] = {}
        self._largest_blob = largest_blob

    async def digest_of_tag(self, repository: Repository, tag: str) -> str:
        """What a tag means now, by one HEAD (by a GET where a registry does not say it). Raises RefNotFound and others."""
        answer = await self._ask(repository, f"manifests/{tag}", method="HEAD", accept=ACCEPT)
        digest = answer.header("Docker-Content-Digest")
        if answer.status == 200 and re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", digest):
            return digest
        if answer.status == 429:
            raise refusal(answer, repository.named(tag), anonymous=repository.login.is_anonymous)
        return (await self.manifest(repository, tag)).digest  # its body says what is wrong, where something is

    async def manifest(self, repository: Repository, reference: str) -> Manifest:
        """By tag or digest. Raises RefNotFound, DigestMismatch, ManifestUnusable and others."""
        what = repository.named(reference)
        answer = await self._ask(repository, f"manifests/{reference}", accept=ACCEPT)
        if answer.status != 200:
            raise refusal(answer, what, anonymous=repository.login.is_anonymous)
        return read_manifest(answer.body, wanted=reference if ":" in reference else "", what=what)

    async def tags(self, repository: Repository) -> list[str]:
        """All tags, page by page, as the registry orders them."""
        found: list[str] = []
        path = f"tags/list?n={_TAGS_PER_PAGE}"
        pages = 0
        while path:
            pages += 1
            answer = await self._ask(repository, path)
            if answer.status != 200:
                raise refusal(answer, str(repository.address), anonymous=repository.login.is_anonymous)
            try:
                page = read_json(answer.body, _Tags)
            except NotReadable as error:
                raise RegistryFailed(f"{repository.address}: the list of tags cannot be read: {error}") from error
            found += page.tags or ()
            if len(found) > _MOST_TAGS or pages > _MOST_TAGS // 10:
                raise RegistryFailed(
                    f"{repository.address} has more than {_MOST_TAGS} tags", hint="name a tag instead of a range"
                )
            path = _next_page(answer, repository)
        return found

    async def blob(self, repository: Repository, descriptor: Descriptor, target: IO[bytes]) -> None:
        """A blob into a file, at whose end nothing is missing or false. Raises DigestMismatch, DownloadTooLarge and others."""
        what = f"{repository.address}@{descriptor.digest}"
        if descriptor.size > self._largest_blob:
            raise DownloadTooLarge(
                f"{what} is announced with {descriptor.size // MEBIBYTE} MiB; {self._largest_blob // MEBIBYTE} are the limit",
                hint="push less in one artifact, or raise --artifact-size",
            )
        try:
            got = await self._download(repository, descriptor, target, descriptor.size or self._largest_blob)
        except DownloadTooLarge as error:
            if not descriptor.size:
                raise
            raise DigestMismatch(f"{what}: more than the announced {descriptor.size} bytes come") from error
        if got.status != 200:
            answer = HttpAnswer(got.status, got.headers, got.error, got.url)
            raise refusal(answer, what, anonymous=repository.login.is_anonymous)
        if got.digest != descriptor.digest:
            raise DigestMismatch(f"{what}: what came is {got.digest} ({got.size} bytes)", hint=TRY_AGAIN)

    async def small_blob(self, repository: Repository, descriptor: Descriptor, limit: int) -> bytes:
        """A blob in memory: a signature, a provenance file. `limit` in bytes."""
        if descriptor.size > limit:
            raise DownloadTooLarge(f"{repository.address}@{descriptor.digest} is larger than {limit} bytes")
        target = BytesIO()
        await self.blob(repository, structs.replace(descriptor, size=descriptor.size or limit), target)
        return target.getvalue()

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """What refers to a manifest: by the referrers API, else by the tag that stands in for it (spec, "Referrers Tag Schema")."""
        answer = await self._ask(repository, f"referrers/{digest}", accept=INDEX)
        if answer.status == 200:
            try:
                return read_manifest(answer.body, wanted="", what=f"the referrers of {digest}").document.manifests or ()
            except ManifestUnusable:
                pass  # some registries answer every path with a page of their own
        try:
            index = await self.manifest(repository, digest.replace(":", "-"))
        except RefNotFound:
            return ()
        return index.document.manifests or ()

    async def _download(
        self, repository: Repository, descriptor: Descriptor, target: IO[bytes], limit: int
    ) -> Downloaded:
        algorithm = descriptor.digest.partition(":")[0]
        path = f"blobs/{descriptor.digest}"
        async with self._party(repository) as party:
            request = _request(repository, party, path, size=limit)
            known = self._authorizer.current(party)
            request = structs.replace(request, authorization=known)
            got = await self._http.download(request, target, algorithm=algorithm)
            if got.status == 401:
                again = await self._authorizer.answer(
                    party, got.headers.getall("WWW-Authenticate", ()), _limits(repository, _LARGEST_MANIFEST)
                )
                if again:
                    request = structs.replace(request, authorization=again)
                    got = await self._http.download(request, target, algorithm=algorithm)
            return got

    async def _ask(self, repository: Repository, path: str, *, method: str = "GET", accept: str = "") -> HttpAnswer:
        """An answer of any status but a 401 that we could answer."""
        async with self._party(repository) as party:
            request = _request(repository, party, path, size=_LARGEST_MANIFEST, method=method, accept=accept)
            request = structs.replace(request, authorization=self._authorizer.current(party))
            answer = await self._http.fetch(request)
            if answer.status == 401:
                again = await self._authorizer.answer(
                    party, answer.headers.getall("WWW-Authenticate", ()), _limits(repository, _LARGEST_MANIFEST)
                )
                if again:
                    answer = await self._http.fetch(structs.replace(request, authorization=again))
            return answer

    @asynccontextmanager
    async def _party(self, repository: Repository) -> AsyncIterator[Party]:
        """The registry in the scheme that it speaks; one that stops answering is looked at anew next time."""
        address = repository.address
        key = (address.api_host, repository.access)
        scheme = "https"
        if repository.insecure or address.is_this_machine:
            scheme = self._schemes.get(key) or await self._spoken(repository)
            if len(self._schemes) >= _MOST_REMEMBERED:
                self._schemes.clear()
            self._schemes[key] = scheme
        try:
            yield Party(address=address, login=repository.login, access=repository.access, scheme=scheme)
        except (Unreachable, CertificateUntrusted):
            self._schemes.pop(key, None)
            raise

    async def _spoken(self, repository: Repository) -> str:
        """TLS where the registry has it, as Docker's and Flux's clients look for it; else HTTP."""
        host = repository.address.api_host
        limits = _limits(repository, MEBIBYTE)
        try:
            await self._http.fetch(Request(url=f"https://{host}/v2/", access=repository.access, limits=limits))
        except SourceError as error:
            if isinstance(error, CertificateUntrusted) and not repository.insecure:
                raise
            plain = await self._http.fetch(Request(url=f"http://{host}/v2/", access=repository.access, limits=limits))
            if plain.status == 400:  # what a server of TLS says to a request without
                raise
            return "http"
        return "https"


def _limits(repository: Repository, size: int) -> HttpLimits:
    return HttpLimits(total=repository.timeout, size=size)


def _request(
    repository: Repository, party: Party, path: str, *, size: int, method: str = "GET", accept: str = ""
) -> Request:
    address = repository.address
    return Request(
        url=f"{party.scheme}://{address.api_host}/v2/{address.repository}/{path}",
        method=method,
        headers={"Accept": accept} if accept else {},
        access=repository.access,
        limits=_limits(repository, size),
    )


def _next_page(answer: HttpAnswer, repository: Repository) -> str:
    """The path of the next page below the repository; empty: there is none."""
    match = _NEXT.search(answer.header("Link"))
    if match is None:
        return ""
    try:
        target = answer.url.join(URL(match[1], encoded=True))
    except ValueError:
        return ""
    begin = f"/v2/{repository.address.repository}/"
    if target.host != answer.url.host or not target.path.startswith(begin):
        raise RegistryFailed(f"{repository.address}: the next page of tags is said to be somewhere else")
    return target.raw_path_qs.removeprefix(begin)
