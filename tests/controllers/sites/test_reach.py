"""How far a registered cluster is managed."""

from __future__ import annotations

import pytest

from trueup.controllers.sites.reach import EVERYTHING, Reach
from trueup.model.apierror import ApiError
from trueup.model.refs import ObjectRef

WEB, ROLE = ObjectRef("apps", "Deployment", "shop", "web"), ObjectRef("rbac", "ClusterRole", "", "reader")


def test_without_a_list_everything_is() -> None:
    EVERYTHING.check(WEB)
    EVERYTHING.check(ROLE)
    assert EVERYTHING.places(namespaced=True) is EVERYTHING.places(namespaced=False) is None


def test_with_one_only_its_namespaces_are_looked_at_and_written() -> None:
    reach = Reach(frozenset({"shop"}))
    reach.check(WEB)
    with pytest.raises(ApiError, match="namespace tools of"):
        reach.check(ObjectRef("apps", "Deployment", "tools", "web"))
    with pytest.raises(ApiError, match="clusterResources"):
        reach.check(ROLE)
    assert reach.places(namespaced=True) == {"shop"}
    assert reach.places(namespaced=False) == set()


def test_what_is_in_no_namespace_may_be_allowed_besides() -> None:
    reach = Reach(frozenset({"shop"}), cluster_resources=True)
    reach.check(ROLE)
    assert reach.places(namespaced=False) is None
