"""Which hosts are a cloud's own: what it gave is shown to no other, wherever a source's URL leads. Pure.

The registries' names: https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html,
https://learn.microsoft.com/azure/container-registry/, https://cloud.google.com/artifact-registry/docs/docker/names.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from trueup.model.errors import InvalidInput
from trueup.sources.oci.address import OciAddress

PUBLIC_ECR = "public.ecr.aws"
_AWS = r"amazonaws\.com(?:\.cn)?|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov"
_ECR = re.compile(rf"[0-9]+\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:{_AWS})")
_STS = re.compile(rf"(?:[a-z0-9.-]+\.)?sts(?:-fips)?(?:\.[a-z0-9-]+)?(?:\.vpce)?\.(?:{_AWS})")
_ACR = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|de|us)")
_GOOGLE = re.compile(r"(?:[a-z0-9-]+\.)*gcr\.io|[a-z0-9-]+-docker\.pkg\.dev")
_BLOBS = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:blob|privatelink\.blob)\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)"
)
_CODECOMMIT = re.compile(r"(?:[a-z0-9-]+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)(?:\.vpce)?\.amazonaws\.com(?:\.cn)?")
_GIT_OF_AZURE = re.compile(r"dev\.azure\.com|[a-z0-9-]+\.visualstudio\.com")


def ecr_region(address: OciAddress) -> str:
    """Raises InvalidInput for a host that is no registry of AWS."""
    if address.host == PUBLIC_ECR:
        return "us-east-1"  # where its tokens are given, whoever asks
    if (found := _ECR.fullmatch(address.host)) is None:
        raise _strange(address.host, "aws", "ACCOUNT.dkr.ecr.REGION.amazonaws.com")
    return found[1]


def check_acr(address: OciAddress) -> str:
    """The scope of a token for it."""
    if _ACR.fullmatch(address.host) is None:
        raise _strange(address.host, "azure", "NAME.azurecr.io")
    managements = {"cn": "management.chinacloudapi.cn", "us": "management.usgovcloudapi.net"}
    return f"https://{managements.get(address.host.rpartition('.')[2], 'management.azure.com')}/.default"


def check_google(address: OciAddress) -> None:
    if _GOOGLE.fullmatch(address.host) is None:
        raise _strange(address.host, "gcp", "REGION-docker.pkg.dev or gcr.io")


def check_sts(endpoint: str) -> None:
    """A token of ours goes to AWS alone, whatever a source names."""
    parts = urlsplit(endpoint)
    good = parts.scheme == "https" and _STS.fullmatch(parts.hostname or "") and not (parts.query or parts.username)
    if not good or parts.path not in ("", "/") or parts.port not in (None, 443):
        raise InvalidInput(
            f"{endpoint!r} is not an endpoint of AWS's Security Token Service",
            field="spec.sts.endpoint",
            hint="write https://sts.REGION.amazonaws.com",
        )


def check_blobs(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or _BLOBS.fullmatch(parts.hostname or "") is None:
        raise _strange(endpoint.partition("?")[0], "azure", "https://ACCOUNT.blob.core.windows.net", "spec.endpoint")


def check_google_storage(endpoint: str) -> None:
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    host = parts.hostname or ""
    if parts.scheme != "https" or not (host == "storage.googleapis.com" or host.endswith(".googleapis.com")):
        raise _strange(endpoint.partition("?")[0], "gcp", "storage.googleapis.com", "spec.endpoint")


def check_git_of_azure(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or _GIT_OF_AZURE.fullmatch(parts.hostname or "") is None:
        raise _strange(
            parts.hostname or "the URL", "azure", "https://dev.azure.com/ORGANISATION/PROJECT/_git/REPOSITORY"
        )


def codecommit_region(url: str) -> str:
    """Raises InvalidInput for a URL that is not of AWS CodeCommit."""
    parts = urlsplit(url)
    found = _CODECOMMIT.fullmatch(parts.hostname or "")
    if parts.scheme != "https" or found is None or parts.port not in (None, 443):
        raise _strange(
            parts.hostname or "the URL", "aws", "https://git-codecommit.REGION.amazonaws.com/v1/repos/REPOSITORY"
        )
    return found[1]


def _strange(host: str, provider: str, wanted: str, field: str = "spec.url") -> InvalidInput:
    return InvalidInput(
        f"{host} is not of the provider {provider}, so it is not shown a credential of that cloud",
        field=field,
        hint=f"write {wanted}, or use provider generic with a Secret",
    )
