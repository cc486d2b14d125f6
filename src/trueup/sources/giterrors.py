"""What a failed git process means: its words and exit code become an error that says what to try.

Pure. git's messages are stable English under LC_ALL=C; the patterns below were read from git's sources and checked
against real processes in the tests. What matches nothing keeps git's own last words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct

from trueup.model.errors import AuthenticationFailed, RefNotFound, SourceError
from trueup.sources.giturl import GitUrl, mask_url


class Unreachable(SourceError):
    """Nobody answers at the URL's host."""

    reason = "Unreachable"


class RepositoryNotFound(SourceError):
    """The server answers, but there is no Git repository (or we may not know of it)."""

    reason = "RepositoryNotFound"


class EmptyRepository(SourceError):
    """A repository without any commit."""

    reason = "EmptyRepository"


class HostKeyUnknown(AuthenticationFailed):
    """The SSH host's key is not in known_hosts, or is another one."""

    reason = "HostKeyUnknown"


class CertificateUntrusted(AuthenticationFailed):
    """The TLS certificate cannot be trusted, or ours was refused."""

    reason = "CertificateUntrusted"


class GitTimeout(SourceError):
    reason = "Timeout"


class DiskFull(SourceError):
    """No space left where the mirrors live."""

    reason = "StorageOperationFailed"


class TooLargeRepository(SourceError):
    reason = "RepositoryTooLarge"


class ProtocolNotAllowed(SourceError):
    reason = "URLInvalid"


class CommitNotServed(RefNotFound):
    """The server does not give this commit by its hash alone, or does not have it."""


class RemoteRefMissing(RefNotFound):
    """The ref that we asked for by name is not there (any more)."""


class MirrorCorrupt(SourceError):
    """Our own copy is damaged; it is rebuilt at the next fetch."""

    reason = "MirrorCorrupt"


