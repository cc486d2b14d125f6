"""OpenPGP signatures that the real gpg made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.signatures.signkit import Gpg
from trueup.sources.signatures import SignatureInvalid, verify_pgp, verify_pgp_cleartext

PAYLOAD = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\na commit\n"


@pytest.fixture(scope="module")
def ann(gpg: Gpg) -> str:
    return gpg.key("ann")


@pytest.fixture(scope="module")
def eve(gpg: Gpg) -> str:
    return gpg.key("eve")


@pytest.fixture(scope="module")
def signed(gpg: Gpg, ann: str) -> bytes:
    return gpg.sign(PAYLOAD, ann)


@pytest.fixture(scope="module")
def ann_public(gpg: Gpg, ann: str) -> bytes:
    return gpg.public("ann")


def test_a_signature_by_a_trusted_key_names_its_signer(gpg: Gpg, ann: str, signed: bytes) -> None:
    signer = verify_pgp(PAYLOAD, signed, [gpg.public("ann")])
    assert (signer.kind, signer.fingerprint, str(signer)) == ("pgp", ann, ann[24:])


@pytest.mark.parametrize("algorithm", ["rsa3072", "nistp256", "nistp384", "nistp521"])
def test_every_common_algorithm_is_understood(gpg: Gpg, algorithm: str) -> None:
    key = gpg.key(algorithm, algorithm=algorithm)
    assert verify_pgp(PAYLOAD, gpg.sign(PAYLOAD, key), [gpg.public(key)]).fingerprint == key


def test_keyrings_may_be_binary_hold_several_keys_and_stand_one_after_another(gpg: Gpg, ann: str, eve: str) -> None:
    signed = gpg.sign(PAYLOAD, ann)
    both = gpg.public("eve", "ann")
    for keys in ([both], [gpg.public("eve") + gpg.public("ann")], [gpg.public("ann", armor=False)], [b"junk", both]):
        assert verify_pgp(PAYLOAD, signed, keys).fingerprint == ann


def test_a_signature_by_another_key_is_refused_by_name(gpg: Gpg, eve: str, ann: str) -> None:
    with pytest.raises(SignatureInvalid, match=f"{eve[24:]}, which is none of the 1 trusted keys"):
        verify_pgp(PAYLOAD, gpg.sign(PAYLOAD, eve), [gpg.public("ann")])


def test_a_changed_text_is_refused(gpg: Gpg, ann: str, signed: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=f"trusted key {ann[24:]} does not hold"):
        verify_pgp(PAYLOAD + b"x", signed, [gpg.public("ann")])


def test_no_keys_at_all_is_said(signed: bytes) -> None:
    for keys in ([], [b""], [b"no key"]):
        with pytest.raises(SignatureInvalid, match="no OpenPGP public key"):
            verify_pgp(PAYLOAD, signed, keys)


def test_what_is_no_signature_is_refused(gpg: Gpg, ann: str) -> None:
    for text in (b"", b"junk", gpg.public("ann"), b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"):
        with pytest.raises(SignatureInvalid):
            verify_pgp(PAYLOAD, text, [gpg.public("ann")])


def test_one_valid_signature_among_several_is_enough(gpg: Gpg, ann: str, eve: str) -> None:
    both = gpg.run("--local-user", eve, "--local-user", ann, "--armor", "--detach-sign", data=PAYLOAD)
    assert verify_pgp(PAYLOAD, both, [gpg.public("ann")]).fingerprint == ann


def test_a_signature_by_a_subkey_counts_for_its_primary_key(gpg: Gpg) -> None:
    primary = gpg.key("sub")
    subkey = gpg.subkey(primary)
    signed = gpg.sign(PAYLOAD, f"{subkey}!")
    assert verify_pgp(PAYLOAD, signed, [gpg.public(primary)]).fingerprint == primary


def test_a_key_that_has_expired_since_is_refused(gpg: Gpg) -> None:
    key = gpg.key("shortlived", expires="2d")
    signed = gpg.sign(PAYLOAD, key)
    assert verify_pgp(PAYLOAD, signed, [gpg.public(key)]).fingerprint == key
    with pytest.raises(SignatureInvalid, match="expired on"):
        verify_pgp(PAYLOAD, signed, [gpg.public(key)], now=datetime(2999, 1, 1, tzinfo=UTC))


def test_a_subkey_that_has_expired_since_is_refused(gpg: Gpg) -> None:
    primary = gpg.key("shortsub")
    subkey = gpg.subkey(primary, expires="2d")
    signed = gpg.sign(PAYLOAD, f"{subkey}!")
    assert verify_pgp(PAYLOAD, signed, [gpg.public(primary)]).fingerprint == primary
    with pytest.raises(SignatureInvalid, match=f"subkey {subkey[24:]} .* expired on"):
        verify_pgp(PAYLOAD, signed, [gpg.public(primary)], now=datetime(2999, 1, 1, tzinfo=UTC))


def test_a_signature_that_has_expired_since_is_refused(gpg: Gpg, ann: str) -> None:
    signed = gpg.sign(PAYLOAD, ann, "--default-sig-expire", "2d")
    assert verify_pgp(PAYLOAD, signed, [gpg.public("ann")]).fingerprint == ann
    with pytest.raises(SignatureInvalid, match="signature itself expired"):
        verify_pgp(PAYLOAD, signed, [gpg.public("ann")], now=datetime(2999, 1, 1, tzinfo=UTC))


def test_a_revoked_key_is_refused_also_when_an_older_copy_is_trusted_beside_it(gpg: Gpg) -> None:
    key = gpg.key("revoked")
    signed, before = gpg.sign(PAYLOAD, key), gpg.public(key)
    certificate = (gpg.home / "openpgp-revocs.d" / f"{key}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg.run("--import", data=certificate.encode())
    for keys in ([gpg.public(key)], [before, gpg.public(key)], [gpg.public(key), before]):
        with pytest.raises(SignatureInvalid):
            verify_pgp(PAYLOAD, signed, keys)


def test_a_signature_over_sha1_is_refused(gpg: Gpg, ann: str) -> None:
    signed = gpg.sign(PAYLOAD, ann, "--digest-algo", "SHA1", "--weak-digest", "MD5")
    with pytest.raises(SignatureInvalid):
        verify_pgp(PAYLOAD, signed, [gpg.public("ann")])


def test_of_a_clear_signed_text_only_what_was_signed_is_answered(gpg: Gpg, ann: str) -> None:
    text = b"name: podinfo\nversion: 6.0.0\n\n...\nfiles:\n- a: sha256:12\n"
    signed = gpg.clearsign(text, ann)
    for around in (signed, b"evil: 1\n" + signed, signed + b"evil: 1\n"):
        content, signer = verify_pgp_cleartext(around, [gpg.public("ann")])
        assert (content.rstrip(b"\n"), signer.fingerprint) == (text.rstrip(b"\n"), ann)


def test_a_clear_signed_text_that_was_changed_or_signed_by_another_is_refused(gpg: Gpg, ann: str, eve: str) -> None:
    signed = gpg.clearsign(b"version: 6.0.0\n", ann)
    for text, keys in ((signed.replace(b"6.0.0", b"6.6.6"), "ann"), (signed, "eve"), (b"version: 6.0.0\n", "ann")):
        with pytest.raises(SignatureInvalid):
            verify_pgp_cleartext(text, [gpg.public(keys)])


def test_no_traceback_of_the_library_reaches_a_message(gpg: Gpg, ann: str, signed: bytes) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify_pgp(b"other", signed, [gpg.public("ann")])
    assert "\n" not in caught.value.message


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_changed_byte_lets_a_signature_pass_for_another_text(
    ann_public: bytes, signed: bytes, data: st.DataObject
) -> None:
    changed = bytearray(signed)
    changed[data.draw(st.integers(0, len(signed) - 1))] ^= data.draw(st.integers(0, 255))
    with pytest.raises(SignatureInvalid):
        verify_pgp(PAYLOAD + b"another", bytes(changed), [ann_public])
