"""`trueup rbac`, on files: answers for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trueup.cli.main import app

POLICY = """\
p, role:dev, applications, *, shop/*, allow
p, role:dev, applications, delete, shop/prod-*, deny
g, my-org:team, role:dev
"""
RESOURCES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm, namespace: argocd}
data:
  policy.default: role:readonly
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec:
  roles:
    - {name: ci, policies: ["p, proj:shop:ci, applications, sync, shop/*, allow"], groups: [builders]}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.csv"
    path.write_text(POLICY)
    return str(path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rbac", *arguments])
    return result.exit_code, result.output


def test_can_says_yes_or_no_and_so_does_its_exit_code(policy: str) -> None:
    group = ("-g", "my-org:team", "-f", policy)
    assert run("can", "bob", "delete", "apps", "shop/dev-1", *group) == (0, "Yes\n")
    assert run("can", "bob", "delete", "apps", "shop/prod-1", *group) == (1, "No\n")
    assert run("can", "bob", "delete", "apps", "shop/prod-1", *group, "-q") == (1, "")


def test_explain_names_the_line_and_the_way(policy: str) -> None:
    code, text = run("explain", "bob", "delete", "apps", "shop/prod-1", "-g", "my-org:team", "-f", policy)
    assert code == 0
    assert "No  bob: delete applications shop/prod-1: policy.csv:2 denies it" in text
    assert "my-org:team -> role:dev" in text


def test_explain_gives_json_to_scripts(policy: str) -> None:
    _, text = run("explain", "bob", "sync", "apps", "shop/web", "-g", "my-org:team", "-f", policy, "-o", "json")
    assert json.loads(text) == {
        "allowed": True,
        "request": "sync applications shop/web",
        "reason": "policy.csv:1 allows it, through role:dev",
        "rules": ["p, role:dev, applications, *, shop/*, allow (policy.csv:1)"],
    }


def test_explain_without_a_request_lists_everything(policy: str) -> None:
    _, text = run("explain", "bob", "-g", "my-org:team", "-f", policy)
    assert [line.split()[:4] for line in text.splitlines()[1:]] == [
        ["allow", "applications", "*", "shop/*"],
        ["deny", "applications", "delete", "shop/prod-*"],
    ]


def test_resources_in_yaml_bring_projects_and_the_default_role(tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(RESOURCES)
    assert run("can", "anybody", "get", "apps", "bank/web", "-f", str(path)) == (0, "Yes\n")
    assert run("can", "bob", "sync", "apps", "shop/web", "-g", "builders", "-f", str(path)) == (0, "Yes\n")
    assert run("can", "proj:shop:ci", "sync", "apps", "bank/web", "-f", str(path)) == (1, "No\n")


def test_lint_fails_on_errors_and_with_strict_on_warnings(tmp_path: Path, policy: str) -> None:
    assert run("lint", "-f", policy, "--strict")[0] == 0
    path = tmp_path / "other.csv"
    path.write_text(POLICY + "g, alice, role:devv\n")
    code, text = run("lint", "-f", str(path))
    assert code == 0
    assert "did you mean role:dev?" in text
    assert run("lint", "-f", str(path), "--strict")[0] == 1
    path.write_text(POLICY + "p, x\n")
    code, text = run("lint", "-f", str(path), "-o", "json")
    assert code == 1
    assert json.loads(text)[0]["where"] == "policy.csv:4"


def test_a_resource_that_there_is_not_is_refused_with_those_that_there_are(policy: str) -> None:
    code, text = run("can", "bob", "get", "pods", "-f", policy)
    assert code == 1
    assert "there is no resource 'pods'" in text
    assert "applications" in text
