"""SSH signatures that the real ssh-keygen made, and one made here that it verifies."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.signatures.signkit import SshKey
from trueup.sources.signatures import SignatureInvalid, verify_ssh

PAYLOAD = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\na commit\n"
KINDS = [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ssh")


@pytest.fixture(scope="module")
def ann(folder: Path) -> SshKey:
    return SshKey(folder)


@pytest.fixture(scope="module")
def signed(ann: SshKey) -> bytes:
    return ann.sign(PAYLOAD)


@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_a_signature_by_a_trusted_key_names_its_signer(
    folder: Path, kind: str, bits: int | None, hash_name: str
) -> None:
    key = SshKey(folder, kind, bits)
    signer = verify_ssh(PAYLOAD, key.sign(PAYLOAD, hash_name=hash_name), [key.public])
    assert (signer.kind, signer.key) == ("ssh", key.fingerprint)


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_changed_text_is_refused(folder: Path, kind: str, bits: int | None) -> None:
    key = SshKey(folder, kind, bits)
    with pytest.raises(SignatureInvalid, match="does not hold"):
        verify_ssh(PAYLOAD + b"x", key.sign(PAYLOAD), [key.public])


def test_several_keys_may_be_trusted_in_files_with_comments_and_empty_lines(folder: Path, ann: SshKey) -> None:
    others = [SshKey(folder).public for _ in range(2)]
    text = b"# the team\n\n" + b"".join(others) + ann.public
    assert verify_ssh(PAYLOAD, ann.sign(PAYLOAD), [text]).key == ann.fingerprint
    assert verify_ssh(PAYLOAD, ann.sign(PAYLOAD), [*others, ann.public]).key == ann.fingerprint


def test_a_signature_by_another_key_is_refused_by_name(folder: Path, ann: SshKey, signed: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="none of the 1 trusted keys") as caught:
        verify_ssh(PAYLOAD, signed, [SshKey(folder).public])
    assert ann.fingerprint in str(caught.value)


def test_a_signature_of_another_namespace_is_refused(ann: SshKey) -> None:
    signed = ann.sign(PAYLOAD, namespace="file")
    with pytest.raises(SignatureInvalid, match="'file', not 'git'"):
        verify_ssh(PAYLOAD, signed, [ann.public])
    assert verify_ssh(PAYLOAD, signed, [ann.public], namespace="file").key == ann.fingerprint


def test_short_rsa_keys_are_not_trusted(folder: Path) -> None:
    key = SshKey(folder, "rsa", 1024)
    with pytest.raises(SignatureInvalid, match="1024 bits"):
        verify_ssh(PAYLOAD, key.sign(PAYLOAD), [key.public])


def test_a_key_line_with_options_is_refused_because_they_would_be_skipped(ann: SshKey, signed: bytes) -> None:
    for line in (b'ann@example.com namespaces="file" ' + ann.public, b"cert-authority " + ann.public):
        with pytest.raises(SignatureInvalid, match="line 2 of the trusted keys"):
            verify_ssh(PAYLOAD, signed, [b"# keys\n" + line])


def test_no_keys_and_damaged_keys_are_said(ann: SshKey, signed: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="no SSH public key"):
        verify_ssh(PAYLOAD, signed, [b"# none\n"])
    with pytest.raises(SignatureInvalid, match=r"line 1 .* damaged"):
        verify_ssh(PAYLOAD, signed, [b"ssh-rsa " + ann.public.split()[1]])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_changed_byte_or_length_of_a_signature_passes(ann: SshKey, signed: bytes, data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(b"".join(signed.split(b"\n")[1:-2])))
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        raw = raw[:at] + data.draw(st.binary(max_size=2)) if data.draw(st.booleans()) else raw + b"\0"
    if bytes(raw) == base64.b64decode(b"".join(signed.split(b"\n")[1:-2])):
        return
    with pytest.raises(SignatureInvalid):
        verify_ssh(PAYLOAD, armored(bytes(raw)), [ann.public])


@given(noise=st.binary(max_size=300))
def test_whatever_is_in_the_armor_is_read_without_a_crash(ann: SshKey, noise: bytes) -> None:
    for raw in (noise, b"SSHSIG\0\0\0\1" + noise):
        with pytest.raises(SignatureInvalid):
            verify_ssh(PAYLOAD, armored(raw), [ann.public])


def test_a_security_key_counts_as_ssh_keygen_says(folder: Path, tmp_path: Path) -> None:
    """No such device is here, so its signature is made by hand; the real ssh-keygen verifies the same bytes."""
    private = Ed25519PrivateKey.generate()
    application = b"ssh:"
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = wire(kind) + wire(private.public_key().public_bytes_raw()) + wire(application)
    signed = b"SSHSIG" + wire(b"git") + wire(b"") + wire(b"sha512") + wire(hashlib.sha512(PAYLOAD).digest())
    trailer = b"\x01" + (7).to_bytes(4, "big")
    made = private.sign(hashlib.sha256(application).digest() + trailer + hashlib.sha256(signed).digest())
    signature = armored(
        b"SSHSIG\0\0\0\1"
        + wire(blob)
        + wire(b"git")
        + wire(b"")
        + wire(b"sha512")
        + wire(wire(kind) + wire(made) + trailer)
    )
    public = kind + b" " + base64.b64encode(blob) + b" yubikey\n"
    (tmp_path / "allowed").write_bytes(b"ann " + public)
    (tmp_path / "sig").write_bytes(signature)
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        tmp_path / "allowed",
        "-I",
        "ann",
        "-n",
        "git",
        "-s",
        tmp_path / "sig",
    ]
    assert subprocess.run(command, input=PAYLOAD, capture_output=True, check=False).returncode == 0
    assert verify_ssh(PAYLOAD, signature, [public]).kind == "ssh"
    with pytest.raises(SignatureInvalid, match="does not hold"):
        verify_ssh(PAYLOAD + b"x", signature, [public])


def wire(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def armored(raw: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(raw) + b"-----END SSH SIGNATURE-----\n"
