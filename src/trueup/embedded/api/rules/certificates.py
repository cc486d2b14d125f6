"""Requests for certificates: who asked, what may be asked for, and that what was asked stays. Nobody signs them here.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
"""

from __future__ import annotations

import base64
import binascii

from trueup.embedded.api import names
from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, at, child
from trueup.embedded.auth.identity import User
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, spec_of

REQUESTS = Resource("certificates.k8s.io", "certificatesigningrequests")
_ASKER = ("username", "uid", "groups", "extra")
_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)


def ask_as(manifest: Manifest, user: User) -> None:
    """Writes down who asks, whatever the request says."""
    spec = child(manifest, "spec")
    for field in _ASKER:
        spec.pop(field, None)
    spec |= user.as_user_info()


def _keep_spec(new: Manifest, old: Manifest) -> None:
    new["spec"] = old.get("spec")


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec = spec_of(manifest)
    problems = []
    if not _is_request(str(spec.get("request") or "")):
        problems.append(invalid_value("spec.request", spec.get("request") or "", _NOT_PEM))
    usages = spec.get("usages") or []
    if not usages:
        problems.append(required("spec.usages", "usages are required"))
    for number, usage in enumerate(usages):
        if usage not in _USAGES:
            problems.append(not_supported(f"spec.usages[{number}]", usage, _USAGES))
    signer = str(spec.get("signerName") or "")
    domain, slash, path = signer.partition("/")
    if not slash or not path or "." not in domain or names.subdomain_problems(domain):
        said = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        problems.append(invalid_value("spec.signerName", signer, said))
    seconds = at(manifest, "spec", "expirationSeconds")
    if isinstance(seconds, int) and seconds < 600:
        said = "may not specify a duration less than 600 seconds (10 minutes)"
        problems.append(invalid_value("spec.expirationSeconds", seconds, said))
    return problems


_NOT_PEM = "PEM block type must be CERTIFICATE REQUEST"


def _is_request(text: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE REQUEST-----" in base64.b64decode(text, validate=True)
    except binascii.Error:
        return False


RULES: dict[Resource, Rules] = {REQUESTS: Rules(prepare_update=_keep_spec, validate_create=_validate)}
