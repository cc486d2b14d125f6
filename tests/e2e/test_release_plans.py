"""What a sync of a HelmRelease would do, told before it is done: installs, upgrades with prunes and hooks, and what has drifted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.e2e.apiserver import Api, api_of
from tests.e2e.stack import Stack, git_repository
from tests.e2e.test_helmreleases import chart, helm_release, until_release

HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-before
  annotations: {helm.sh/hook: "pre-upgrade", helm.sh/hook-weight: "3"}
data: {text: hook}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-token}
stringData: {token: "s3cr3t-canary-{{ .Values.text }}"}
"""


async def plan_of(api: Api, app: str, query: str = "") -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    async with asyncio.timeout(25):
        while True:
            status, body = await api.ask("GET", f"{app}/plan{query}")
            if status == 200:
                return body, {one["ref"]["name"]: one for one in body["objects"]}
            assert status in (404, 503), body
            # it has not been looked at, or an action is under way
            await asyncio.sleep(0.1)


async def test_what_comes_next_of_a_release_is_told_and_nothing_of_it_done(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    repo = await asyncio.to_thread(stack.repository, namespace, chart(hook=HOOK, token=SECRET))
    # Nothing is done as long as it waits for another, which never comes.
    release = helm_release(namespace, values={"text": "first"}, dependsOn=[{"name": "missing"}])
    await asyncio.to_thread(stack.apply, git_repository(namespace, repo.url), release)
    app = f"/apps/HelmRelease/{namespace}/web"
    async with api_of(stack, tmp_path) as api:
        plan, objects = await plan_of(api, app)
        assert plan["release"] == {
            "action": "install",
            "why": plan["release"]["why"],
            "current": "",
            "wanted": "web@0.1.0",
            "becomes": "web@0.1.0",
            "record": 0,
            "nextRecord": 1,
            "values": [{"path": "text", "before": "", "after": '"first"'}],
        }
        assert {name: one["action"] for name, one in objects.items()} == dict.fromkeys(
            ("web-config", "web-extra", "web-token"), "created"
        )
        assert objects["web-config"]["after"]["data"] == {"text": "first", "revision": "1"}
        assert plan["hooks"] == []
        assert stack.get("configmap", "web-config", namespace) is None
        assert stack.api.list("secret", namespace, "labelSelector=owner%3Dhelm") == []

        await asyncio.to_thread(stack.merge, "helmrelease", "web", namespace, {"spec": {"dependsOn": None}})
        await asyncio.to_thread(until_release, stack, namespace, reason="InstallSucceeded", version=1)
        plan, objects = await plan_of(api, app)
        assert (plan["release"]["action"], plan["counts"]) == ("none", {"unchanged": 3})
        assert (plan["release"]["becomes"], plan["release"]["nextRecord"], plan["release"]["values"]) == ("", 1, [])

        await asyncio.to_thread(stack.merge, "configmap", "web-extra", namespace, {"data": {"text": "by hand"}})
        plan, objects = await plan_of(api, app)
        assert (plan["release"]["action"], objects["web-extra"]["action"], objects["web-extra"]["reason"]) == (
            "none",
            "skipped",
            "Drifted",
        )
        assert [row["path"] for row in objects["web-extra"]["fields"]] == ["data.text"]

        change = {"spec": {"suspend": True, "values": {"text": "second", "extra": False}}}
        await asyncio.to_thread(stack.merge, "helmrelease", "web", namespace, change)
        async with asyncio.timeout(30):
            while plan["release"]["action"] != "upgrade":
                plan, objects = await plan_of(api, app)
        assert {name: one["action"] for name, one in objects.items()} == {
            "web-config": "configured",
            "web-token": "configured",
            "web-extra": "pruned",
        }
        assert [(row["path"], row["before"], row["after"]) for row in objects["web-config"]["fields"]] == [
            ("data.revision", '"1"', '"2"'),
            ("data.text", '"first"', '"second"'),
        ]
        assert [(one["ref"]["name"], one["hook"], one["wave"]) for one in plan["hooks"]] == [
            ("web-before", ["pre-upgrade"], 3)
        ]
        assert "s3cr3t-canary" not in str(plan)
        assert (plan["release"]["record"], plan["release"]["nextRecord"]) == (1, 2)
        assert plan["release"]["values"] == [
            {"path": "extra", "before": "", "after": "false"},
            {"path": "text", "before": '"first"', "after": '"second"'},
        ]
        rows = stack.api.list("secret", namespace, "labelSelector=owner%3Dhelm")
        assert [row["metadata"]["labels"]["version"] for row in rows] == ["1"]
        assert (stack.get("configmap", "web-extra", namespace) or {})["data"] == {"text": "by hand"}

        # What was foretold is what is done.
        await asyncio.to_thread(stack.merge, "helmrelease", "web", namespace, {"spec": {"suspend": False}})
        await asyncio.to_thread(until_release, stack, namespace, reason="UpgradeSucceeded", version=2)
        config = stack.get("configmap", "web-config", namespace) or {}
        assert config["data"] == {"text": "second", "revision": "2"}
        assert stack.get("configmap", "web-extra", namespace) is None
        assert stack.get("configmap", "web-before", namespace) is not None

        status, problem = await api.ask("GET", f"{app}/plan?revision=feature")
        assert (status, problem["reason"]) == (422, "RevisionGone")  # of a chart in Git the newest alone is kept

        status, problem = await api.ask("GET", f"{app}/plan?resources=ConfigMap/{namespace}/web-config")
        assert (status, "as a whole" in problem["detail"]) == (400, True)
        status, problem = await api.ask("GET", f"{app}/plan?resources=nonsense")
        assert (status, problem["field"]) == (400, "resources")
