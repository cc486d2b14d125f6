"""Aggregated roles follow the roles that they select, on both servers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
PATIENCE = 20.0


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    name = "embedded_cluster" if request.param == "embedded" else "control_plane"
    kubeconfig: Path = request.getfixturevalue(name).kubeconfig
    async with Server(kubeconfig) as server:
        yield server


async def becomes(server: Server, name: str, rules: list[Any] | None) -> None:
    """Waits until an aggregated role has exactly these rules."""
    found: Any = ()
    try:
        async with asyncio.timeout(PATIENCE):
            while found != rules:
                found = (await server.send("GET", f"{ROLES}/{name}"))[1].get("rules")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"the rules of {name} are {found}, not {rules}") from None


async def test_an_aggregated_role_has_the_rules_of_those_it_selects_and_loses_them_again(
    server: Server, namespace_name: str
) -> None:
    one = {"apiGroups": ["one.example.com"], "resources": ["things"], "verbs": ["get"]}
    two = {"apiGroups": ["two.example.com"], "resources": ["things"], "verbs": ["list"]}
    total = f"{namespace_name}-total"
    label = {f"example.com/{namespace_name}": "true"}
    selectors = {"clusterRoleSelectors": [{"matchLabels": label}]}
    own = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    body = {"metadata": {"name": total}, "aggregationRule": selectors, "rules": [own]}
    assert (await server.send("POST", ROLES, body))[0] == 201
    await becomes(server, total, [own])
    for name, rules in (("b", [two]), ("a", [one, two])):
        made = {"metadata": {"name": f"{namespace_name}-{name}", "labels": label}, "rules": rules}
        await server.send("POST", ROLES, made)
    await becomes(server, total, [one, two])
    await server.send("DELETE", f"{ROLES}/{namespace_name}-a")
    await becomes(server, total, [two])
    media = "application/merge-patch+json"
    await server.send("PATCH", f"{ROLES}/{namespace_name}-b", {"metadata": {"labels": None}}, content_type=media)
    await becomes(server, total, None)
    await server.send("DELETE", f"{ROLES}/{namespace_name}-b")
    await server.send("DELETE", f"{ROLES}/{total}")


async def test_what_aggregates_to_view_is_in_edit_and_admin_too(server: Server, namespace_name: str) -> None:
    rule = {"apiGroups": [f"{namespace_name}.example.com"], "resources": ["things"], "verbs": ["get"]}
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await server.send("POST", ROLES, {"metadata": {"name": namespace_name, "labels": label}, "rules": [rule]})
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        for role in ("view", "edit", "admin"):
            while rule not in found:
                found = (await server.send("GET", f"{ROLES}/{role}"))[1]["rules"]
            found = []
    await server.send("DELETE", f"{ROLES}/{namespace_name}")
