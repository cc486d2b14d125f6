"""Keyless signatures: a certificate that Fulcio gave for a moment, an entry in Rekor's log that tells when, and a root of trust
by which both are good. Judged by Sigstore's own library; whose identity is taken is the caller's to say. Blocks.

https://docs.sigstore.dev/about/bundle/, https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md. The library wants a
proof of inclusion with every entry, and cosign's older form has only Rekor's signed promise of one; that form is judged by
the promise, as cosign does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import re2  # type: ignore[import-untyped]
from cryptography import x509
from sigstore.errors import Error as SigstoreError
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig, TransparencyLogEntry, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.bundle.v1 import Bundle as BundleModel
from sigstore_models.trustroot.v1 import TrustedRoot as RootModel

from trueup.model.errors import InvalidInput, SourceError
from trueup.model.source import OidcIdentity
from trueup.sources.signatures.signer import SignatureInvalid

ROOT_KEY = "trusted_root.json"
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_USERNAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_UTF8 = 0x0C
_OLD_FORM = "application/vnd.dev.sigstore.bundle+json;version=0.1"


class RootUnknown(SourceError):
    """Sigstore's root of trust could not be fetched."""

    reason = "VerificationError"


class Signer:
    """Who signed, as a certificate says."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.issuer = _issuer(certificate)
        self.subjects = _subjects(certificate)

    def __str__(self) -> str:
        return f"{' or '.join(self.subjects) or 'nobody'} ({self.issuer or 'no issuer'})"


class Keyless:
    """Judges by one root of trust, and takes the signatures of some identities; none said: of anybody."""

    def __init__(self, verifier: Verifier, identities: Sequence[OidcIdentity]) -> None:
        self._verifier = verifier
        self._identities = [(_pattern(one.issuer, "issuer"), _pattern(one.subject, "subject")) for one in identities]

    def detached(self, payload: bytes, signature: str, certificate: str, rekor: str) -> str:
        """cosign's older form: who signed the payload. `rekor` is the annotation of that name. Raises SignatureInvalid."""
        try:
            bundle = _OldBundle(_old_form(signature, certificate, rekor))
            self._verifier.verify_artifact(payload, bundle, self)
        except Exception as error:
            # Whatever the library stumbles over was written by whoever may push: it is no good signature.
            raise SignatureInvalid(_said(error)) from error
        return str(Signer(bundle.signing_certificate))

    def bundle(self, text: bytes) -> tuple[str, str, bytes]:
        """Who signed a bundle's envelope; the envelope's type; what is in it. Raises SignatureInvalid."""
        try:
            bundle = Bundle.from_json(text)
            kind, payload = self._verifier.verify_dsse(bundle, self)
        except Exception as error:
            # Whatever the library stumbles over was written by whoever may push: it is no good signature.
            raise SignatureInvalid(_said(error)) from error
        return str(Signer(bundle.signing_certificate)), kind, payload

    def verify(self, cert: x509.Certificate) -> None:
        """The library's `VerificationPolicy`."""
        signer = Signer(cert)
        if not signer.issuer or not signer.subjects:
            raise VerificationError("the certificate names no issuer and subject")
        for issuer, subject in self._identities:
            if issuer.search(signer.issuer) and any(subject.search(one) for one in signer.subjects):
                return
        if self._identities:
            raise VerificationError(f"{signer} signed it, whom no entry of matchOIDCIdentity means")


def read_root(text: bytes) -> Verifier:
    """Of a Sigstore of one's own: `trusted_root.json`. Raises InvalidInput."""
    try:
        return Verifier(trusted_root=TrustedRoot(RootModel.from_json(text)))
    except (SigstoreError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"the key {ROOT_KEY!r} of the Secret is no root of trust: {_said(error)}",
            field="spec.verify.trustedRootSecretRef",
            hint="write it with `cosign trusted-root create`, or take your Sigstore's",
        ) from error


