"""AWS CodeCommit: the name and password that Git shows, made of AWS's keys by a signature that holds for fifteen minutes.

https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html (what `aws codecommit credential-helper`
does); the signature is Signature Version 4 of a request with the method GIT.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trueup.sources.clouds.given import AwsKeys, GitLogin


def git_login(url: str, region: str, keys: AwsKeys, now: float) -> GitLogin:
    """`now` in seconds since the epoch."""
    parts = urlsplit(url)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    signer = SigV4Auth(Credentials(keys.access_key, keys.secret_key), "codecommit", region)
    request = AWSRequest(method="GIT", url=url)
    request.context["timestamp"] = stamp
    canonical = f"GIT\n{parts.path}\n\nhost:{parts.hostname}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    name = f"{keys.access_key}%{keys.session_token}" if keys.session_token else keys.access_key
    return GitLogin(username=name, password=f"{stamp}Z{signature}")
