"""What a registry's refusal means: its HTTP status and error codes become an error that says what to try. Pure.

Codes: OCI distribution spec v1.1, "Error Codes". The body is the registry's, so little of it is repeated.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.model.errors import AuthenticationFailed, RefNotFound, SourceError
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.giterrors import RepositoryNotFound
from trueup.sources.http import HttpAnswer, RateLimited, shown


class RegistryFailed(SourceError):
    """The registry answers, but not with what was asked for."""

    reason = "OCIArtifactPullFailed"


class BlobMissing(SourceError):
    """A manifest is there, and something that it names is not."""

    reason = "OCIArtifactPullFailed"


class _Row(Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Body(Struct, frozen=True):
    errors: tuple[_Row, ...] = ()


def error_codes(body: bytes) -> tuple[tuple[str, str], ...]:
    """(code, message) of each row; nothing for a body that is not the spec's."""
    try:
        return tuple((row.code[:60], row.message[:200]) for row in read_json(body, _Body).errors[:3])
    except NotReadable:
        return ()


def refusal(answer: HttpAnswer, what: str, *, anonymous: bool) -> SourceError:
    """The error for an answer that is not 2xx. `what`: `oci://host/repository:tag`."""
    rows = error_codes(answer.body)
    codes = {code for code, _ in rows}
    said = f" ({'; '.join(f'{code}: {message}' if message else code for code, message in rows)})" if rows else ""
    if answer.status in (401, 403) or codes & {"UNAUTHORIZED", "DENIED"}:
        who = "without credentials" if anonymous else "with these credentials"
        hint = (
            "name a Secret with the registry's credentials by secretRef"
            if anonymous
            else "check the Secret, and that its account may pull"
        )
        return AuthenticationFailed(f"{what} may not be pulled {who}{said}", hint=hint)
    if "NAME_UNKNOWN" in codes or "NAME_INVALID" in codes:
        return RepositoryNotFound(f"the registry has no repository for {what}{said}", hint="check spec.url")
    if "BLOB_UNKNOWN" in codes:
        return BlobMissing(f"{what}: the registry lost a part of it{said}", hint="push the artifact again")
    if "MANIFEST_UNKNOWN" in codes or "MANIFEST_INVALID" in codes or answer.status == 404:
        return RefNotFound(f"{what} is not there{said}", hint="check the tag or digest")
    if "TOOMANYREQUESTS" in codes or answer.status == 429:
        return RateLimited(f"{what}: too many requests{said}", hint="raise spec.interval, or log in")
    return RegistryFailed(
        f"{what}: {shown(answer.url)} answers {answer.status}{said}", hint="look at the registry's own log"
    )
