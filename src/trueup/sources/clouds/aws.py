"""AWS, by its own library: the controller's keys by its chain (IRSA, EKS Pod Identity, IMDSv2, environment), an assumed
role's by a ServiceAccount's token, and a registry's password by such keys. Everything here blocks.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from trueup.model.errors import AuthenticationFailed, SourceError
from trueup.sources.clouds.given import AwsKeys
from trueup.sources.giterrors import Unreachable
from trueup.sources.oci.credentials import RegistryLogin

_SECONDS = 10
_LONGEST_SESSION = 64
_BUSY = ("Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable", "InternalFailure")


class Aws:
    """The session of one process: its own credentials are renewed by the library as they run out."""

    def __init__(self) -> None:
        self._session: Any = botocore.session.Session()
        self._own: Any = None

    def own_keys(self) -> AwsKeys:
        """The controller's. Raises AuthenticationFailed where AWS gives it none."""
        try:
            if self._own is None:
                self._own = self._session.get_credentials()
            if self._own is None:
                raise NoCredentialsError
            found = self._own.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            self._own = None
            raise explained(error, "the controller's own identity") from error
        return AwsKeys(access_key=found.access_key, secret_key=found.secret_key, session_token=found.token or "")

    def assumed_keys(self, role: str, session: str, token: str, region: str, endpoint: str = "") -> AwsKeys:
        """A role's, for a token that it trusts (AssumeRoleWithWebIdentity); `session` is what AWS's log will call us."""
        try:
            client = self._client("sts", region, None, endpoint)
            answer = client.assume_role_with_web_identity(
                RoleArn=role, RoleSessionName=session[-_LONGEST_SESSION:], WebIdentityToken=token
            )
        except (BotoCoreError, ClientError) as error:
            raise explained(error, f"the role {role}") from error
        return keys_of(answer["Credentials"])

    def registry_login(self, region: str, keys: AwsKeys, *, public: bool) -> tuple[RegistryLogin, float]:
        """ECR's password for these keys, and when it ends."""
        try:
            answer = self._client("ecr-public" if public else "ecr", region, keys, "").get_authorization_token()
        except (BotoCoreError, ClientError) as error:
            raise explained(error, f"ECR in {region}") from error
        data = answer.get("authorizationData") or {}
        row = data if isinstance(data, dict) else data[0]
        try:
            user, _, password = base64.b64decode(row["authorizationToken"], validate=True).decode().partition(":")
            return RegistryLogin(user, password), row["expiresAt"].timestamp()
        except (KeyError, binascii.Error, ValueError, AttributeError):
            raise AuthenticationFailed(f"ECR in {region} answers with something that is not a token") from None

    def _client(self, service: str, region: str, keys: AwsKeys | None, endpoint: str) -> Any:
        retries = {"max_attempts": 2, "mode": "standard"}
        common = {"connect_timeout": _SECONDS, "read_timeout": _SECONDS, "retries": retries}
        config = Config(**common) if keys is not None else Config(**common, signature_version=UNSIGNED)
        signing = (
            {
                "aws_access_key_id": keys.access_key,
                "aws_secret_access_key": keys.secret_key,
                "aws_session_token": keys.session_token or None,
            }
            if keys is not None
            else {}
        )
        more = {"endpoint_url": endpoint} if endpoint else {}
        return self._session.create_client(service, region_name=region, config=config, **signing, **more)


def keys_of(said: dict[str, Any]) -> AwsKeys:
    """STS's `Credentials`."""
    return AwsKeys(
        access_key=said["AccessKeyId"],
        secret_key=said["SecretAccessKey"],
        session_token=said.get("SessionToken", ""),
        expires=said["Expiration"].timestamp(),
    )


def explained(error: Exception, what: str) -> SourceError:
    """What AWS calls the fault; never its request."""
    if isinstance(error, NoCredentialsError):
        return AuthenticationFailed(
            "AWS gives the controller no credentials",
            hint="give its ServiceAccount a role (IRSA or EKS Pod Identity), or name a Secret",
        )
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code = str(said.get("Code", "")) or "no reason"
        if code in _BUSY:
            return SourceError(f"AWS is busy ({code}): {what} is not given")
        return AuthenticationFailed(
            f"AWS refuses {what}: {code}", hint="check the role's trust policy and its permissions"
        )
    if isinstance(error, EndpointConnectionError) or "Connect" in type(error).__name__:
        return Unreachable(f"AWS cannot be reached for {what}", hint="check the region and the way out of the cluster")
    return AuthenticationFailed(f"AWS gives nothing for {what} ({type(error).__name__})")
