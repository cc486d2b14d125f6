"""Whom hosts are known by, at Argo CD's paths: what is told, changed and left alone in the two ConfigMaps of a real cluster."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.peers.certs import Authority
from tests.server.api.support import Served, serving
from tests.server.argo.kit import NoController, world_of
from tests.server.keeping.test_placekeeping import OneClient
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.server.access.policy import policy_of
from trueup.server.api.refusals import BadQuery
from trueup.server.argo.knownhosts import Certificate, Selector, listed, with_certificates, with_keys, without_keys
from trueup.server.argo.whole import operations
from trueup.server.keeping.settings import data_of
from trueup.server.world.trees import Trees

__all__ = ["embedded_cluster"]

POLICY = """
p, looker, certificates, get, *, allow
g, boss, role:admin
"""


def key(last: int, kind: str = "ssh-ed25519") -> str:
    """A host key as ssh-keyscan shows it."""
    blob = len(kind).to_bytes(4) + kind.encode() + (32).to_bytes(4) + bytes(31) + bytes([last])
    return base64.b64encode(blob).decode()


def ssh(host: str, last: int, kind: str = "ssh-ed25519", **more: str) -> dict[str, str]:
    data = base64.b64encode(key(last).encode()).decode()
    return {"serverName": host, "certType": "ssh", "certSubType": kind, "certData": data, **more}


KNOWN = f"""# kept by hand
git.example.com ssh-ed25519 {key(1)} a comment
a.example.com,b.example.com ssh-ed25519 {key(2)}
@revoked * ssh-ed25519 {key(3)}
this is no key at all
"""


def selected(text: str, **said: str) -> list[str]:
    return [one.server_name for one in listed(text, {}, Selector(**said))]


def test_a_key_is_one_line_whatever_it_calls_itself() -> None:
    """Else one key of one host could bring a line `@cert-authority *` along."""
    for kind in (f"ssh-ed25519 {key(9)}\n@cert-authority * ssh-ed25519", "ssh ed25519", "x" * 65):
        one = ssh("git.example.com", 1, kind, certData=base64.b64encode(key(1, kind).encode()).decode())
        with pytest.raises(BadQuery, match="no key of the type"):
            with_keys("", [msgspec.convert(one, Certificate)], upsert=True)


def test_lines_are_told_by_any_of_their_names_and_go_only_when_all_of_them_are_meant() -> None:
    assert selected(KNOWN) == ["git.example.com", "a.example.com,b.example.com", "*"]
    assert selected(KNOWN, host_name_pattern="a.*") == ["a.example.com,b.example.com"]
    assert selected(KNOWN, cert_sub_type="ssh-rsa") == []
    assert without_keys(KNOWN, Selector(host_name_pattern="a.*")) == (KNOWN, [])
    text, gone = without_keys(KNOWN, Selector(host_name_pattern="?.example.com"))
    assert [one.server_name for one in gone] == ["a.example.com,b.example.com"]
    assert text == KNOWN.replace(KNOWN.splitlines(keepends=True)[2], "")


def test_a_key_is_replaced_only_when_that_is_said_and_all_other_lines_stay_as_they_are() -> None:
    def given(last: int, **more: str) -> Certificate:
        data = base64.b64encode(key(last).encode()).decode()
        said = {"server_name": "git.example.com", "cert_type": "ssh", "cert_sub_type": "ssh-ed25519", "cert_data": data}
        return Certificate(**(said | more))

    assert with_keys(KNOWN, [given(1)], upsert=False) == KNOWN
    with pytest.raises(BadQuery, match="another ssh-ed25519 key"):
        with_keys(KNOWN, [given(9)], upsert=False)
    lines = with_keys(KNOWN, [given(9)], upsert=True).splitlines()
    assert lines[1] == f"git.example.com ssh-ed25519 {key(9)}"
    assert [lines[0], *lines[2:]] == [line for line in KNOWN.splitlines() if not line.startswith("git.")]
    for wrong, field in (
        ({"cert_sub_type": "ssh-rsa"}, "items[0].certData"),
        ({"cert_data": "%%%"}, "items[0].certData"),
        ({"cert_data": "QUJD"}, "items[0].certData"),
        ({"server_name": "a b"}, "items[0].serverName"),
        ({"server_name": "x\n@cert-authority *"}, "items[0].serverName"),
    ):
        with pytest.raises(BadQuery) as refused:
            with_keys(KNOWN, [given(1, **wrong)], upsert=True)
        assert refused.value.field == field


@pytest.mark.parametrize("host", ["../x", "a b", "", "-a", "a\n"])
def test_a_name_that_is_no_hosts_is_refused(host: str) -> None:
    with pytest.raises(BadQuery):
        with_certificates({}, [Certificate(server_name=host, cert_type="https")], upsert=True)


class Argo:
    def __init__(self, served: Served, client: KubeClient, namespace: str) -> None:
        self.served = served
        self.client = client
        self.namespace = namespace

    async def ask(self, method: str, query: str = "", body: Any = None, who: str = "boss") -> tuple[int, Any]:
        url = f"{self.served.url}/api/v1/certificates{query}"
        async with self.served.client.request(method, url, json=body, headers={"X-User": who}) as answer:
            return answer.status, await answer.json()

    async def data(self, name: str) -> dict[str, str]:
        found = await self.client.get(await self.client.discovery.resource("", "v1", "ConfigMap"), name, self.namespace)
        return data_of(found) if found is not None else {}


@pytest.fixture
async def argo(embedded_cluster: Any) -> AsyncIterator[Argo]:
    namespace = f"certs-{uuid.uuid4().hex[:8]}"
    async with KubeClient(load_config(embedded_cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        world = world_of()
        world.control_namespace = namespace
        async with serving(operations(world, OneClient(client), Trees(), NoController())) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield Argo(served, client, namespace)


async def test_keys_and_certificates_are_added_told_and_taken_away_as_with_argo_cd(argo: Argo) -> None:
    pem = Authority().keys.certificate.decode()
    tls = {"serverName": "git.example.com", "certType": "https", "certData": base64.b64encode(pem.encode()).decode()}
    assert await argo.ask("GET") == (200, {"metadata": {}, "items": []})
    status, made = await argo.ask("POST", "", {"items": [ssh("git.example.com", 1), tls]})
    assert (status, len(made["items"])) == (200, 2)
    assert await argo.data("argocd-tls-certs-cm") == {"git.example.com": pem}
    line = f"git.example.com ssh-ed25519 {key(1)}\n"
    assert await argo.data("argocd-ssh-known-hosts-cm") == {"ssh_known_hosts": line}
    _, told = await argo.ask("GET", who="looker")
    first = told["items"][0]
    assert (first["certType"], first["certSubType"], first["certInfo"][:7]) == ("ssh", "ssh-ed25519", "SHA256:")
    assert "CN=" in told["items"][1]["certInfo"]
    assert not any(one.get("certData") for one in told["items"])
    status, said = await argo.ask("POST", "", {"items": [ssh("new.example.com", 5), ssh("git.example.com", 9)]})
    assert (status, "upsert" in str(said)) == (400, True)
    assert await argo.data("argocd-ssh-known-hosts-cm") == {"ssh_known_hosts": line}
    assert (await argo.ask("POST", "?upsert=true", {"items": [ssh("git.example.com", 9)]}))[0] == 200
    assert (await argo.ask("DELETE"))[0] == 400
    assert (await argo.ask("DELETE", "?hostNamePattern=*&certType=bad"))[0] == 400
    status, gone = await argo.ask("DELETE", "?hostNamePattern=git.*&certType=https")
    assert (status, [one["serverName"] for one in gone["items"]]) == (200, ["git.example.com"])
    assert await argo.data("argocd-tls-certs-cm") == {}
    assert key(9) in (await argo.data("argocd-ssh-known-hosts-cm"))["ssh_known_hosts"]


async def test_only_whoever_may_changes_them_and_what_git_declares_is_changed_there(argo: Argo) -> None:
    one = {"items": [ssh("git.example.com", 1)]}
    assert (await argo.ask("POST", "", one, "looker"))[0] == 403
    assert (await argo.ask("DELETE", "?hostNamePattern=*", who="looker"))[0] == 403
    assert (await argo.ask("GET", who="eve"))[0] == 403
    name = "argocd-ssh-known-hosts-cm"
    mark = {"argocd.argoproj.io/tracking-id": f"base:/ConfigMap:{argo.namespace}/{name}"}
    metadata = {"name": name, "namespace": argo.namespace, "annotations": mark}
    await argo.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})
    status, said = await argo.ask("POST", "", one)
    assert (status, "declared in Git (base)" in str(said)) == (409, True)
