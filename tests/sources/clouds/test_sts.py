"""Keys for a while, from a Security Token Service: the real MinIO's, and answers that are none."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.peers.objectstore import running_object_store
from tests.sources.buckets.kit import Fetching
from tests.sources.webserver import web_server
from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.model.source import BucketSource, TokenService
from trueup.sources.buckets.providers import open_client
from trueup.sources.clouds.aws import Aws
from trueup.sources.clouds.clouds import Clouds
from trueup.sources.clouds.given import AwsKeys
from trueup.sources.clouds.ldap import ldap_keys
from trueup.sources.http import HttpFetcher
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets

CLIENT = "trueup"
ANSWER = """<AssumeRoleWithLDAPIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithLDAPIdentityResult>
<Credentials><AccessKeyId>LDAP</AccessKeyId><SecretAccessKey>s&amp;t</SecretAccessKey><SessionToken>u</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithLDAPIdentityResult></AssumeRoleWithLDAPIdentityResponse>"""
SECRET = SourceSecrets(sts=SecretData("Opaque", {"username": b"ann", "password": b"s3cret"}))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An OpenID provider, as a cluster is one for its ServiceAccounts."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("openid-configuration"):
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one"}
        key |= {"n": _encoded(numbers.n.to_bytes(256, "big")), "e": _encoded(numbers.e.to_bytes(3, "big"))}
        return web.json_response({"keys": [key]})

    def token(self, audience: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "sub": "system:serviceaccount:shop:puller", "exp": now + 3600}
        head = {"alg": "RS256", "typ": "JWT", "kid": "one"}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{_encoded(self.key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


@pytest.mark.real
async def test_the_real_minio_gives_keys_for_a_token_and_a_bucket_is_read_with_them(tmp_path: Path) -> None:
    issuer = Issuer()
    async with web_server(issuer.answer) as web_issuer:
        issuer.url = web_issuer.url
        settings = {
            "MINIO_IDENTITY_OPENID_CONFIG_URL": f"{issuer.url}/.well-known/openid-configuration",
            "MINIO_IDENTITY_OPENID_CLIENT_ID": CLIENT,
            "MINIO_IDENTITY_OPENID_CLIENT_SECRET": "unused",
            "MINIO_IDENTITY_OPENID_ROLE_POLICY": "readwrite",
        }
        async with running_object_store(settings=settings) as store:
            await asyncio.to_thread(store.fill, "shop", {"a.yaml": "a: 1\n"})
            digest = hashlib.sha1(CLIENT.encode()).digest()
            role = f"arn:minio:iam:::role/{_encoded(digest)}"

            def assume(audience: str) -> AwsKeys:
                return Aws().assumed_keys(role, "puller.shop", issuer.token(audience), "us-east-1", store.url)

            keys = await asyncio.to_thread(assume, CLIENT)
            assert keys.session_token
            assert keys.expires > time.time()
            source = BucketSource(provider="generic", bucket="shop", endpoint=store.host, insecure=True)

            def listed() -> list[str]:
                client = open_client(source, NO_SECRETS, keys)
                try:
                    return [one.key for one in client.list("")]
                finally:
                    client.close()

            assert await asyncio.to_thread(listed) == ["a.yaml"]
            with pytest.raises(AuthenticationFailed, match="AWS refuses the role"):
                await asyncio.to_thread(assume, "another")
            # Without a directory behind it, it says so in the answer to the question that we put.
            async with HttpFetcher() as http:
                with pytest.raises(SourceError) as caught:
                    await ldap_keys(http, store.url, SECRET)
            assert "InvalidParameterValue" in str(caught.value) or "LDAP" in str(caught.value)
            assert "s3cret" not in str(caught.value)


async def test_a_name_and_password_of_a_directory_become_keys() -> None:
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.query_string == "", "a password is in no URL"
        asked.append({key: str(value) for key, value in (await request.post()).items()})
        return web.Response(text=ANSWER, content_type="application/xml")

    async with web_server(answer) as server, HttpFetcher() as http:
        source = BucketSource(
            provider="generic",
            bucket="shop",
            endpoint="127.0.0.1:1",
            sts=TokenService(provider="ldap", endpoint=server.url),
        )
        keys = await Clouds(http).bucket(source, SECRET)
    assert isinstance(keys, AwsKeys)
    assert (keys.access_key, keys.secret_key, keys.session_token) == ("LDAP", "s&t", "u")
    assert asked == [
        {
            "Action": "AssumeRoleWithLDAPIdentity",
            "Version": "2011-06-15",
            "LDAPUsername": "ann",
            "LDAPPassword": "s3cret",
        }
    ]
    assert "s&t" not in repr(keys)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, ANSWER.replace("AccessKeyId", "Code"), AuthenticationFailed),
        (500, "", SourceError),
        (200, "<html>", SourceError),
        (200, "not xml", SourceError),
        (200, '<!DOCTYPE x [<!ENTITY a "b">]>' + ANSWER, SourceError),
    ],
)
async def test_an_answer_that_is_no_credential_is_said_without_the_password(
    status: int, body: str, error: type[SourceError]
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type="application/xml")

    async with web_server(answer) as server, HttpFetcher() as http:
        with pytest.raises(error) as caught:
            await ldap_keys(http, server.url, SECRET)
    assert "s3cret" not in str(caught.value)


async def test_a_token_service_without_a_secret_is_named() -> None:
    async with HttpFetcher() as http:
        with pytest.raises(InvalidInput, match="username and password"):
            await ldap_keys(http, "http://127.0.0.1:1", NO_SECRETS)


async def test_a_token_of_ours_goes_to_no_token_service_but_awss() -> None:
    source = BucketSource(
        provider="aws",
        bucket="shop",
        endpoint="s3.amazonaws.com",
        region="us-east-1",
        sts=TokenService(provider="aws", endpoint="https://evil.example"),
    )
    async with HttpFetcher() as http:
        with pytest.raises(InvalidInput, match="not an endpoint of AWS"):
            await Clouds(http).bucket(source, NO_SECRETS)


async def test_the_fetcher_of_buckets_asks_the_cloud_before_it_opens_one(fetching: Fetching, tmp_path: Path) -> None:
    opened: list[object] = []

    class Asked:
        async def bucket(self, source: BucketSource, secrets: SourceSecrets) -> AwsKeys:
            return AwsKeys(access_key="a", secret_key="b")

    def refuse(source: BucketSource, secrets: SourceSecrets, given: object) -> None:
        opened.append(given)
        raise AuthenticationFailed("no")

    fetching.fetcher._clouds = Asked()
    fetching.fetcher._open = refuse  # type: ignore[assignment]
    with pytest.raises(AuthenticationFailed):
        await fetching.fetcher.fetch(BucketSource(provider="aws", bucket="b", endpoint="e"), NO_SECRETS)
    assert opened == [AwsKeys(access_key="a", secret_key="b")]