def public_root() -> Verifier:
    """Of sigstore.dev, kept true by TUF in the user's data folder. Asks the network. Raises RootUnknown."""
    try:
        return Verifier(trusted_root=ClientTrustConfig.production().trusted_root)
    except (SigstoreError, OSError, ValueError) as error:
        raise RootUnknown(
            "the root of trust of sigstore.dev could not be fetched",
            hint="open the way to tuf-repo-cdn.sigstore.dev, or name a Secret in spec.verify.trustedRootSecretRef",
        ) from error


class _Promised(TransparencyLogEntry):
    """An entry with Rekor's signed promise alone."""

    def _validate(self) -> None:
        if self._inner.inclusion_promise is None or not self._inner.integrated_time:
            raise VerificationError("the entry of the log has no promise with a time")

    def _verify(self, keyring: Any) -> None:
        self._verify_set(keyring)


class _OldBundle(Bundle):
    """A signature, its certificate and its promised entry."""

    def _verify(self) -> None:
        material = self._inner.verification_material
        chain = material.x509_certificate_chain
        assert chain is not None
        self._signing_certificate = x509.load_der_x509_certificate(chain.certificates[0].raw_bytes)
        self._log_entry = _Promised(material.tlog_entries[0])


def _old_form(signature: str, certificate: str, rekor: str) -> BundleModel:
    """As a bundle. The annotation: `{SignedEntryTimestamp, Payload: {body, integratedTime, logIndex, logID}}`."""
    said = json.loads(rekor)
    entry = said["Payload"]
    body = json.loads(base64.b64decode(entry["body"], validate=True))
    der = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(_der())
    return BundleModel.from_json(
        json.dumps(
            {
                "mediaType": _OLD_FORM,
                "verificationMaterial": {
                    "x509CertificateChain": {"certificates": [{"rawBytes": _base64(der)}]},
                    "tlogEntries": [
                        {
                            "logIndex": str(int(entry["logIndex"])),
                            "logId": {"keyId": _base64(bytes.fromhex(entry["logID"]))},
                            "kindVersion": {"kind": str(body["kind"]), "version": str(body["apiVersion"])},
                            "integratedTime": str(int(entry["integratedTime"])),
                            "inclusionPromise": {"signedEntryTimestamp": said["SignedEntryTimestamp"]},
                            # The model wants one; `_Promised` judges by the promise and never looks at it.
                            "inclusionProof": {"logIndex": "0", "rootHash": "", "treeSize": "1", "hashes": []},
                            "canonicalizedBody": entry["body"],
                        }
                    ],
                },
                "messageSignature": {"signature": signature},
            }
        )
    )


def _der() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _issuer(certificate: x509.Certificate) -> str:
    newer = _extension(certificate, _ISSUER_V2)
    if len(newer) > 2 and newer[0] == _UTF8 and newer[1] < 0x80 and len(newer) == newer[1] + 2:
        return newer[2:].decode("utf-8", "replace")
    return _extension(certificate, _ISSUER).decode("utf-8", "replace")


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return b""
    return value.value if isinstance(value, x509.UnrecognizedExtension) else b""


def _subjects(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    plain = [*names.get_values_for_type(x509.RFC822Name), *names.get_values_for_type(x509.UniformResourceIdentifier)]
    others = [one.value for one in names.get_values_for_type(x509.OtherName) if one.type_id == _USERNAME]
    users = [one[2:].decode("utf-8", "replace") for one in others if len(one) > 2 and one[0] == _UTF8]
    return (*map(str, plain), *users)


def _pattern(text: str, what: str) -> Any:
    """Go's regular expressions, as Flux reads them: found anywhere, in linear time."""
    try:
        return re2.compile(text)
    except re2.error as error:
        raise InvalidInput(
            f"{text!r} is no regular expression: {error}", field=f"spec.verify.matchOIDCIdentity[].{what}"
        ) from error


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] if isinstance(error, SigstoreError) and text else f"it cannot be read ({type(error).__name__})"
