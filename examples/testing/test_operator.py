"""The operator, run as it would be run: a program that is given a kubeconfig."""

import subprocess
import sys
from pathlib import Path

import pytest

OPERATOR = Path(__file__).parent / "cache_operator.py"
CACHE = """
apiVersion: shop.example/v1
kind: Cache
metadata: {name: sessions}
spec: {replicas: 2}
"""


@pytest.fixture(scope="module", autouse=True)
def operator(trueup_cluster):
    with subprocess.Popen([sys.executable, str(OPERATOR)], env=trueup_cluster.environment) as process:
        yield
        process.terminate()


def test_a_cache_gets_its_pods(trueup_namespace):
    trueup_namespace.apply_yaml(CACHE)
    deployment = trueup_namespace.wait_until(lambda: trueup_namespace.find("deployment", "sessions-cache"))
    trueup_namespace.wait_until_healthy(deployment)
    assert len(trueup_namespace.list("pods", selector="cache=sessions")) == 2


def test_a_cache_without_replicas_is_refused(trueup_namespace):
    with pytest.raises(Exception, match=r"spec.replicas.*greater than or equal to 1"):
        trueup_namespace.apply_yaml(CACHE.replace("2", "0"))


def test_what_belongs_to_a_cache_goes_with_it(trueup_namespace):
    trueup_namespace.apply_yaml(CACHE)
    trueup_namespace.wait_until(lambda: trueup_namespace.list("pods"))
    trueup_namespace.delete("cache", "sessions")
    trueup_namespace.wait_until(lambda: not trueup_namespace.list("pods"))
