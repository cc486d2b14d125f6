"""Working trees: answers that need no engine, why a build was or was not used, charts, and which Apps a tree declares."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.kit import Ran
from tests.render.monorepo import Files, changed, monorepo
from tests.support.manifests import config_map
from tests.support.snapshots import Link
from trueup.cli import quick
from trueup.cli.intree import place_of

Trueup = Callable[..., Ran]

APP = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web, namespace: flux-system}\n" \
    "spec: {interval: 10m, path: ./apps/web, prune: true, sourceRef: {kind: GitRepository, name: shop}}\n"  # fmt: skip
TREE: Files = {
    "apps/web/kustomization.yaml": "resources: [../../base]\n",
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "base/a.yaml": config_map("a"),
    "apps/db/b.yaml": config_map("b"),
    "cluster/web.yaml": APP,
    ".gitignore": "*.tmp\n",
}


def write(folder: Path, files: Files) -> Path:
    """The files in a Git working tree, and no others."""
    for old in folder.iterdir() if folder.is_dir() else ():
        if old.name != ".git":
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        else:
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write(tmp_path / "repo", TREE)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def quickly(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ran | None]:
    """The answer that is given without working it out, if there is one."""

    def ask(*arguments: str) -> Ran | None:
        code = quick.answer(arguments)
        out, err = capsysbinary.readouterr()
        return Ran(code, out.decode(), err.decode()) if code is not None else None

    return ask


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "./apps/web"),
        ("render", "./apps/web", "-o", "json"),
        ("render", "./apps/db", "--mode=argocd", "--recurse"),
        ("validate",),
        ("validate", "./apps/db", "apps/web", "-o", "json"),
    ],
    ids=" ".join,
)
def test_what_has_not_changed_is_said_again_word_for_word(
    trueup: Trueup, quickly: Callable[..., Ran | None], repo: Path, arguments: tuple[str, ...]
) -> None:
    assert quickly(*arguments) is None
    first = trueup(*arguments)
    again = quickly(*arguments)

    assert first.code == 0, first.stderr
    assert again == Ran(0, first.stdout, "")
    (repo / "README.md").write_text("nobody read this\n") if arguments != ("validate",) else None
    (repo / "base" / "left.tmp").write_text("ignored")
    assert quickly(*arguments) == again


@pytest.mark.parametrize(
    "change",
    [
        ("base/a.yaml", config_map("other")),
        ("apps/web/kustomization.yml", "resources: []\n"),
        ("base/.sourceignore", "a.yaml\n"),
        ("base/a.yaml", None),
    ],
    ids=str,
)
def test_what_has_changed_is_worked_out_anew(
    trueup: Trueup, quickly: Callable[..., Ran | None], repo: Path, change: tuple[str, str | None]
) -> None:
    trueup("render", "./apps/web")
    trueup("validate")
    name, content = change
    (repo / name).write_text(content) if content is not None else (repo / name).unlink()

    assert quickly("render", "./apps/web") is None
    assert quickly("validate") is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "web"),
        ("render", "./apps/web", "--var", "a=b"),
        ("render", "./apps/web", "-o", "xml"),
        ("render", "./gone"),
        ("render", "./apps/web", "./apps/db"),
        ("render", "--help"),
        ("validate", "base/a.yaml"),
        ("validate", "-"),
        ("validate", "--server"),
        ("diff",),
        (),
    ],
    ids=" ".join,
)
def test_anything_out_of_the_ordinary_is_for_the_command_itself(
    quickly: Callable[..., Ran | None], repo: Path, arguments: tuple[str, ...]
) -> None:
    assert quickly(*arguments) is None


def test_with_plugins_nothing_is_kept_and_nothing_that_was_is_said(
    trueup: Trueup, quickly: Callable[..., Ran | None], repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trueup("validate")
    assert quickly("validate") is not None
    (tmp_path / "plugins").mkdir()
    monkeypatch.setenv("TRUEUP_PLUGINS", str(tmp_path / "plugins"))
    assert quickly("validate") is None
    trueup("render", "./apps/web")
    monkeypatch.delenv("TRUEUP_PLUGINS")
    assert quickly("render", "./apps/web") is None


def test_a_secret_and_a_failure_are_never_kept(
    trueup: Trueup, quickly: Callable[..., Ran | None], repo: Path, tmp_path: Path
) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    write(repo, {"app/s.yaml": secret, "broken/kustomization.yaml": "resources: [gone.yaml]\n"})

    assert "hunter2" in trueup("render", "./app").stdout
    assert trueup("validate", "./broken").code == 1
    assert quickly("render", "./app") is None
    assert quickly("validate", "./broken") is None
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


@pytest.mark.parametrize("seed", range(3))
def test_a_quick_answer_is_always_the_one_that_would_be_worked_out(
    trueup: Trueup,
    quickly: Callable[..., Ran | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance = random.Random(seed)
    files, apps = monorepo(chance)
    places = [spec.path for name, spec in apps.items() if name.startswith(("overlay", "generated", "plain"))]
    repo = write(tmp_path / "repo", files)
    monkeypatch.chdir(repo)
    given = 0
    for place in places:
        trueup("render", f"./{place}", "--mode", "argocd")
    for _ in range(5):
        write(repo, changed(files, chance))
        for place in places:
            answer = quickly("render", f"./{place}", "--mode", "argocd")
            if answer is not None:
                given += 1
                shutil.rmtree(tmp_path / "kept" / "answers")
                assert answer.stdout == trueup("render", f"./{place}", "--mode", "argocd").stdout
        write(repo, files)
    assert given, "something was never changed"


def test_an_answer_needs_neither_an_engine_nor_what_renders(repo: Path, tmp_path: Path) -> None:
    """Counted in modules, because seconds differ from machine to machine."""
    command = [sys.executable, "-X", "importtime", "-m", "trueup.cli.entry", "render", "./apps/web"]
    environment = {"TRUEUP_RENDER_CACHE": str(tmp_path / "kept"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    from trueup.render.engine.identity import cache_root

    environment["TRUEUP_CACHE_DIR"] = str(cache_root())
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert again.stdout == first.stdout
    imported = {
        line.rpartition("|")[2].strip() for line in again.stderr.splitlines() if line.startswith("import time:")
    }
    assert "trueup.cli.answers" in imported
    assert not {"typer", "rich", "asyncio", "yaml", "trueup.render.render", "trueup.render.engine.pool"} & imported
    assert sum(name.startswith("trueup.") for name in imported) < 25


def test_why_a_build_was_or_was_not_used_is_explained(trueup: Trueup, repo: Path) -> None:
    def explained() -> dict[str, object]:
        ran = trueup("build", "./apps/web", "--explain", "-o", "json")
        assert ran.code == 0, ran.stderr
        loaded: dict[str, object] = json.loads(ran.stdout)
        return loaded

    def why() -> tuple[object, list[str]]:
        cache = explained()["cache"]
        assert isinstance(cache, dict)
        return cache["reason"], [row["path"] for row in cache["changed"]]

    assert why() == ("cold", [])
    assert why() == ("used", [])
    (repo / "base" / "a.yaml").write_text(config_map("other"))
    assert why() == ("changed", ["base/a.yaml"])
    inputs = explained()["inputs"]
    assert isinstance(inputs, list)
    assert {"look": "absent", "path": "base/.sourceignore", "digest": ""} in inputs
    table = trueup("build", "./apps/web", "--explain").stdout
    assert "from the cache" in table
    assert "base/a.yaml" in table
    names = trueup("build", "./apps/web", "--explain", "-o", "name").stdout.splitlines()
    assert names == ["apps/web/kustomization.yaml", "base/a.yaml", "base/kustomization.yaml"]
    assert trueup("build", "./apps/web", "-o", "name").stdout == "ConfigMap/other\n"


def test_what_is_kept_is_shown_and_cleared(trueup: Trueup, repo: Path) -> None:
    trueup("render", "./apps/web")
    rows = {row["what"]: row for row in json.loads(trueup("cache", "-o", "json").stdout)}
    assert [rows[what]["entries"] for what in ("builds", "answers")] == [1, 1]
    assert all(0 < row["bytes"] < row["limit"] for row in rows.values())
    assert "builds" in trueup("cache", "--clear").stdout
    assert [row["entries"] for row in json.loads(trueup("cache", "-o", "json").stdout)] == [0, 0]


CHART: Files = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "color: white\nsize: 1\n",
    "charts/web/templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
    "  namespace: {{ .Release.Namespace }}\ndata: {color: {{ .Values.color }}, size: {{ .Values.size | quote }}}\n",
    "env/prod.yaml": "color: black\n",
}


def test_a_folder_with_a_chart_is_rendered_as_one(trueup: Trueup, repo: Path, tmp_path: Path) -> None:
    write(repo, CHART)
    ran = trueup("render", "./charts/web")
    assert yaml.safe_load(ran.stdout)["metadata"] == {"name": "web", "namespace": "default"}, ran.stderr
    options = ("--release", "shop", "-n", "prod", "-f", "env/prod.yaml", "--set", "size=2")
    shown = yaml.safe_load(trueup("render", "./charts/web", *options).stdout)
    assert shown["metadata"] == {"name": "shop", "namespace": "prod"}
    assert shown["data"] == {"color": "black", "size": "2"}
    outside = tmp_path / "outside.yaml"
    outside.write_text("color: red\n")
    assert "outside the working tree" in trueup("render", "./charts/web", "-f", str(outside)).stderr
    assert "holds no chart" in trueup("render", "./env", "--set", "a=b").stderr


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://example.com/shop/apps", "example.com/shop/apps"),
        ("https://example.com/shop/apps.git", "example.com/shop/apps"),
        ("git@example.com:shop/apps.git", "example.com/shop/apps"),
        ("ssh://git@example.com:22/shop/apps", "example.com/shop/apps"),
        ("http://127.0.0.1:6441/sample.git", "127.0.0.1:6441/sample"),
        ("file:///srv/git/apps.git", "/srv/git/apps"),
        ("../elsewhere", ""),
    ],
)
def test_a_repository_is_the_same_however_it_is_spelt(url: str, place: str) -> None:
    assert place_of(url) == place
