"""Azure: Microsoft's library and the exchange of its registry, against a server that speaks their documented exchange."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.peers.certs import Authority
from tests.sources.webserver import WebServer, web_server
from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.source import BucketSource, GitReference, GitSource
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.clouds.acr import acr_login
from trueup.sources.clouds.clouds import Clouds
from trueup.sources.clouds.given import AccessToken
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.http import HttpFetcher
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.mirrors import GitMirrors
from trueup.sources.oci.address import parse_address
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.secrets import SecretData, SourceSecrets

TENANT, CLIENT = "66666666-7777-8888-9999-000000000000", "11111111-2222-3333-4444-555555555555"
PULLER = CloudAccount(
    namespace="shop",
    name="puller",
    annotations={"azure.workload.identity/tenant-id": TENANT, "azure.workload.identity/client-id": CLIENT},
)
EXPIRES = 32472144000
REFRESH = "e30." + base64.urlsafe_b64encode(json.dumps({"exp": EXPIRES}).encode()).decode().rstrip("=") + ".sig"


class Azure:
    """What Azure answers, and what it was asked."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.metadata: list[dict[str, str]] = []
        self.url = ""
        self.refuse = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{TENANT}"
            places = {"token_endpoint": f"{base}/oauth2/v2.0/token", "issuer": f"{base}/v2.0"}
            return web.json_response({**places, "authorization_endpoint": f"{base}/oauth2/v2.0/authorize"})
        if request.path == "/metadata/identity/oauth2/token":
            assert request.headers["Metadata"] == "true"
            self.metadata.append(dict(request.query))
            return web.json_response(
                {"access_token": "managed", "expires_in": "3600", "expires_on": str(EXPIRES), "token_type": "Bearer"}
            )
        self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        if self.refuse:
            return web.json_response({"error": "invalid_client", "error_description": "AADSTS70021"}, status=401)
        if request.path == "/oauth2/exchange":
            return web.json_response({"refresh_token": REFRESH})
        return web.json_response({"access_token": "federated", "expires_in": 3600, "token_type": "Bearer"})


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.fixture
async def server(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[WebServer]:
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.keys.certificate)
    async with web_server(azure.answer, authority=authority, folder=tmp_path) as running:
        azure.url = running.url
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", running.url)
        yield running


async def a_token(account: ObjectRef, audience: str) -> str:
    assert (str(account), audience) == ("ServiceAccount/shop/puller", "api://AzureADTokenExchange")
    return "account-token"


SCOPE = "https://management.azure.com/.default"


async def test_a_service_account_is_an_application_of_azure(server: WebServer, azure: Azure) -> None:
    async with HttpFetcher() as http:
        token = await Clouds(http, a_token).azure_token(PULLER, SCOPE)
    assert token.token == "federated"
    (form,) = azure.forms
    assert (form["client_assertion"], form["client_id"], form["scope"]) == ("account-token", CLIENT, SCOPE)
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def test_the_controllers_own_token_comes_from_workload_identity(
    server: WebServer, azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "federated").write_text("pod-token")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "federated"))
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    async with HttpFetcher() as http:
        token = await Clouds(http).azure_token(SourceSecrets().identity, SCOPE)
    assert token.token == "federated"
    assert azure.forms[0]["client_assertion"] == "pod-token"


async def test_the_controllers_own_token_comes_from_the_machines_identity(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    async with web_server(azure.answer) as running, HttpFetcher() as http:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", running.url)
        found = await Clouds(http).azure_token(SourceSecrets().identity, SCOPE)
        assert found.token == "managed"
        source = BucketSource(provider="azure", bucket="shop", endpoint="https://shop.blob.core.windows.net")
        named = SourceSecrets(auth=SecretData("Opaque", {"clientId": CLIENT.encode()}))
        given = await Clouds(http).bucket(source, named)
        assert isinstance(given, AccessToken)
        assert given.token == "managed"
    assert azure.metadata[-1]["client_id"] == CLIENT
    assert azure.metadata[-1]["resource"] == "https://storage.azure.com"


async def test_a_refused_identity_says_so_and_shows_no_token(server: WebServer, azure: Azure) -> None:
    azure.refuse = True
    async with HttpFetcher() as http:
        with pytest.raises(AuthenticationFailed, match="ServiceAccount/shop/puller") as caught:
            await Clouds(http, a_token).azure_token(PULLER, SCOPE)
    assert "account-token" not in str(caught.value)


async def test_a_token_is_exchanged_for_one_of_the_registry(server: WebServer, azure: Azure, tmp_path: Path) -> None:
    address = parse_address(f"oci://{server.url.removeprefix('https://')}/app")
    access = HttpAccess(ca=(tmp_path / "ca.pem").read_bytes())
    async with HttpFetcher() as http:
        login, ends = await acr_login(http, address, AccessToken(token="entra"), access)
        assert (login, ends) == (RegistryLogin("00000000-0000-0000-0000-000000000000", REFRESH), float(EXPIRES))
        assert azure.forms == [{"grant_type": "access_token", "service": address.host, "access_token": "entra"}]
        azure.refuse = True
        with pytest.raises(AuthenticationFailed, match="401"):
            await acr_login(http, address, AccessToken(token="entra"), access)


async def test_git_at_azure_devops_is_shown_a_bearer_token_and_no_other_host_is(
    server: WebServer, azure: Azure, tmp_path: Path
) -> None:
    secrets = SourceSecrets(identity=PULLER)
    async with HttpFetcher() as http:
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
        fetcher = GitFetcher(mirrors, GitHubTokens(http), Clouds(http, a_token))
        source = GitSource(url="https://dev.azure.com/o/p/_git/r", reference=GitReference(), provider="azure")
        credentials = await fetcher.credentials(source, secrets)
        assert credentials is not None
        assert credentials.bearer_token == "federated"
        assert azure.forms[0]["scope"] == "499b84ac-1321-427f-aa17-267ca6975798/.default"
        strange = GitSource(url="https://evil.example/r", reference=GitReference(), provider="azure")
        with pytest.raises(InvalidInput, match="not shown a credential"):
            await fetcher.credentials(strange, secrets)


def test_a_new_token_is_no_new_owner_of_what_was_fetched() -> None:
    from trueup.sources.credentials import GitCredentials

    first, second = (GitCredentials(bearer_token=text, subject="azure shop/puller") for text in ("one", "two"))
    assert first.fingerprint(b"k") == second.fingerprint(b"k")
