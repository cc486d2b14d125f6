"""Google Cloud: its library against a server that speaks its documented exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.sources.webserver import WebServer, web_server
from trueup.model.errors import AuthenticationFailed
from trueup.model.refs import ObjectRef
from trueup.model.source import BucketSource
from trueup.sources.buckets.providers import open_client
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.clouds.clouds import Clouds
from trueup.sources.clouds.given import AccessToken
from trueup.sources.clouds.google import Endpoints, Google
from trueup.sources.http import HttpFetcher
from trueup.sources.oci.address import parse_address
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.secrets import NO_SECRETS, SourceSecrets

PROVIDER = "projects/1/locations/global/workloadIdentityPools/p/providers/x"
EMAIL = "puller@shop-1.iam.gserviceaccount.com"


class GoogleServer:
    """What Google answers, and what it was asked."""

    def __init__(self) -> None:
        self.exchanged: list[dict[str, str]] = []
        self.impersonated: list[str] = []
        self.refuse = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        flavour = {"Metadata-Flavor": "Google"}
        if request.path.startswith("/computeMetadata/v1/"):
            assert request.headers["Metadata-Flavor"] == "Google"
            if request.path.endswith("/token"):
                row = {"access_token": "node", "expires_in": 3600, "token_type": "Bearer"}
                return web.json_response(row, headers=flavour)
            if "service-accounts" in request.path:
                return web.json_response({"email": EMAIL, "scopes": []}, headers=flavour)
            tail = request.path.rpartition("/")[2]
            known = {"project-id": "shop-1", "cluster-location": "europe-west3", "cluster-name": "prod"}
            return web.Response(text=known.get(tail, ""), headers=flavour)
        if request.path == "/":
            return web.Response(headers=flavour)
        if request.path.endswith(":generateAccessToken"):
            self.impersonated.append(request.headers["Authorization"])
            return web.json_response({"accessToken": "impersonated", "expireTime": "2999-01-01T00:00:00Z"})
        self.exchanged.append({key: str(value) for key, value in (await request.post()).items()})
        if self.refuse:
            return web.json_response({"error": "invalid_grant", "error_description": "no"}, status=400)
        return web.json_response(
            {"access_token": "federated", "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "x"}
        )


@pytest.fixture
def google() -> GoogleServer:
    return GoogleServer()


@pytest.fixture
async def server(google: GoogleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[WebServer]:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    async with web_server(google.answer) as running:
        host = running.url.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        monkeypatch.setenv("GCE_METADATA_IP", host)
        yield running


class Tokens:
    def __init__(self) -> None:
        self.audiences: list[str] = []

    async def __call__(self, account: ObjectRef, audience: str) -> str:
        self.audiences.append(audience)
        return "account-token"


def clouds_of(server: WebServer, http: HttpFetcher, tokens: Tokens) -> Clouds:
    clouds = Clouds(http, tokens)
    clouds._google = Google(Endpoints(sts=f"{server.url}/v1/token", iam=server.url))
    return clouds


def puller(**annotations: str) -> CloudAccount:
    known = {
        "provider": "gcp.auth.fluxcd.io/workload-identity-provider",
        "email": "iam.gke.io/gcp-service-account",
    }
    return CloudAccount(
        namespace="shop", name="puller", annotations={known[key]: text for key, text in annotations.items()}
    )


async def test_an_account_of_any_cluster_is_exchanged_and_stands_for_an_account_of_googles(
    server: WebServer, google: GoogleServer
) -> None:
    tokens = Tokens()
    async with HttpFetcher() as http:
        found = await clouds_of(server, http, tokens).google_token(puller(provider=PROVIDER, email=EMAIL))
    assert found.token == "impersonated"
    assert tokens.audiences == [f"//iam.googleapis.com/{PROVIDER}"]
    assert google.exchanged[0]["subject_token"] == "account-token"
    assert google.exchanged[0]["audience"] == f"//iam.googleapis.com/{PROVIDER}"
    assert google.impersonated == ["Bearer federated"]


async def test_an_account_of_a_cluster_of_googles_is_known_by_the_clusters_pool(
    server: WebServer, google: GoogleServer
) -> None:
    tokens = Tokens()
    async with HttpFetcher() as http:
        found = await clouds_of(server, http, tokens).google_token(puller())
    assert found.token == "federated"
    assert tokens.audiences == ["shop-1.svc.id.goog"]
    place = "https://container.googleapis.com/v1/projects/shop-1/locations/europe-west3/clusters/prod"
    assert google.exchanged[0]["audience"] == f"identitynamespace:shop-1.svc.id.goog:{place}"


async def test_the_controllers_own_token_comes_from_the_metadata_server(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpFetcher() as http:
        clouds = Clouds(http)
        login = await clouds.registry("gcp", parse_address("oci://europe-docker.pkg.dev/p/r/app"), SourceSecrets())
    assert login == RegistryLogin("oauth2accesstoken", "node")


async def test_a_refused_exchange_says_whose_and_shows_no_token(server: WebServer, google: GoogleServer) -> None:
    google.refuse = True
    async with HttpFetcher() as http:
        with pytest.raises(AuthenticationFailed, match="Google refuses ServiceAccount/shop/puller") as caught:
            await clouds_of(server, http, Tokens()).google_token(puller(provider=PROVIDER))
    assert "account-token" not in str(caught.value)


def test_a_bucket_is_opened_with_a_token() -> None:
    source = BucketSource(provider="gcp", bucket="shop", endpoint="127.0.0.1:1", insecure=True)
    client = open_client(source, NO_SECRETS, AccessToken(token="bearer"))
    assert client._client._credentials.token == "bearer"  # type: ignore[attr-defined]
    client.close()
