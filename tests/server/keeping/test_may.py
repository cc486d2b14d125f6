"""Pages ask what somebody may do before they offer it."""

from __future__ import annotations

from typing import Any

from tests.server.api.support import Served, serving
from tests.server.test_matrix import a_world
from trueup.server.access.policy import policy_of
from trueup.server.keeping.may import May, operations

POLICY = "p, ann, projects, update, shop, allow\np, ann, settings, get, *, allow\ng, boss, role:admin"


async def ask(served: Served, who: str, *rights: str) -> tuple[int, Any]:
    query = [("right", right) for right in rights]
    async with served.client.get("/api/trueup/v1/may", params=query, headers={"X-User": who}) as answer:
        return answer.status, await answer.json()


async def test_each_right_is_told_as_the_policies_have_it() -> None:
    async with serving(operations(May(a_world()))) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        rights = ("projects/update/shop", "projects/update/bank", "projects/create", "settings/get", "settings/update")
        status, told = await ask(served, "ann", *rights)
        assert (status, list(told["rights"].values())) == (200, [True, False, False, True, False])
        assert set((await ask(served, "boss", *rights))[1]["rights"].values()) == {True}
        assert set((await ask(served, "stranger", *rights))[1]["rights"].values()) == {False}


async def test_what_is_no_right_is_refused_with_those_that_there_are() -> None:
    async with serving(operations(May(a_world()))) as served:
        status, problem = await ask(served, "ann", "projects/destroy")
        assert (status, problem["field"]) == (400, "right")
        assert "create" in problem["hint"]
        assert (await ask(served, "ann", *["projects/get"] * 26))[0] == 400
