"""The manifests of a shop: do they roll out, survive a bad version, and clean up every night?"""

from pathlib import Path

import pytest

from trueup.testing.cluster import NotHealthy

SHOP = Path(__file__).parent / "shop"


def test_the_shop_rolls_out(trueup_namespace):
    trueup_namespace.apply(SHOP)
    trueup_namespace.wait_until_healthy()
    pods = trueup_namespace.list("pods", selector="app=web")
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["shop/web:2.1"] * 3


def test_a_version_that_crashes_never_takes_all_pods(trueup_namespace):
    trueup_namespace.apply(SHOP / "web.yaml")
    trueup_namespace.wait_until_healthy()
    crashes = {"annotations": {"simulate.trueup.dev/outcome": "crash"}}
    trueup_namespace.patch("deployment", "web", {"spec": {"template": {"metadata": crashes}}})
    trueup_namespace.advance("2m")  # longer than progressDeadlineSeconds
    with pytest.raises(NotHealthy, match="Progress deadline exceeded"):
        trueup_namespace.wait_until_healthy()
    assert trueup_namespace.get("deployment", "web")["status"]["readyReplicas"] == 3


def test_it_cleans_up_every_night(trueup_namespace):
    trueup_namespace.apply(SHOP / "cleanup.yaml")
    trueup_namespace.advance("72h")
    jobs = trueup_namespace.list("jobs")
    assert [job["status"]["succeeded"] for job in jobs] == [1, 1, 1]
