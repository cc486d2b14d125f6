"""Azure Blob Storage, on the real Azurite: keys, SAS tokens, and what refusals say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import AccountSasPermissions, BlobServiceClient, ResourceTypes, generate_account_sas

from tests.peers.azurite import ACCOUNT, KEY, running_azurite
from tests.sources.buckets.kit import Fetching
from tests.sources.helm.kit import texts
from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.source import BucketSource
from trueup.sources.buckets.azure import open_azure
from trueup.sources.buckets.objects import BucketNotFound
from trueup.sources.secrets import SecretData, SourceSecrets

pytestmark = pytest.mark.real


@pytest.fixture
async def account() -> AsyncIterator[str]:
    async with running_azurite() as url:
        yield url


def source(url: str, bucket: str, **more: object) -> BucketSource:
    said = {"provider": "azure", "bucket": bucket, "endpoint": url, "insecure": True, **more}
    return BucketSource(**said)  # type: ignore[arg-type]


def secret(**data: str) -> SourceSecrets:
    return SourceSecrets(auth=SecretData("Opaque", {key: value.encode() for key, value in data.items()}))


def container(url: str, name: str, files: dict[str, str]) -> Any:
    client = BlobServiceClient(url, credential={"account_name": ACCOUNT, "account_key": KEY}).create_container(name)
    for path, text in files.items():
        client.upload_blob(path, text.encode())
    return client


async def test_blobs_are_files_and_only_what_changed_is_downloaded(
    fetching: Fetching, account: str, bucket: str
) -> None:
    client = container(account, bucket, {"apps/a.yaml": "a: 1\n", "apps/b.yaml": "b: 1\n", "c.yaml": "c: 1\n"})
    wanted, keys = source(account, bucket, prefix="apps/"), secret(accountKey=KEY)
    first = await fetching.fetcher.fetch(wanted, keys)
    assert texts(first) == {"apps/a.yaml": "a: 1\n", "apps/b.yaml": "b: 1\n"}
    assert await fetching.fetcher.fetch(wanted, keys, known=first) is first
    client.upload_blob("apps/b.yaml", b"b: 2\n", overwrite=True)
    fetching.asked.clear()
    second = await fetching.fetcher.fetch(wanted, keys, known=first)
    assert fetching.asked == [".sourceignore", "list apps/", "apps/b.yaml"]
    assert texts(second)["apps/b.yaml"] == "b: 2\n"

    token = generate_account_sas(
        ACCOUNT, KEY, ResourceTypes(container=True, object=True), AccountSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    assert texts(await fetching.fetcher.fetch(wanted, secret(sasKey=f"?{token}"))) == texts(second)

    wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmc="
    with pytest.raises(AuthenticationFailed) as refused:
        await fetching.fetcher.fetch(wanted, secret(accountKey=wrong))
    assert wrong not in str(refused.value)
    with pytest.raises(BucketNotFound, match="nowhere"):
        await fetching.fetcher.fetch(source(account, "nowhere"), keys)


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ({}, InvalidInput, "accountKey, sasKey"),
        ({"tenantId": "x", "clientId": "y"}, InvalidInput, "clientSecret"),
        ({"tenantId": "x"}, InvalidInput, "clientId"),
        ({"tenantId": "x", "clientId": "y", "clientCertificate": "nonsense"}, InvalidInput, "certificate"),
    ],
)
def test_a_secret_that_cannot_be_used_names_the_key(data: dict[str, str], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        open_azure(source("http://127.0.0.1:1/account", "shop"), secret(**data))


def test_a_service_principal_is_made_without_asking_anybody() -> None:
    keys = secret(tenantId="11111111-1111-1111-1111-111111111111", clientId="x", clientSecret="y")
    client = open_azure(source("https://127.0.0.1:1/account", "shop"), keys)
    assert type(client._credential).__name__ == "ClientSecretCredential"
    client.close()
    with pytest.raises(InvalidInput, match="HTTPS"):
        open_azure(source("http://127.0.0.1:1/account", "shop"), keys)


def test_an_endpoint_is_a_url_and_http_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match="is a URL"):
        open_azure(source("account.blob.core.windows.net", "shop"), secret(accountKey=KEY))
    with pytest.raises(InvalidInput, match="insecure"):
        open_azure(source("http://127.0.0.1:1/account", "shop", insecure=False), secret(accountKey=KEY))
