"""AWS: its library's chain of credentials, STS and ECR, against a server that speaks their documented exchange."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from msgspec import structs

from tests.sources.webserver import WebServer, web_server
from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.source import GitReference, GitSource
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.clouds.clouds import Clouds
from trueup.sources.clouds.codecommit import git_login
from trueup.sources.clouds.given import AwsKeys
from trueup.sources.clouds.hosts import codecommit_region
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.oci.address import parse_address
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.secrets import SecretData, SourceSecrets

ADDRESS = parse_address("oci://123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app")
ROLE = "arn:aws:iam::123456789012:role/puller"
PULLER = CloudAccount(namespace="shop", name="puller", annotations={"eks.amazonaws.com/role-arn": ROLE})
EXPIRES = "2999-01-01T00:00:00Z"


class Aws:
    """What AWS answers, and what it was asked."""

    def __init__(self) -> None:
        self.assumed: list[dict[str, str]] = []
        self.registry_logins: list[str] = []
        self.refuse = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-Amz-Target", "").endswith("GetAuthorizationToken"):
            self.registry_logins.append(request.headers["Authorization"])
            token = base64.b64encode(b"AWS:registry-password").decode()
            rows = [{"authorizationToken": token, "expiresAt": 32472144000, "proxyEndpoint": "https://x"}]
            return web.json_response({"authorizationData": rows}, content_type="application/x-amz-json-1.1")
        if request.path == "/pod-identity":
            assert request.headers["Authorization"] == "pod-token"
            keys = {"AccessKeyId": "POD", "SecretAccessKey": "s", "Token": "t", "Expiration": EXPIRES}
            return web.json_response(keys)
        if request.path == "/latest/api/token":
            assert request.method == "PUT", "the token of IMDSv2"
            return web.Response(text="imds-token")
        if request.path.startswith("/latest/meta-data/iam/security-credentials/"):
            assert request.headers["x-aws-ec2-metadata-token"] == "imds-token"
            if request.path.endswith("/"):
                return web.Response(text="node-role")
            keys = {
                "Code": "Success",
                "AccessKeyId": "NODE",
                "SecretAccessKey": "s",
                "Token": "t",
                "Expiration": EXPIRES,
                "LastUpdated": "2020-01-01T00:00:00Z",
                "Type": "AWS-HMAC",
            }
            return web.json_response(keys)
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        self.assumed.append(form)
        space = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
        if self.refuse:
            error = (
                f"<ErrorResponse {space}><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
            )
            return web.Response(status=403, text=error, content_type="text/xml")
        keys_text = (
            "<AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        )
        text = (
            f"<AssumeRoleWithWebIdentityResponse {space}><AssumeRoleWithWebIdentityResult><Credentials>{keys_text}"
            f"<Expiration>{EXPIRES}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        )
        return web.Response(text=text, content_type="text/xml")


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
async def server(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[WebServer]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with web_server(aws.answer) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", running.url)
        yield running


class Tokens:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, account: ObjectRef, audience: str) -> str:
        self.asked.append((str(account), audience))
        return "account-token"


async def login(secrets: SourceSecrets, tokens: Tokens | None = None) -> RegistryLogin | None:
    async with HttpFetcher() as http:
        return await Clouds(http, tokens or Tokens()).registry("aws", ADDRESS, secrets)


async def test_a_service_accounts_role_logs_in_at_ecr(server: WebServer, aws: Aws) -> None:
    tokens = Tokens()
    found = await login(SourceSecrets(identity=PULLER), tokens)
    assert found == RegistryLogin("AWS", "registry-password")
    assert tokens.asked == [("ServiceAccount/shop/puller", "sts.amazonaws.com")]
    (asked,) = aws.assumed
    assert asked["Action"] == "AssumeRoleWithWebIdentity"
    assert (asked["RoleArn"], asked["WebIdentityToken"]) == (ROLE, "account-token")
    assert asked["RoleSessionName"] == "puller.shop.eu-central-1.trueup"
    assert "Credential=ASSUMED/" in aws.registry_logins[0]
    assert "/eu-central-1/ecr/aws4_request" in aws.registry_logins[0]


async def test_what_was_given_is_kept_while_it_holds_and_equal_questions_are_one(server: WebServer, aws: Aws) -> None:
    clock = [1_000_000.0]
    async with HttpFetcher() as http:
        clouds = Clouds(http, Tokens(), clock=lambda: clock[0])
        wanted = SourceSecrets(identity=PULLER)
        await asyncio.gather(*(clouds.registry("aws", ADDRESS, wanted) for _ in range(5)))
        assert (len(aws.assumed), len(aws.registry_logins)) == (1, 1)
        clock[0] += 3601
        await clouds.registry("aws", ADDRESS, wanted)
        assert (len(aws.assumed), len(aws.registry_logins)) == (2, 2), "never longer than an hour"


async def test_the_controllers_own_role_comes_from_its_web_identity_token(
    server: WebServer, aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("pod-web-identity")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    assert await login(SourceSecrets()) == RegistryLogin("AWS", "registry-password")
    assert aws.assumed[0]["WebIdentityToken"] == "pod-web-identity"
    assert "Credential=ASSUMED/" in aws.registry_logins[0]


async def test_the_controllers_own_role_comes_from_pod_identity(
    server: WebServer, aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("pod-token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/pod-identity")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    await login(SourceSecrets())
    assert "Credential=POD/" in aws.registry_logins[0]


async def test_the_controllers_own_role_comes_from_the_node_by_a_token_of_imds(
    server: WebServer, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
    await login(SourceSecrets())
    assert "Credential=NODE/" in aws.registry_logins[0]


async def test_a_machine_outside_of_aws_is_told_what_is_missing(server: WebServer) -> None:
    with pytest.raises(AuthenticationFailed, match="AWS gives the controller no credentials"):
        await login(SourceSecrets())


async def test_a_role_that_does_not_trust_the_account_is_named(server: WebServer, aws: Aws) -> None:
    aws.refuse = True
    with pytest.raises(AuthenticationFailed, match=f"AWS refuses the role {ROLE}: AccessDenied") as caught:
        await login(SourceSecrets(identity=PULLER))
    assert "account-token" not in str(caught.value)


async def test_a_secret_goes_before_the_cloud(server: WebServer, aws: Aws) -> None:
    secret = SecretData("Opaque", {"username": b"me", "password": b"mine"})
    assert await login(SourceSecrets(auth=secret)) is None
    assert aws.registry_logins == []


async def test_nobody_is_asked_for_a_host_that_is_not_of_aws(server: WebServer, aws: Aws) -> None:
    async with HttpFetcher() as http:
        with pytest.raises(InvalidInput, match="not shown a credential"):
            await Clouds(http).registry("aws", parse_address("oci://evil.example/app"), SourceSecrets())
    assert aws.assumed == []


def test_no_credential_is_in_what_is_printed() -> None:
    secrets = SourceSecrets(identity=PULLER)
    assert json.dumps(repr(secrets)).count("role-arn") == 1


@pytest.mark.parametrize(
    ("host", "signature"),
    [
        ("git-codecommit.us-east-1.amazonaws.com", "7dc259e2d505af354a1219b9bcd784bd384dc706efa0d9aefc571f214be4c89c"),
        (
            "git-codecommit-fips.us-east-1.amazonaws.com",
            "500037cb3514b3fe01ebcda7c80973f5b4c0d8199a7a6563b85fd6edf272d460",
        ),
        (
            "vpce-0b47ea360adebf88a-jkl88hez.git-codecommit.us-east-1.vpce.amazonaws.com",
            "9ed987cc6336c3de2d9f06b9236c7a9fd76b660b080db15983290e636dbfbd6b",
        ),
    ],
)
def test_the_password_for_codecommit_is_that_of_awss_own_credential_helper(host: str, signature: str) -> None:
    """The values that AWS's command line gives for these hosts, keys and this time; its path there has two slashes."""
    url = f"https://{host}//v1/repos/myrepo"
    then = datetime(2010, 10, 8, tzinfo=UTC).timestamp()
    keys = AwsKeys(access_key="foo", secret_key="bar")
    login = git_login(url, codecommit_region(url), keys, then)
    assert (login.username, login.password) == ("foo", f"20101008T000000Z{signature}")
    later = git_login(url, "us-east-1", AwsKeys(access_key="foo", secret_key="bar", session_token="t"), then)
    assert later.username == "foo%t"


async def test_git_at_codecommit_is_shown_a_signature_and_no_other_host_is(server: WebServer, tmp_path: Path) -> None:
    async with HttpFetcher() as http:
        fetcher = GitFetcher(
            GitMirrors(tmp_path / "mirrors", allow_local=True), GitHubTokens(http), Clouds(http, Tokens())
        )
        url = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/fleet"
        source = GitSource(url=url, reference=GitReference(), provider="aws")
        found = await fetcher.credentials(source, SourceSecrets(identity=PULLER))
        assert found is not None
        assert found.username == "ASSUMED%t"
        again = structs.replace(found, username="ASSUMED%u", password="another")
        assert again.fingerprint(b"k") == found.fingerprint(b"k"), "the same account, whatever its keys are now"
        for strange in ("https://evil.example/v1/repos/fleet", url.replace("https", "http"), f"{url[:-20]}.evil/x"):
            with pytest.raises(InvalidInput, match="not shown a credential"):
                await fetcher.credentials(structs.replace(source, url=strange), SourceSecrets(identity=PULLER))
