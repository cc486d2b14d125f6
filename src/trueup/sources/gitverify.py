"""Whether commits and tags are signed by somebody trusted: Git's own object formats, Flux's modes and words. Pure.

The signed text is taken from the object byte for byte, as Git does (`gpgsig` header of a commit, tail of a tag). A tag
counts only for the commit and the name that it says itself, so an old release cannot be passed off as a new one.
Formats: gitformat-signature(5); meaning: Flux's GitRepository `.spec.verify`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.source import GitVerification
from trueup.sources.signatures import SignatureInvalid, Signer, verify_pgp, verify_ssh
from trueup.sources.signatures.pgp import is_pgp_keyring

_BEGINNINGS = (b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN SSH SIGNATURE-----")
_SSH = b"-----BEGIN SSH SIGNATURE-----"
_COMMIT_HEADERS = {40: b"gpgsig", 64: b"gpgsig-sha256"}
_PUBLIC_KEYS = "*.asc (OpenPGP) and *.sshpub (SSH)"


class TrustedKeys(Struct, frozen=True):
    """What a Secret with public keys holds: OpenPGP keyrings and SSH public keys, told apart by what is in them."""

    pgp: tuple[bytes, ...]
    ssh: tuple[bytes, ...]


class SignedTag(Struct, frozen=True):
    """An annotated tag's object. `name` is that of the ref, without `refs/tags/`."""

    name: str
    id: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.name}@{self.id}"


class Signed(Struct, frozen=True):
    """A text and the signature that is kept apart from it; empty: it is not signed."""

    payload: bytes
    signature: bytes


def trusted_keys(data: Mapping[str, bytes]) -> TrustedKeys:
    """Every entry of the Secret counts, whatever its name, as in Flux. Raises SignatureInvalid where there is no key."""
    pgp = tuple(value for _, value in sorted(data.items()) if is_pgp_keyring(value))
    ssh = tuple(value for _, value in sorted(data.items()) if value.strip() and not is_pgp_keyring(value))
    if not pgp and not ssh:
        raise SignatureInvalid(
            "the Secret of spec.verify.secretRef holds no public keys", hint=f"put them in as {_PUBLIC_KEYS}"
        )
    return TrustedKeys(pgp, ssh)


def verify_revision(
    mode: GitVerification, commit: str, raw: bytes, tag: SignedTag | None, tag_named: bool, keys: TrustedKeys
) -> str:
    """Who signed, in Flux's words. Raises SignatureInvalid, or InvalidInput for a mode that the reference cannot have.

    `tag` None with `tag_named`: the reference is a tag, but a lightweight one, which nobody can sign.
    """
    lines: list[str] = []
    if mode in (GitVerification.TAG, GitVerification.TAG_AND_HEAD):
        if not tag_named:
            raise InvalidInput(
                "cannot verify tag object's signature if a tag reference is not specified",
                reason="InvalidVerificationMode",
                hint="set spec.ref.tag or spec.ref.semver, or spec.verify.mode: HEAD",
                field="spec.verify.mode",
            )
        lines.append(_verified_tag(commit, tag, keys))
    if mode in (GitVerification.HEAD, GitVerification.TAG_AND_HEAD):
        lines.append(_verified_commit(commit, raw, keys))
    return "verified signature of" + "".join(f"\n\t- {line}" for line in lines)


def _verified_commit(commit: str, raw: bytes, keys: TrustedKeys) -> str:
    try:
        signer = _signer(signed_commit(raw, len(commit)), keys, "the commit is not signed")
    except SignatureInvalid as error:
        raise SignatureInvalid(
            f"signature verification of commit '{commit}' failed: {error.message}",
            reason="InvalidCommitSignature",
            hint=error.hint,
        ) from error
    return f"commit '{commit}' with key '{signer}'"


def _verified_tag(commit: str, tag: SignedTag | None, keys: TrustedKeys) -> str:
    signed = signed_tag(tag.raw) if tag is not None else None
    if tag is None or signed is None or not signed.signature:
        raise SignatureInvalid(
            f"cannot verify signature of tag '{tag or commit}' since it is not signed",
            reason="InvalidGitObject",
            hint="sign it with: git tag --sign NAME",
        )
    try:
        _check_tag(commit, tag)
        signer = _signer(signed, keys, "the tag is not signed")
    except SignatureInvalid as error:
        raise SignatureInvalid(
            f"signature verification of tag '{tag}' failed: {error.message}",
            reason="InvalidTagSignature",
            hint=error.hint,
        ) from error
    return f"tag '{tag}' with key '{signer}'"


def _check_tag(commit: str, tag: SignedTag) -> None:
    header = tag.raw.partition(b"\n\n")[0].split(b"\n")
    expected = (b"object " + commit.encode(), b"type commit", b"tag " + tag.name.encode("utf-8", "surrogateescape"))
    for line, wanted in zip(header, expected, strict=False):
        if line != wanted:
            said = line.decode("utf-8", "replace")
            raise SignatureInvalid(f"the tag says {said!r}, where {wanted.decode('utf-8', 'replace')!r} was expected")
    if len(header) < len(expected):
        raise SignatureInvalid("the tag object is cut off")


def signed_commit(raw: bytes, hash_length: int) -> Signed:
    """The commit without its signature headers, and the signature for hashes of that length."""
    header, separator, message = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    current = b""
    found = 0
    for line in header.split(b"\n"):
        if not line.startswith(b" "):
            current = line.partition(b" ")[0]
            found += current == _COMMIT_HEADERS[hash_length]
        if current not in _COMMIT_HEADERS.values():
            kept.append(line)
        elif current == _COMMIT_HEADERS[hash_length]:
            signature.append(line[1:] if line.startswith(b" ") else line.partition(b" ")[2])
    if found > 1:
        raise SignatureInvalid("the commit carries several signatures in place of one")
    return Signed(b"\n".join(kept) + separator + message, b"\n".join(signature) + b"\n" if signature else b"")


def signed_tag(raw: bytes) -> Signed:
    """The tag up to the last line that begins a signature, and from there on."""
    header, _, _ = raw.partition(b"\n\n")
    if any(line.startswith(b"gpgsig") for line in header.split(b"\n")):
        raise SignatureInvalid("the tag carries a signature in its header, which is for another kind of hash")
    start, at = -1, 0
    for line in raw.split(b"\n"):
        if line.startswith(_BEGINNINGS):
            start = at
        at += len(line) + 1
    return Signed(raw[:start], raw[start:]) if start >= 0 else Signed(raw, b"")


def _signer(signed: Signed, keys: TrustedKeys, unsigned: str) -> Signer:
    if not signed.signature:
        raise SignatureInvalid(unsigned, hint="sign it, or take spec.verify off")
    if signed.signature.lstrip().startswith(_SSH):
        if not keys.ssh:
            raise SignatureInvalid("it is signed with an SSH key, and no SSH keys are trusted")
        return verify_ssh(signed.payload, signed.signature, keys.ssh)
    if not keys.pgp:
        raise SignatureInvalid("it is signed with an OpenPGP key, and no OpenPGP keys are trusted")
    return verify_pgp(signed.payload, signed.signature, keys.pgp)
