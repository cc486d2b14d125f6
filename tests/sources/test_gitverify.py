"""Commits and tags that the real git signed with the real gpg and ssh-keygen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.gitkit import Work, git
from tests.sources.signatures.signkit import Gpg, SshKey
from trueup.model.errors import InvalidInput
from trueup.model.revision import parse_revision
from trueup.model.source import GitReference, GitSource, GitVerification
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.gitverify import signed_commit, signed_tag
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.secrets import SecretData, SourceSecrets
from trueup.sources.signatures import SignatureInvalid

HEAD, TAG, BOTH = GitVerification.HEAD, GitVerification.TAG, GitVerification.TAG_AND_HEAD


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    made = Gpg()
    made.key("con")
    yield made
    made.close()


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    return SshKey(tmp_path_factory.mktemp("ssh"))


class Signing:
    """How the work tree signs from now on."""

    def __init__(self, work: Work, gpg: Gpg, ssh: SshKey) -> None:
        self._work, self._gpg, self._ssh = work, gpg, ssh

    def with_pgp(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GNUPGHOME", str(self._gpg.home))
        self._work.git("config", "user.signingKey", "con@example.com")
        self._on("openpgp")

    def with_ssh(self) -> None:
        self._work.git("config", "user.signingKey", self._ssh.path)
        self._on("ssh")

    def _on(self, form: str) -> None:
        self._work.git("config", "gpg.format", form)
        self._work.git("config", "commit.gpgSign", "true")
        self._work.git("config", "tag.gpgSign", "true")


@pytest.fixture
def signing(work: Work, gpg: Gpg, ssh: SshKey) -> Signing:
    return Signing(work, gpg, ssh)


@pytest.fixture
def fetcher(mirrors: GitMirrors) -> GitFetcher:
    return GitFetcher(mirrors, GitHubTokens(HttpFetcher()))


def trusting(**keys: bytes) -> SourceSecrets:
    return SourceSecrets(trust=SecretData("Opaque", {name.replace("_", "."): data for name, data in keys.items()}))


def source_of(work: Work, mode: GitVerification, **reference: str) -> GitSource:
    return GitSource(url=work.url, reference=GitReference(**(reference or {"branch": "main"})), verify=mode)


async def fetch(
    fetcher: GitFetcher, source: GitSource, secrets: SourceSecrets, known: GitSnapshot | None = None
) -> GitSnapshot:
    return await fetcher.fetch(source, secrets, known=known, max_age=timedelta(0))


async def test_a_commit_signed_with_openpgp_is_offered_and_names_its_key(
    fetcher: GitFetcher, work: Work, signing: Signing, gpg: Gpg, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.with_pgp(monkeypatch)
    commit = work.commit({"a": "1"})
    snapshot = await fetch(fetcher, source_of(work, HEAD), trusting(con_asc=gpg.public("con")))
    key = gpg.run("--list-keys", "--with-colons").decode().split("pub:")[1].split(":")[3]
    assert snapshot.details.verified == f"verified signature of\n\t- commit '{commit}' with key '{key}'"


async def test_a_commit_signed_with_ssh_is_offered_and_names_its_key(
    fetcher: GitFetcher, work: Work, signing: Signing, ssh: SshKey
) -> None:
    signing.with_ssh()
    commit = work.commit({"a": "1"}, "with a body\n\nand two lines\n")
    snapshot = await fetch(fetcher, source_of(work, HEAD), trusting(con_sshpub=ssh.public))
    assert snapshot.details.verified == f"verified signature of\n\t- commit '{commit}' with key '{ssh.fingerprint}'"


async def test_both_kinds_of_keys_may_be_trusted_at_once(
    fetcher: GitFetcher, work: Work, signing: Signing, gpg: Gpg, ssh: SshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = trusting(con_asc=gpg.public("con"), con_sshpub=ssh.public)
    signing.with_ssh()
    work.commit({"a": "1"})
    first = await fetch(fetcher, source_of(work, HEAD), secrets)
    signing.with_pgp(monkeypatch)
    work.commit({"a": "2"})
    assert (await fetch(fetcher, source_of(work, HEAD), secrets, first)).commit != first.commit


async def test_an_unsigned_commit_and_one_of_a_stranger_are_not_offered(
    fetcher: GitFetcher, work: Work, signing: Signing, ssh: SshKey, tmp_path: Path
) -> None:
    source = source_of(work, HEAD)
    with pytest.raises(SignatureInvalid, match="the commit is not signed") as caught:
        await fetch(fetcher, source, trusting(con_sshpub=ssh.public))
    assert caught.value.reason == "InvalidCommitSignature"
    signing.with_ssh()
    work.commit({"a": "1"})
    with pytest.raises(SignatureInvalid, match="none of the 1 trusted keys"):
        await fetch(fetcher, source, trusting(other_sshpub=SshKey(tmp_path).public))


async def test_what_was_verified_stays_while_a_newer_commit_is_not_signed(
    fetcher: GitFetcher, mirrors: GitMirrors, work: Work, signing: Signing, ssh: SshKey
) -> None:
    signing.with_ssh()
    work.commit({"a": "1"})
    source, secrets = source_of(work, HEAD), trusting(con_sshpub=ssh.public)
    good = await fetch(fetcher, source, secrets)
    work.git("config", "commit.gpgSign", "false")
    work.commit({"a": "2"})
    with pytest.raises(SignatureInvalid):
        await fetch(fetcher, source, secrets, good)
    await mirrors.collect()
    assert good.read("a") == b"1"


async def test_an_unmoved_source_is_verified_once_and_again_when_the_trusted_keys_change(
    fetcher: GitFetcher, work: Work, signing: Signing, ssh: SshKey, tmp_path: Path
) -> None:
    signing.with_ssh()
    work.commit({"a": "1"})
    source, secrets = source_of(work, HEAD), trusting(con_sshpub=ssh.public)
    good = await fetch(fetcher, source, secrets)
    assert await fetch(fetcher, source, secrets, good) is good
    with pytest.raises(SignatureInvalid):
        await fetch(fetcher, source, trusting(other_sshpub=SshKey(tmp_path).public), good)


async def test_a_signed_tag_is_verified_alone_or_with_its_commit(
    fetcher: GitFetcher, work: Work, signing: Signing, ssh: SshKey
) -> None:
    secrets = trusting(con_sshpub=ssh.public)
    signing.with_ssh()
    work.git("config", "commit.gpgSign", "false")
    work.commit({"a": "1"})
    work.git("tag", "-m", "the release", "v1.2.0")
    tag = work.git("rev-parse", "v1.2.0")
    for reference in ({"tag": "v1.2.0"}, {"semver": "1.x"}, {"name": "refs/tags/v1.2.0"}):
        snapshot = await fetch(fetcher, source_of(work, TAG, **reference), secrets)
        words = f"verified signature of\n\t- tag 'v1.2.0@{tag}' with key '{ssh.fingerprint}'"
        assert snapshot.details.verified == words
    with pytest.raises(SignatureInvalid, match=r"signature verification of commit .* not signed"):
        await fetch(fetcher, source_of(work, BOTH, tag="v1.2.0"), secrets)
    work.git("config", "commit.gpgSign", "true")
    work.commit({"a": "2"})
    work.git("tag", "-m", "the next", "v1.3.0")
    snapshot = await fetch(fetcher, source_of(work, BOTH, tag="v1.3.0"), secrets)
    assert [line[:6] for line in snapshot.details.verified.split("\t- ")[1:]] == ["tag 'v", "commit"]


async def test_tags_that_nobody_signed_are_refused_and_a_branch_has_none_to_verify(
    fetcher: GitFetcher, work: Work, ssh: SshKey
) -> None:
    secrets = trusting(con_sshpub=ssh.public)
    work.git("tag", "light")
    work.git("tag", "-m", "annotated", "unsigned")
    for name in ("light", "unsigned"):
        with pytest.raises(SignatureInvalid, match="since it is not signed") as caught:
            await fetch(fetcher, source_of(work, TAG, tag=name), secrets)
        assert caught.value.reason == "InvalidGitObject"
    with pytest.raises(InvalidInput, match="if a tag reference is not specified") as stalled:
        await fetch(fetcher, source_of(work, TAG), secrets)
    assert stalled.value.reason == "InvalidVerificationMode"


async def test_a_signed_tag_counts_under_its_own_name_only(
    fetcher: GitFetcher, work: Work, signing: Signing, ssh: SshKey
) -> None:
    signing.with_ssh()
    work.git("tag", "-m", "old", "v1.0.0")
    work.git("update-ref", "refs/tags/v9.0.0", work.git("rev-parse", "v1.0.0"))
    with pytest.raises(SignatureInvalid, match=r"tag v1\.0\.0.*tag v9\.0\.0"):
        await fetch(fetcher, source_of(work, TAG, tag="v9.0.0"), trusting(con_sshpub=ssh.public))


async def test_a_verified_revision_is_reopened_without_the_remote_and_verified_again(
    fetcher: GitFetcher, mirrors: GitMirrors, work: Work, signing: Signing, ssh: SshKey, tmp_path: Path
) -> None:
    signing.with_ssh()
    commit = work.commit({"a": "1"})
    work.git("tag", "-m", "the release", "v1.2.0")
    source, secrets = source_of(work, BOTH, tag="v1.2.0"), trusting(con_sshpub=ssh.public)
    held = await fetch(fetcher, source, secrets)
    await mirrors.collect()
    work.path.rename(tmp_path / "away")
    later = GitFetcher(GitMirrors(tmp_path / "mirrors", allow_local=True), GitHubTokens(HttpFetcher()))
    revision = parse_revision(f"v1.2.0@sha1:{commit}")
    assert revision is not None
    again = await later.reopen(source, secrets, revision)
    assert again is not None
    assert again.details.verified == held.details.verified
    with pytest.raises(SignatureInvalid):
        await later.reopen(source, trusting(other_sshpub=SshKey(tmp_path).public), revision)


async def test_a_secret_without_keys_is_said(fetcher: GitFetcher, work: Work) -> None:
    with pytest.raises(SignatureInvalid, match=r"spec\.verify\.secretRef holds no public keys"):
        await fetch(fetcher, source_of(work, HEAD), trusting())


def signed_objects(work: Work) -> list[bytes]:
    return [raw_object(work, "HEAD", "commit"), raw_object(work, "v1", "tag")]


def raw_object(work: Work, name: str, kind: str) -> bytes:
    return (git("cat-file", kind, name, cwd=work.path) + "\n").encode()


def test_the_signed_text_is_the_object_without_its_signature(work: Work, signing: Signing) -> None:
    signing.with_ssh()
    work.commit({"a": "1"}, "subject\n\n gpgsig in a body line\n")
    work.git("tag", "-m", "message", "v1")
    commit, tag = signed_objects(work)
    payload = signed_commit(commit, 40).payload
    assert b"gpgsig -" not in payload
    assert b" gpgsig in a body line" in payload
    assert payload.startswith(b"tree ")
    assert signed_tag(tag).payload.endswith(b"message\n")
    assert signed_tag(tag).signature.startswith(b"-----BEGIN SSH SIGNATURE-----")


def test_a_commit_with_two_signatures_is_refused() -> None:
    raw = b"tree x\ngpgsig a\n b\nauthor y\ngpgsig c\n d\n\nmessage"
    with pytest.raises(SignatureInvalid, match="several"):
        signed_commit(raw, 40)


def test_a_signature_for_the_other_kind_of_hash_is_neither_text_nor_signature() -> None:
    raw = b"tree x\ngpgsig-sha256 a\n b\ngpgsig c\n d\n\nmessage"
    assert signed_commit(raw, 40).payload == b"tree x\n\nmessage"
    assert signed_commit(raw, 40).signature == b"c\nd\n"
    assert signed_commit(raw, 64).signature == b"a\nb\n"


@given(raw=st.binary(max_size=200), parts=st.lists(st.sampled_from([b"gpgsig x", b" y", b"tree z", b"", b"m"])))
def test_any_object_is_taken_apart_without_a_crash_and_nothing_is_added(raw: bytes, parts: list[bytes]) -> None:
    for text in (raw, b"\n".join(parts), raw + b"\n".join(parts)):
        for take in (lambda text: signed_commit(text, 40), signed_tag):
            try:
                found = take(text)
            except SignatureInvalid:
                continue
            assert len(found.payload) <= len(text)
