"""Registries that want to know who we are: passwords, tokens, certificates; and nobody else learns it."""

from __future__ import annotations

import base64
import datetime
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from msgspec import Struct, field

from tests.peers.certs import Authority
from tests.peers.registry import PASSWORD, SERVICE, USER, Registry, TokenAuth, running_registry
from tests.sources.oci.kit import Kit, contents, oci, secret
from tests.sources.webserver import web_server
from tests.support.ocipush import Pusher
from trueup.model.errors import AuthenticationFailed, InvalidInput, NotBuiltYet, SourceError
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.http import AddressRefused
from trueup.sources.oci.address import parse_address
from trueup.sources.oci.authorization import Challenge, read_challenges
from trueup.sources.oci.credentials import ANONYMOUS, login_for
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets

FILES = {"a": "1\n"}


class TokenService(Struct):
    """A token service of the tests: it counts who asked, and can be told to fail."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    status: int = 200
    expires_in: int = 300
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate | None = None

    def __post_init__(self) -> None:
        self.certificate = _certificate(self.key)

    @property
    def pem(self) -> bytes:
        assert self.certificate is not None
        return self.certificate.public_bytes(Encoding.PEM)

    def token(self, repository: str, *actions: str) -> str:
        assert self.certificate is not None
        certificate = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        now = int(time.time())
        parts = [
            {"typ": "JWT", "alg": "ES256", "x5c": [certificate]},
            {
                "iss": "tests", "sub": USER, "aud": SERVICE, "exp": now + 300, "nbf": now - 30, "iat": now, "jti": "1",
                "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
            },
        ]  # fmt: skip
        text = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    async def answer(self, request: web.Request) -> web.Response:
        given = await request.post() if request.method == "POST" else request.query
        who = request.headers.get("Authorization", "") or str(given.get("refresh_token", ""))
        self.asked.append(who)
        self.scopes.append(str(given.get("scope")))
        good = ("Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), "refresh-me")
        if self.status != 200 or who not in good:
            return web.json_response(
                {"errors": [{"code": "UNAUTHORIZED"}]}, status=self.status if self.status != 200 else 401
            )
        repository = str(given["scope"]).split(":")[1]
        return web.json_response({"token": self.token(repository, "pull"), "expires_in": self.expires_in})


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )  # fmt: skip


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@asynccontextmanager
async def token_registry() -> AsyncIterator[tuple[Registry, TokenService]]:
    service = TokenService()
    async with web_server(service.answer) as server:
        service.url = server.url
        pem = service.pem
        async with running_registry(token=TokenAuth(f"{server.url}/token", "tests", pem)) as registry:
            yield registry, service


def docker(text: bytes) -> SourceSecrets:
    return SourceSecrets(auth=SecretData("kubernetes.io/dockerconfigjson", {".dockerconfigjson": text}))


@pytest.mark.real
async def test_a_registry_with_passwords_wants_the_right_one(kit: Kit) -> None:
    async with running_registry(password=True) as registry:
        url = f"oci://{registry.host}/team/web"
        await Pusher(registry.url, "team/web", login=f"{USER}:{PASSWORD}").files("v1", FILES)
        with pytest.raises(AuthenticationFailed, match="without credentials"):
            await kit.fetch(oci(url, tag="v1"))
        for secrets in (
            docker(registry.docker_config()),
            SourceSecrets(auth=secret(username=USER, password=PASSWORD)),
            SourceSecrets(pull=(secret(other="x"), docker(registry.docker_config()).auth)),
            SourceSecrets(argo=secret(username=USER, password=PASSWORD)),
        ):
            assert contents(await kit.fetch(oci(url, tag="v1"), secrets)) == FILES
        wrong = docker(registry.docker_config(password="S3CRET"))
        with pytest.raises(AuthenticationFailed, match="with these credentials") as refusal:
            await kit.fetch(oci(url, tag="v1"), wrong)
        assert "S3CRET" not in str(refusal.value)


@pytest.mark.real
async def test_what_one_was_given_another_is_not_shown(kit: Kit) -> None:
    async with running_registry(password=True) as registry:
        source = oci(f"oci://{registry.host}/team/web", tag="v1")
        await Pusher(registry.url, "team/web", login=f"{USER}:{PASSWORD}").files("v1", FILES)
        mine = await kit.fetch(source, docker(registry.docker_config()))
    assert await kit.fetcher.reopen(source, NO_SECRETS, mine.revision) is None
    assert await kit.fetcher.reopen(source, docker(registry.docker_config()), mine.revision) is not None


@pytest.mark.real
async def test_a_token_is_fetched_once_for_pulling_from_one_repository_and_again_when_it_ends(kit: Kit) -> None:
    async with token_registry() as (registry, service):
        source = oci(f"oci://{registry.host}/team/web", tag="v1")
        await Pusher(registry.url, "team/web", bearer=service.token("team/web", "push", "pull")).files("v1", FILES)
        secrets = docker(registry.docker_config())
        assert contents(await kit.fetch(source, secrets)) == FILES
        await kit.fetch(source, secrets)
        assert service.scopes == ["repository:team/web:pull"]
        kit.clock += 295
        await kit.fetch(source, secrets)
        assert len(service.asked) == 2
        identity = json.dumps({"auths": {registry.host: {"identitytoken": "refresh-me"}}}).encode()
        assert contents(await kit.fetch(source, docker(identity))) == FILES
        assert service.asked[-1] == "refresh-me"


@pytest.mark.real
async def test_a_token_service_that_refuses_or_is_down_is_named(kit: Kit) -> None:
    async with token_registry() as (registry, service):
        source = oci(f"oci://{registry.host}/team/web", tag="v1")
        with pytest.raises(AuthenticationFailed, match=r"token service .* refuses anonymous access with 401"):
            await kit.fetch(source)
        service.status = 500
        with pytest.raises(SourceError, match=r"token service .* answers 500"):
            await kit.fetch(source, docker(registry.docker_config()))
    pem = service.pem
    async with running_registry(token=TokenAuth(f"{service.url}/token", "tests", pem)) as registry:
        with pytest.raises(Unreachable, match="/token cannot be reached"):
            await kit.fetch(oci(f"oci://{registry.host}/team/web", tag="v1"), docker(registry.docker_config()))


@pytest.mark.real
async def test_tls_is_trusted_by_the_source_s_own_authority(kit: Kit) -> None:
    async with running_registry(tls=True, password=True) as registry:
        host = registry.host
        source = oci(f"oci://{host}/team/web", tag="v1")
        await Pusher(registry.url, "team/web", login=f"{USER}:{PASSWORD}").files("v1", FILES)
        trusted = SourceSecrets(auth=docker(registry.docker_config()).auth, certificates=secret(ca_crt=registry.ca))
        assert contents(await kit.fetch(source, trusted)) == FILES
        assert (
            contents(await kit.fetch(oci(source.url, tag="v1", insecure=True), docker(registry.docker_config())))
            == FILES
        )
        with pytest.raises(CertificateUntrusted):
            await kit.fetch(source, docker(registry.docker_config()))


async def test_a_password_is_not_sent_to_a_token_service_without_tls_by_a_registry_with_it(
    kit: Kit, tmp_path: Path
) -> None:
    authority = Authority()

    async def challenge(request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:9/token"'})

    async with web_server(challenge, authority=authority, folder=tmp_path) as server:
        host = server.url.removeprefix("https://")
        secrets = SourceSecrets(
            auth=secret(username="u", password="p"), certificates=secret(ca_crt=authority.keys.certificate)
        )
        with pytest.raises(AddressRefused, match="without TLS"):
            await kit.fetch(oci(f"oci://{host}/a/b", tag="v1"), secrets)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Bearer realm="https://a/t",service="s",scope="x"', Challenge("bearer", "https://a/t", "s")),
        ("Bearer realm=https://a/t, service=s", Challenge("bearer", "https://a/t", "s")),
        ('basic realm="a \\"b\\""', Challenge("basic", 'a "b"')),
    ],
)
def test_a_challenge_is_read_in_every_spelling(header: str, challenge: Challenge) -> None:
    assert read_challenges([header]) == (challenge,)


def test_several_challenges_in_one_header_are_several() -> None:
    header = 'Negotiate, Basic realm="x", Bearer realm="https://a", service="s"'
    assert [one.scheme for one in read_challenges([header])] == ["basic", "bearer"]


def auths(**by_host: str) -> SourceSecrets:
    rows = {host: {"username": name, "password": "p"} for host, name in by_host.items()}
    return docker(json.dumps({"auths": rows}).encode())


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("oci://ghcr.io/org/app", "app"),
        ("oci://ghcr.io/org/other", "org"),
        ("oci://ghcr.io/org/app/chart", "app"),
        ("oci://ghcr.io/organ/app", "host"),
        ("oci://ghcr.io/other", "host"),
        ("oci://a.reg.example/x", "pattern"),
        ("oci://named.reg.example/x", "named"),
        ("oci://a.b.reg.example/x", ""),
        ("oci://reg.example:5000/x", "port"),
        ("oci://reg.example/x", ""),
        ("oci://docker.io/redis", "hub"),
        ("oci://index.docker.io/org/redis", "hub"),
    ],
)
def test_the_entry_that_fits_best_is_used_as_a_kubelet_would(url: str, user: str) -> None:
    rows = {
        "ghcr.io": "host", "https://ghcr.io/org": "org", "ghcr.io/org/app/": "app", "*.reg.example": "pattern",
        "named.reg.example": "named", "reg.example:5000": "port", "https://index.docker.io/v1/": "hub",
    }  # fmt: skip
    assert login_for(parse_address(url), auths(**rows)).username == user


def test_the_older_form_of_pull_secrets_is_read_too() -> None:
    text = json.dumps({"reg.example": {"auth": base64.b64encode(b"u:p:q").decode()}}).encode()
    secrets = SourceSecrets(auth=SecretData("kubernetes.io/dockercfg", {".dockercfg": text}))
    login = login_for(parse_address("oci://reg.example/x"), secrets)
    assert (login.username, login.password) == ("u", "p:q")
    assert "p:q" not in repr(login)
    assert login_for(parse_address("oci://other.example/x"), secrets) == ANONYMOUS


@pytest.mark.parametrize(
    ("data", "error", "named"),
    [
        ({".dockerconfigjson": b"{"}, InvalidInput, ".dockerconfigjson"),
        ({".dockerconfigjson": b'{"auths": {"reg.example": {"auth": "S3CRET!"}}}'}, InvalidInput, "reg.example"),
        ({".dockerconfigjson": b'{"credHelpers": {"reg.example": "ecr-login"}}'}, NotBuiltYet, "ecr-login"),
        ({".dockerconfigjson": b'{"credsStore": "desktop"}'}, NotBuiltYet, "desktop"),
        ({"unknown": b"x"}, InvalidInput, ".dockerconfigjson"),
        ({"username": b"\xff"}, InvalidInput, "username"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_not_shown(
    data: dict[str, bytes], error: type[Exception], named: str
) -> None:
    with pytest.raises(error) as refusal:
        login_for(parse_address("oci://reg.example/x"), SourceSecrets(auth=SecretData("Opaque", data)))
    assert named in str(refusal.value)
    assert "S3CRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("oci://GHCR.io/org/app/", "oci://ghcr.io/org/app"),
        ("oci://docker.io/redis", "oci://index.docker.io/library/redis"),
        ("oci://localhost:5000/a", "oci://localhost:5000/a"),
        ("oci://[::1]:5000/a__b/c.d-e", "oci://[::1]:5000/a__b/c.d-e"),
    ],
)
def test_an_address_has_one_spelling(url: str, text: str) -> None:
    assert str(parse_address(url)) == text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://ghcr.io/a", "not an OCI address"),
        ("oci://ghcr.io/a:v1", ":v1"),
        ("oci://ghcr.io/a@sha256:00", "@sha256:00"),
        ("oci://ghcr.io/Upper", "lower case"),
        ("oci://ghcr.io/", "not an OCI address"),
        ("oci://ghcr.io/a/../b", "not an OCI address"),
        ("oci://user:S3CRET@ghcr.io/a", "no user or password"),
        ("oci://gh cr.io/a", "not an OCI address"),
    ],
)
def test_what_is_no_address_is_refused(url: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_address(url)
    assert said in str(refusal.value)
    assert "S3CRET" not in str(refusal.value)
