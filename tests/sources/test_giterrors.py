"""git's words become our errors. The texts are git's and ssh's own, from real failures."""

from __future__ import annotations

import pytest

from trueup.model.errors import AuthenticationFailed, SourceError
from trueup.sources import giterrors as errors
from trueup.sources.giterrors import GitFailure, classify, last_words, scrub
from trueup.sources.giturl import parse_git_url

URL = parse_git_url("https://git.example.com/team/a")


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("fatal: unable to access 'https://h/a/': Could not resolve host: h", errors.Unreachable),
        (
            "fatal: unable to access 'https://h/a/': Failed to connect to h port 443 after 0 ms: Couldn't connect",
            errors.Unreachable,
        ),
        (
            "ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
            errors.Unreachable,
        ),
        (
            "ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read from remote repository.",
            errors.Unreachable,
        ),
        ("fatal: unable to access 'https://h/a/': The requested URL returned error: 503", errors.Unreachable),
        ("error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF", errors.Unreachable),
        ("remote: Not Found\nfatal: repository 'https://h/a/' not found", errors.RepositoryNotFound),
        ("fatal: https://h/a/info/refs not valid: is this a git repository?", errors.RepositoryNotFound),
        (
            "fatal: '/srv/a' does not appear to be a git repository\nfatal: Could not read from remote repository.",
            errors.RepositoryNotFound,
        ),
        ("fatal: Authentication failed for 'https://h/a/'", AuthenticationFailed),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", AuthenticationFailed),
        ("fatal: unable to access 'https://h/a/': The requested URL returned error: 403", AuthenticationFailed),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", AuthenticationFailed),
        ("No ED25519 host key is known for [127.0.0.1]:2222.\nHost key verification failed.", errors.HostKeyUnknown),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
            errors.HostKeyUnknown,
        ),
        (
            "fatal: unable to access 'https://h/a/': SSL certificate problem: unable to get local issuer certificate",
            errors.CertificateUntrusted,
        ),
        (
            "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none CRLfile: none",
            errors.CertificateUntrusted,
        ),
        ("fatal: couldn't find remote ref refs/heads/x", errors.RemoteRefMissing),
        ("fatal: remote error: upload-pack: not our ref 1234", errors.CommitNotServed),
        ("error: Server does not allow request for unadvertised object 1234", errors.CommitNotServed),
        ("fatal: write error: No space left on device\nfatal: index-pack failed", errors.DiskFull),
        ("fatal: transport 'file' not allowed", errors.ProtocolNotAllowed),
        ("fatal: bad object refs/trueup/x", errors.MirrorCorrupt),
        ("fatal: not a git repository: '/state/git/x'", errors.MirrorCorrupt),
    ],
)
def test_each_failure_is_told_apart(stderr: str, expected: type[SourceError]) -> None:
    error = classify(GitFailure(URL, 128, stderr))
    assert type(error) is expected
    assert error.hint


def test_what_is_not_known_keeps_gits_own_words() -> None:
    error = classify(GitFailure(URL, 128, "warning: x\nfatal: the moon is in the wrong phase\nmore"))
    assert type(error) is SourceError
    assert "the moon is in the wrong phase" in str(error)
    assert "exit code 7" in str(classify(GitFailure(URL, 7, "")))


def test_the_telling_line_is_chosen() -> None:
    assert last_words("hint: a\nerror: b\nfatal: c\n") == "error: b"
    assert last_words("a\nb\n") == "b"
    assert len(last_words("x" * 5000)) == 300


def test_no_secret_survives_in_any_form() -> None:
    text = "fatal: https://ann:hunter2@h/a: hunter2\nAuthorization: Bearer abc.def\n  > authorization: Basic YW5uOmh1bnRlcjI="
    shown = scrub(text, ["hunter2"])
    for secret in ("hunter2", "abc.def", "YW5uOmh1bnRlcjI="):
        assert secret not in shown
