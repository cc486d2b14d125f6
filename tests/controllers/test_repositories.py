"""Which HelmRepository a dependency may use: of its own namespace, by its URL, with its Secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.repositories import KnownRepositories
from trueup.controllers.resources import Resources
from trueup.controllers.values import ValueStore
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.flux.shared import HELM_REPOSITORY
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef


def repository(namespace: str, name: str, url: str, number: int, **spec: Any) -> Manifest:
    return {
        "apiVersion": HELM_REPOSITORY.api_version,
        "kind": "HelmRepository",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"{namespace}-{name}",
            "resourceVersion": str(number),
        },
        "spec": {"url": url, **spec},
    }


async def read(ref: ObjectRef) -> Manifest | None:
    if ref.name != "login":
        return None
    return {"type": "Opaque", "data": {"username": base64.b64encode(b"me").decode()}}


@pytest.fixture
def known() -> KnownRepositories:
    resources = Resources()
    login, missing = {"secretRef": {"name": "login"}}, {"secretRef": {"name": "missing"}}
    for number, obj in enumerate(
        (
            repository("apps", "b", "https://charts.example.com/", 1, **login),
            repository("apps", "c", "https://charts.example.com", 2),
            repository("apps", "a", "not a URL that is allowed", 3),
            repository("apps", "oci", "oci://registry.example.com/charts/", 4, type="oci"),
            repository("apps", "broken", "https://broken.example.com", 5, **missing),
            repository("other", "d", "https://other.example.com", 6),
        ),
        start=1,
    ):
        obj["metadata"]["resourceVersion"] = str(number)
        resources.put(obj)
    credentials = SourceCredentials(ValueStore(read), list)
    return KnownRepositories(resources, {HELM_REPOSITORY.group_kind: FluxDialect()}, credentials)


async def test_the_first_by_name_with_that_url_lends_its_credentials(known: KnownRepositories) -> None:
    found = await known.find("apps", "https://charts.example.com")
    assert found is not None
    assert found[1].auth.data == {"username": b"me"}


async def test_a_slash_at_the_end_makes_no_difference(known: KnownRepositories) -> None:
    assert (await known.find("apps", "oci://registry.example.com/charts")) is not None
    assert (await known.find("apps", "https://charts.example.com/more")) is None


async def test_other_namespaces_lend_nothing(known: KnownRepositories) -> None:
    assert await known.find("apps", "https://other.example.com") is None
    assert await known.find("other", "https://charts.example.com") is None


async def test_a_secret_that_is_not_there_is_told_and_not_left_out(known: KnownRepositories) -> None:
    with pytest.raises(AuthenticationFailed, match="missing"):
        await known.find("apps", "https://broken.example.com")