class TooLarge(TooLargeRepository):
    """Raised while a fetch runs, when it writes more than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the repository is too large: more than {_mebibytes(limit)} (limit) arrived",
            hint="use a smaller repository, or raise the controller's limit for Git mirrors",
        )
        self.size = size


class GitFailure(Struct, frozen=True):
    """A git process that ended badly; `stderr` is scrubbed already."""

    url: GitUrl | None
    code: int
    stderr: str


class _Rule(Struct, frozen=True):
    pattern: re.Pattern[str]
    error: type[SourceError]
    message: str
    hint: str


def _rule(pattern: str, error: type[SourceError], message: str, hint: str) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE | re.MULTILINE), error, message, hint)


# The first that matches decides; `{url}` and `{host}` are filled in. More telling ones stand first: a refused key also
# says "Could not read from remote repository", and a full disk also says "index-pack failed".
_RULES = (
    _rule(
        r"no space left on device|disk quota exceeded|file too large|died of signal (25|31)",
        DiskFull,
        "the disk that holds the Git mirrors is full",
        "free space in the state folder, or give it a larger volume",
    ),
    _rule(
        r"transport '[^']+' not allowed|protocol '[^']+' is not supported|unable to find remote helper",
        ProtocolNotAllowed,
        "{url}: this protocol is not allowed here",
        "use https or ssh; file and git need a flag of the controller",
    ),
    _rule(
        r"mismatched algorithms",
        SourceError,
        "{url}: the repository uses SHA-256 object names, which cannot be read yet",
        "use a repository with SHA-1 object names",
    ),
    _rule(
        r"host key verification failed|no \S+ host key is known|remote host identification has changed",
        HostKeyUnknown,
        "{host}: the SSH host key is not the one in known_hosts",
        "compare with `ssh-keyscan {host}`, and put the right line into the Secret's known_hosts",
    ),
    _rule(
        r"ssl certificate problem|server certificate verification failed|certificate verify failed|self[- ]signed certificate"
        r"|no alternative certificate subject name|unable to get local issuer certificate|ssl: certificate subject name"
        r"|tls alert|alert (certificate|bad certificate|unknown ca)|sslv3 alert|tlsv1[0-9]* alert|certificate required"
        r"|problem with the local ssl certificate|could not load pem client certificate|unable to set private key file"
        r"|error setting certificate|ssl certificate error|no required ssl certificate",
        CertificateUntrusted,
        "{host}: the TLS certificates do not fit together",
        "put the server's CA into ca.crt, and for client certificates tls.crt and tls.key, of the Secret",
    ),
    _rule(
        r"gnutls recv error|openssl ssl_read|ssl_error_(syscall|zero)|tls connection was non-properly terminated"
        r"|getpeername\(\) failed|transport endpoint is not connected|send failure|recv failure|broken pipe",
        Unreachable,
        "{host}: the connection broke off",
        "if the server asks for a client certificate, put tls.crt and tls.key into the Secret; else the next try follows",
    ),
    _rule(
        r"authentication failed|could not read (username|password)|invalid credentials|http basic: access denied|"
        r"requested url returned error: 40[13]|permission denied \(|too many authentication failures|"
        r"error in libcrypto|incorrect passphrase|load key .* (invalid format|bad permissions)|access denied or repository not",
        AuthenticationFailed,
        "{url}: the credentials were refused",
        "check the Secret's username and password, token or key, and its right to read this repository",
    ),
    _rule(
        r"not our ref|unadvertised object|server does not allow request",
        CommitNotServed,
        "{url}: the server does not give that commit",
        "name a branch or tag that contains it",
    ),
    _rule(
        r"couldn't find remote ref|remote ref .* not found",
        RemoteRefMissing,
        "{url}: the ref does not exist",
        "check the branch or tag name",
    ),
    _rule(
        r"bad object|object file .* is empty|loose object .* is corrupt|packfile .* (is truncated|does not match|cannot be)"
        r"|missing (blob|tree|commit|necessary objects)|unable to read (tree|sha1|[0-9a-f]{40})|inflate: data stream error"
        r"|index file .* (is too small|corrupt)|garbage at end of|remote did not send all necessary objects"
        r"|not a git repository: |fatal: bad config|packfile trailer mismatch|wrong index v|failed to read object"
        r"|invalid shallow line|could not open .*\.(pack|idx)|mapped file|(unresolved deltas|pack has bad object)",
        MirrorCorrupt,
        "our mirror of {url} is damaged",
        "nothing: it is rebuilt at the next fetch",
    ),
    _rule(
        r"repository .* (not found|does not exist)|not found: did you run git update-server-info|not valid: is this a git repo"
        r"|requested url returned error: (404|410)|does not appear to be a git repository|no such repository"
        r"|invalid (server response|content-type)|not a git repository|protocol error: bad line length|repository not exported",
        RepositoryNotFound,
        "{url}: there is no Git repository (or these credentials may not see it)",
        "check the URL; for a private repository, name a Secret with the right to read it",
    ),
    _rule(
        r"could not resolve host|connection refused|connection timed out|failed to connect|couldn't connect|no route to host"
        r"|network is unreachable|connection (was )?reset|name or service not known|temporary failure in name resolution"
        r"|empty reply from server|unable to connect|could not connect|remote end hung up|early eof|operation timed out"
        r"|connection closed by|kex_exchange_identification|returned error: (429|5[0-9][0-9])|couldn't resolve|ssl_error_syscall"
        r"|unexpected disconnect|operation too slow|gnutls_handshake|rpc failed|transfer closed|unable to look up",
        Unreachable,
        "{host}: no answer",
        "check the URL, DNS and proxy; the next try follows by itself",
    ),
    _rule(
        r"redirect",
        RepositoryNotFound,
        "{url}: the server redirects to another address",
        "use the new address in the URL",
    ),
)  # fmt: skip


def classify(failure: GitFailure) -> SourceError:
    """The error for a failed git process; its text never holds a secret (see `scrub`)."""
    names = {"url": str(failure.url or "the mirror"), "host": failure.url.host if failure.url else "the host"}
    words = last_words(failure.stderr)
    for rule in _RULES:
        if rule.pattern.search(failure.stderr):
            message = rule.message.format(**names)
            return rule.error(f"{message} (git: {words})" if words else message, hint=rule.hint.format(**names))
    told = words or f"exit code {failure.code}, without a word"
    return SourceError(
        f"{names['url']}: git failed: {told}", hint="see the controller's log; the next try follows by itself"
    )


def timed_out(url: GitUrl | None, timeout: timedelta) -> GitTimeout:
    return GitTimeout(
        f"{url or 'git'}: no end after {timeout.total_seconds():g} s",
        hint="raise spec.timeout, or look at the server and the network",
    )


def missing_program(program: str) -> SourceError:
    return SourceError(f"the program {program!r} was not found", reason="GitMissing", hint="install git 2.30 or newer")


def last_words(stderr: str) -> str:
    """The one line of git's output that tells most: the first `fatal:` or `error:` line, else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(fatal|error|remote: fatal|remote: error|ERROR)\b", line)]
    line = telling[0] if telling else lines[-1] if lines else ""
    return line[:300]


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Takes every secret, in the forms git and ssh could print it, and every password inside a URL out of a text."""
    for secret in secrets:
        for line in {secret, *secret.splitlines()}:
            if len(line) >= 4 and not line.startswith("-----"):
                text = text.replace(line, "***")
    text = re.sub(r"(authorization:\s*\w+)\s+\S+", r"\1 ***", text, flags=re.IGNORECASE)
    return mask_url(text)


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB" if size >= 1024**2 else f"{size} bytes"
