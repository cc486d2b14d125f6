"""The sample repository is what its README says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from tests.sources.gitkit import git
from trueup.embedded.gitserver import GitServer

SAMPLE = Path(__file__).parents[2] / "examples/sample"
KUSTOMIZATIONS = sorted(SAMPLE.rglob("kustomization.yaml"))


def documents(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: str(path.relative_to(SAMPLE)))
def test_a_kustomization_names_only_what_is_there(path: Path) -> None:
    (kustomization,) = documents(path)
    for name in kustomization["resources"]:
        target = path.parent / name
        assert target.is_file() or (target / "kustomization.yaml").is_file()
    for generator in kustomization.get("configMapGenerator", []):
        assert all((path.parent / name).is_file() for name in generator["files"])


def test_plain_objects_name_kind_name_and_namespace() -> None:
    seen = set()
    for path in sorted((SAMPLE / "apps/guestbook").glob("*.yaml")):
        for document in documents(path):
            metadata = document["metadata"]
            assert document["kind"] == "Namespace" or metadata["namespace"] == "guestbook"
            seen.add((document["kind"], metadata["name"]))
    assert {
        ("Deployment", "frontend"),
        ("Deployment", "redis"),
        ("Service", "frontend"),
        ("Namespace", "guestbook"),
    } <= seen


def test_selectors_fit_their_templates() -> None:
    for path in SAMPLE.rglob("*.yaml"):
        for document in documents(path):
            if document["kind"] == "Deployment" and "selector" in document["spec"]:
                assert document["spec"]["selector"]["matchLabels"] == document["spec"]["template"]["metadata"]["labels"]


def test_what_the_readme_changes_is_there() -> None:
    readme = (SAMPLE / "README.md").read_text()
    assert "count: 2" in (SAMPLE / "apps/web/overlays/dev/kustomization.yaml").read_text()
    for name in (
        "apps/guestbook/redis.yaml",
        "apps/guestbook/frontend.yaml",
        "apps/web/overlays/dev/kustomization.yaml",
    ):
        assert name in readme
        assert (SAMPLE / name).is_file()


async def test_the_readmes_commands_work_on_a_clone(tmp_path: Path) -> None:
    """The git parts of its three things to try, pushed to the real server."""
    pushed: list[str] = []

    async def listen(event: object) -> None:
        pushed.append(str(event))

    server = GitServer(tmp_path / "repositories", listen)
    await server.start()
    try:
        await server.create_repository("sample", SAMPLE)
        clone = tmp_path / "sample"
        await asyncio.to_thread(git, "clone", "-q", server.url("sample"), clone)
        blocks = (SAMPLE / "README.md").read_text().split("```sh\n")[1:]
        script = "set -e\n" + "\n".join(block.split("```")[0] for block in blocks).replace("trueup ", ": ")
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@b"}
        process = await asyncio.create_subprocess_exec("sh", "-c", script, cwd=clone, env=environment)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        assert len(pushed) == 5
    finally:
        await server.stop()
