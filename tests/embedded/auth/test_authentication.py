"""Who is who over HTTPS: certificate, token, nobody, and acting as somebody else."""

import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
async def server(bare_embedded_cluster: EmbeddedCluster) -> AsyncIterator[Server]:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        yield server


@pytest.fixture
async def stranger(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts the server and brings no certificate."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=_authority(server))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(server.url, connector=connector) as session:
        yield session


def _authority(server: Server) -> str:
    [der] = server.tls.get_ca_certs(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der)


async def test_the_kubeconfigs_certificate_is_the_administrator(server: Server) -> None:
    _, answer = await server.send("POST", WHO, {})
    info = answer["status"]["userInfo"]
    assert info["username"] == "trueup-admin"
    assert "system:masters" in info["groups"]


async def test_without_credentials_one_is_anonymous_and_sees_health_alone(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/readyz") as response:
        assert (response.status, await response.text()) == (200, "ok")
    async with stranger.get("/api/v1/namespaces") as response:
        answer = await response.json()
    assert response.status == 403
    assert answer["message"].startswith('namespaces is forbidden: User "system:anonymous" cannot list resource')


async def test_a_wrong_token_is_unauthorized_not_anonymous(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/readyz", headers={"Authorization": "Bearer nonsense"}) as response:
        answer = await response.json()
    assert (response.status, answer["reason"], answer["message"]) == (401, "Unauthorized", "Unauthorized")


async def test_a_requested_token_is_the_account_until_the_account_goes(
    server: Server, stranger: aiohttp.ClientSession, namespace_name: str
) -> None:
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
    accounts = f"/api/v1/namespaces/{namespace_name}/serviceaccounts"
    await server.send("POST", accounts, {"metadata": {"name": "runner"}})
    status, answer = await server.send("POST", f"{accounts}/runner/token", {"spec": {"expirationSeconds": 600}})
    assert status == 201
    headers = {"Authorization": f"Bearer {answer['status']['token']}"}
    async with stranger.post(WHO, json={}, headers=headers) as response:
        info = (await response.json())["status"]["userInfo"]
    assert info["username"] == f"system:serviceaccount:{namespace_name}:runner"
    await server.send("DELETE", f"{accounts}/runner")
    async with stranger.post(WHO, json={}, headers=headers) as response:
        assert response.status == 401


async def test_only_who_may_impersonate_acts_as_another(server: Server, stranger: aiohttp.ClientSession) -> None:
    _, answer = await server.send("POST", WHO, {}, Impersonate_User="jane", Impersonate_Group="dev")
    assert answer["status"]["userInfo"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
    async with stranger.post(WHO, json={}, headers={"Impersonate-User": "jane"}) as response:
        answer = await response.json()
    assert response.status == 403
    assert 'cannot impersonate resource "users"' in answer["message"]
    status, answer = await server.send("POST", WHO, {}, Impersonate_Group="dev")
    assert (status, answer["reason"]) == (400, "BadRequest")


async def test_a_certificate_of_another_authority_is_not_accepted(
    bare_embedded_cluster: EmbeddedCluster, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from trueup.embedded.auth.certificates import Authority

    folder = tmp_path_factory.mktemp("other")
    pair = Authority.in_folder(folder).client("trueup-admin", ["system:masters"])
    (folder / "pair.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.create_default_context(cadata=_authority(server))
    context.load_cert_chain(folder / "pair.pem")
    with pytest.raises(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.get("/api/v1/namespaces"),
        ):
            pass
