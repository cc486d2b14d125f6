"""An App among another's objects is changed by rights on itself alone."""

from __future__ import annotations

import pytest

from tests.server.api.support import serving
from tests.server.test_matrix import NoCluster, a_world
from trueup.server.access.policy import policy_of
from trueup.server.live.objects import Objects, operations
from trueup.server.world.operations import Apps

POLICY = "p, ann, applications, *, ns:team-a/*, allow"
WHERE = "group=argoproj.io&kind=Application&namespace=argocd&name=bank"
PARENT = "/api/trueup/v1/apps/Kustomization/team-a/web/object"


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"spec": {"project": "bank"}}), ("DELETE", None)])
async def test_rights_on_the_parent_change_no_app_below_it(method: str, body: object) -> None:
    """Else whoever may patch a parent's objects could move a child into a project of others, or write its status."""
    apps = Apps(a_world())
    async with serving(operations(Objects(apps, NoCluster()), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        answer = await served.client.request(method, f"{PARENT}?{WHERE}", json=body, headers={"X-User": "ann"})
        problem = await answer.json()
    assert (answer.status, problem["reason"]) == (403, "Forbidden")
    assert "as an App" in problem["hint"]


async def test_the_app_itself_is_no_object_to_patch_either() -> None:
    apps = Apps(a_world())
    where = "group=kustomize.toolkit.fluxcd.io&kind=Kustomization&namespace=team-a&name=web"
    async with serving(operations(Objects(apps, NoCluster()), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        answer = await served.client.patch(f"{PARENT}?{where}", json={"status": {}}, headers={"X-User": "ann"})
    assert answer.status == 403
