"""A server that a proxy offers below a path, whether the proxy takes that path away or not."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from tests.server.api.support import NamesInHeaders
from tests.server.api.test_dispatch import Handlers, table
from trueup.model.errors import InvalidInput
from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.policy import policy_of
from trueup.server.api.dispatch import Api, unknown_paths
from trueup.server.api.proxies import behind, root_of

BOB = {"X-User": "bob"}


@pytest.mark.parametrize("asked", ["/trueup", ""])
async def test_calls_are_answered_with_the_path_and_without_it(asked: str) -> None:
    api = Api(table(Handlers()), NamesInHeaders(), PolicyAuthority(policy_of({})))
    app = web.Application(middlewares=[unknown_paths("/trueup")])
    for root in ("/trueup", ""):
        api.add_to(app, root)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(f"{asked}/api/trueup/v1/version")
        assert (answer.status, await answer.json()) == (200, {"version": "1"})
        answer = await client.get(f"{asked}/api/trueup/v1/nothing")
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        answer = await client.delete(f"{asked}/api/version", headers=BOB)
        assert (answer.status, (await answer.json())["code"]) == (405, 12)


@pytest.mark.parametrize(
    ("given", "root"), [("", ""), ("/", ""), ("/trueup", "/trueup"), ("trueup/", "/trueup"), ("/a/b-c/", "/a/b-c")]
)
def test_a_path_is_taken_however_it_is_written(given: str, root: str) -> None:
    assert root_of(given) == root
    request = make_mocked_request("GET", "/", headers={"Host": "gitops.example.com"})
    assert behind([], root)(request).origin == f"http://gitops.example.com{root}"


@pytest.mark.parametrize("given", ["/a b", "https://x", "/a?b", "/a//b", "/{x}", "/a%2fb"])
def test_what_is_no_path_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="no path"):
        root_of(given)
