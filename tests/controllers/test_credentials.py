"""Which Secrets and lists a source's requests carry."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from trueup.controllers.credentials import ABSENT_SECONDS, SourceCredentials
from trueup.controllers.values import ValueStore
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.model.source import GitReference, GitSource
from trueup.sources.gitfetcher import git_credentials

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def secret(name: str, kind: str, /, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "argocd"}, "data": data}


class Cluster:
    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {ref_of(obj): obj for obj in objects}
        self.asked: list[str] = []
        secrets = [obj for obj in objects if obj["kind"] == "Secret"]
        self.credentials = SourceCredentials(ValueStore(self._get), lambda: secrets)

    async def _get(self, ref: ObjectRef) -> Manifest | None:
        self.asked.append(ref.name)
        return self.objects.get(ref)


def source(url: str) -> GitSource:
    return GitSource(url=url, reference=GitReference(), by_url=True)


TEMPLATE = secret(
    "org", "repo-creds", url="https://git.example.com/org", username="bot", password="p", proxy="http://a"
)


async def test_a_repositorys_own_proxy_goes_with_the_credentials_of_the_template() -> None:
    own = secret("own", "repository", url="https://git.example.com/org/apps", proxy="http://b:3128", username="")
    found = await Cluster(TEMPLATE, own).credentials.find(source("https://git.example.com/org/apps"), fresh=False)
    credentials = git_credentials(found)
    assert credentials is not None
    assert (credentials.username, credentials.password, credentials.proxy) == ("bot", "p", "http://b:3128")


async def test_argo_cds_lists_count_for_the_hosts_that_they_name_alone() -> None:
    cluster = Cluster(
        config_map("argocd-ssh-known-hosts-cm", ssh_known_hosts="git.example.com ssh-ed25519 AAAA\n"),
        config_map("argocd-tls-certs-cm", **{"git.example.com": "PEM"}),
    )

    async def parts(url: str) -> tuple[str, ...]:
        found = git_credentials(await cluster.credentials.find(source(url), fresh=False))
        return found.parts if found is not None else ()

    assert await parts("git@git.example.com:org/apps") == ("known_hosts",)
    assert await parts("https://git.example.com/org/apps") == ("ca_certificate",)
    assert await parts("https://elsewhere.example.com/apps") == ()


async def test_lists_that_are_not_there_cost_one_question_in_a_while() -> None:
    cluster = Cluster()
    for _ in range(5):
        await cluster.credentials.find(source("https://git.example.com/a"), fresh=False)
    assert cluster.asked == ["argocd-tls-certs-cm"]
    await cluster.credentials.find(source("https://git.example.com/a"), fresh=True)
    assert len(cluster.asked) == 2
    assert ABSENT_SECONDS > 60
