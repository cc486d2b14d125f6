"""MinIO's way from a name and password in a directory to keys of the store (AssumeRoleWithLDAPIdentity).

https://min.io/docs/minio/linux/developers/security-token-service/AssumeRoleWithLDAPIdentity.html. Name and password go
into the body of the request, never into its URL.
"""

from __future__ import annotations

from datetime import datetime
from xml.etree import ElementTree

from yarl import URL

from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.sources.buckets.access import required
from trueup.sources.clouds.given import AwsKeys
from trueup.sources.http import HttpFetcher, HttpLimits, Request
from trueup.sources.httpaccess import http_access
from trueup.sources.secrets import NONE, SourceSecrets

_LIMITS = HttpLimits(size=64 * 1024)
_SPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


async def ldap_keys(http: HttpFetcher, endpoint: str, secrets: SourceSecrets) -> AwsKeys:
    """Raises InvalidInput naming a key of the Secret, AuthenticationFailed, SourceError and what a fetch can."""
    if secrets.sts is NONE:
        raise InvalidInput("the provider ldap needs a Secret with username and password", field="spec.sts.secretRef")
    user, password = required(secrets.sts, "username", "password")
    access = http_access(
        secrets.sts_certificates.data if secrets.sts_certificates is not NONE else None,
        secrets.proxy.data if secrets.proxy is not NONE else None,
    )
    form = {
        "Action": "AssumeRoleWithLDAPIdentity",
        "Version": "2011-06-15",
        "LDAPUsername": user,
        "LDAPPassword": password,
    }
    answer = await http.fetch(Request(url=str(URL(endpoint)), method="POST", form=form, access=access, limits=_LIMITS))
    if answer.status != 200:
        code = _text(answer.body, "Code")
        if answer.status < 500:
            raise AuthenticationFailed(
                f"{endpoint} refuses the name and password with {answer.status}{f' ({code})' if code else ''}",
                hint="check the Secret that spec.sts.secretRef names, and the policies of that name",
            )
        raise SourceError(f"{endpoint} answers {answer.status}{f' ({code})' if code else ''}")
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    access_key, secret_key, token, expires = (_text(answer.body, name) for name in names)
    try:
        ends = datetime.fromisoformat(expires).timestamp()
    except ValueError:
        ends = 0.0
    if not access_key or not secret_key:
        raise SourceError(f"{endpoint} answers with no credentials", hint="spec.sts.endpoint is MinIO's own address")
    return AwsKeys(access_key=access_key, secret_key=secret_key, session_token=token, expires=ends)


def _text(body: bytes, name: str) -> str:
    """Of the first element of that name; empty where it is not there."""
    if b"<!" in body:  # no answer of STS declares a document type, and entities are how XML explodes
        return ""
    try:
        found = ElementTree.fromstring(body).iter(_SPACE + name)  # noqa: S314
        return next((element.text or "" for element in found), "").strip()
    except ElementTree.ParseError:
        return ""
