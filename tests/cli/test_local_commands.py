"""Commands that need no cluster: envsubst, health of files, render and validate of folders, create --export, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.kit import Ran
from tests.support.golden import Golden
from trueup.cli import answers
from trueup.model.source import HelmChartSource
from trueup.sources.helm.chart import HelmChartFetcher
from trueup.sources.treesnapshot import TreeSnapshot

Trueup = Callable[..., Ran]


# envsubst


@pytest.mark.parametrize(
    ("text", "arguments", "result"),
    [
        ("a: ${A}\n", ["--var", "A=1"], "a: 1\n"),
        ("a: ${A:=x}", [], "a: x"),
        ("a: ${NOT_SET_ANYWHERE}\n", [], "a: \n"),
        ("$${A} $A\n", ["--var", "A=1"], "${A} $A\n"),
        ("${A}", ["--var", "A=b=c"], "b=c"),
        ("${A}", ["--var", "A="], ""),
        ("${FROM_ENVIRONMENT}", [], "environment"),
        ("${FROM_ENVIRONMENT}", ["--var", "FROM_ENVIRONMENT=option"], "option"),
        ("[red]เว็บ[/red]\n", [], "[red]เว็บ[/red]\n"),
        ("", [], ""),
    ],
)
def test_variables_are_substituted(
    trueup: Trueup, monkeypatch: pytest.MonkeyPatch, text: str, arguments: list[str], result: str
) -> None:
    monkeypatch.setenv("FROM_ENVIRONMENT", "environment")
    assert trueup("envsubst", *arguments, stdin=text.encode()) == Ran(0, result, "")


def test_strict_names_the_variable_and_its_line(trueup: Trueup) -> None:
    ran = trueup("envsubst", "--strict", stdin=b"a: 1\nb: ${NOT_SET_ANYWHERE}\n")
    assert (ran.code, ran.stdout) == (1, "")
    assert "line 2: the variable NOT_SET_ANYWHERE is not set" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (["--var", "A"], b"", "is not K=V"),
        (["--var", "1A=2"], b"", "is not K=V"),
        ([], b"a\n\xff", "not UTF-8 text (line 2)"),
        ([], b"${A", "line 1"),
    ],
)
def test_what_cannot_be_substituted_says_why(
    trueup: Trueup, arguments: list[str], stdin: bytes, complaint: str
) -> None:
    ran = trueup("envsubst", *arguments, stdin=stdin)
    assert ran.code == 1
    assert complaint in ran.stderr


# health

ROLLING = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2}
spec: {replicas: 2}
status: {observedGeneration: 2, replicas: 2, updatedReplicas: 1}
---
# nothing here
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
  - {apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, status: {conditions: [{type: Ready, status: "False"}]}}
"""


def test_health_of_files_is_told_object_by_object(trueup: Trueup, tmp_path: Path, golden: Golden) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "rolling.yaml").write_text(ROLLING)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Failed"}}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    (tmp_path / "notes.txt").write_text("not a manifest")
    ran = trueup("health", "-f", str(tmp_path), "-o", "jsonl")
    assert ran.code == 0, ran.stderr
    golden("health.jsonl", ran.stdout.replace(str(tmp_path), "DIR"))


def test_health_reads_standard_input(trueup: Trueup) -> None:
    ran = trueup("health", "-f", "-", "-o", "jsonl", stdin=ROLLING.encode())
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(row["file"], row["index"], row["kind"]) for row in rows] == [
        ("standard input", 0, "Deployment"),
        ("standard input", 1, "ConfigMap"),
        ("standard input", 2, "Thing"),
    ]


def test_one_broken_file_does_not_hide_the_others(trueup: Trueup, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [\n")
    (tmp_path / "b.yaml").write_text(ROLLING)
    ran = trueup("health", "-f", str(tmp_path), "-o", "name")
    assert ran.code == 1
    assert "a.yaml:" in ran.stderr
    assert "Deployment/shop/web" in ran.stdout


@pytest.mark.parametrize("exit_code", [True, False])
def test_what_is_not_well_fails_when_that_is_asked_for(trueup: Trueup, exit_code: bool) -> None:
    flags = ["--exit-code"] if exit_code else []
    assert trueup("health", "-f", "-", *flags, stdin=ROLLING.encode()).code == int(exit_code)


def test_health_of_nothing_is_a_wrong_command_line(trueup: Trueup) -> None:
    assert trueup("health").code == 2
    assert "no file or folder" in trueup("health", "-f", "/does/not/exist").stderr


# render and validate

BASE = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {colour: "${colour:=blue}"}\n',
    "prod/kustomization.yaml": "namespace: shop\nresources: [../base]\n",
    "plain/one.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    "plain/values.yaml": "replicas: 2\n",
    "apps.yaml": """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec: {interval: 10m, path: ./prod, prune: true, sourceRef: {kind: GitRepository, name: shop}}
""",
}


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_a_folder_is_rendered_as_an_app_would_be(trueup: Trueup, tmp_path: Path) -> None:
    tree(tmp_path, BASE)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    ran = trueup("render", f"{tmp_path}/prod", "--var", "colour=green")
    assert ran.code == 0, ran.stderr
    assert yaml.safe_load(ran.stdout) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "shop"},
        "data": {"colour": "green"},
    }
    assert trueup("render", f"{tmp_path}/prod", "-o", "name").stdout == "ConfigMap/shop/web\n"


def test_what_git_ignores_is_not_rendered(trueup: Trueup, tmp_path: Path) -> None:
    tree(tmp_path, {"app/a.yaml": BASE["base/web.yaml"], "app/secret.yaml": "a: [", ".gitignore": "secret.yaml\n"})
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert trueup("render", f"{tmp_path}/app", "-o", "name").stdout == "ConfigMap/web\n"


def test_a_remote_base_is_refused_with_its_line_and_fetched_when_asked_for(trueup: Trueup, tmp_path: Path) -> None:
    tree(
        tmp_path / "base", {"web/kustomization.yaml": "resources: [web.yaml]\n", "web/web.yaml": BASE["base/web.yaml"]}
    )
    git = ("git", "-C", str(tmp_path / "base"), "-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    tree(tmp_path / "app", {"kustomization.yaml": f"resources:\n- file://{tmp_path}/base//web?ref=main\n"})
    subprocess.run(["git", "init", "-q", tmp_path / "app"], check=True)
    refused = trueup("render", f"{tmp_path}/app")
    assert (refused.code, "kustomization.yaml:2" in refused.stderr, "--fetch" in refused.stderr) == (1, True, True)
    assert trueup("render", f"{tmp_path}/app", "--fetch", "-o", "name").stdout == "ConfigMap/web\n"
    refused = trueup("validate", f"{tmp_path}/app")
    assert (refused.code, "--fetch" in refused.stdout + refused.stderr) == (1, True)
    fetched = trueup("validate", f"{tmp_path}/app", "--fetch")
    assert fetched.code == 0, fetched.stdout + fetched.stderr


def test_the_parameters_of_a_plugin_are_listed(trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": "greeter"},
        "spec": {
            "generate": {"command": ["true"]},
            "discover": {"fileName": "greeting.txt"},
            "parameters": {"static": [{"name": "whom", "title": "Whom to greet", "required": True, "string": "you"}]},
        },
    }
    tree(tmp_path, {"plugins/greeter.yaml": yaml.safe_dump(plugin), "app/greeting.txt": "hello", "else/a.txt": "b"})
    monkeypatch.setenv("TRUEUP_PLUGINS", str(tmp_path / "plugins"))
    listed = trueup("parameters", f"{tmp_path}/app", "-o", "json")
    assert json.loads(listed.stdout) == [{"name": "whom", "title": "Whom to greet", "required": True, "string": "you"}]
    assert "Whom to greet" in trueup("parameters", f"{tmp_path}/else", "--plugin", "greeter").stdout
    refused = trueup("parameters", f"{tmp_path}/else")
    assert (refused.code, "--plugin" in refused.stderr or "no plugin" in refused.stderr) == (1, True)


def test_a_sound_working_tree_is_valid(trueup: Trueup, tmp_path: Path) -> None:
    tree(tmp_path, BASE)
    ran = trueup("validate", str(tmp_path), "-o", "json")
    assert ran.code == 0, ran.stdout + ran.stderr
    places = {row["place"]: row for row in json.loads(ran.stdout)}
    assert set(places) == {".", "base", "prod", "plain", "Kustomization/flux-system/web"}
    assert places["Kustomization/flux-system/web"]["objects"] == 1


BROKEN = {
    "a tab": ({"web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: web\n"}, "web.yaml:4"),
    "declared twice": (
        {"a.yaml": BASE["plain/one.yaml"], "b.yaml": BASE["plain/one.yaml"]},
        "Namespace/shop is declared 2 times, in a.yaml:1, b.yaml:1",
    ),
    "a resource that is not there": ({"kustomization.yaml": "resources: [gone.yaml]\n"}, "gone.yaml"),
    "an app of wrong shape": (
        {"app.yaml": BASE["apps.yaml"].replace("prune: true", "prune: maybe")},
        "Expected `bool`, got `str`",
    ),
    "an app with a misspelt field": (
        {"app.yaml": "---\n# the shop\n" + BASE["apps.yaml"].replace("prune: true", "prune: true, intervall: 1m")},
        "spec.intervall: there is no such field\n      try: did you mean interval?",
    ),
    "a kustomization with a misspelt field": (
        {"kustomization.yaml": "resources: [a.yaml]\nnamePrefx: b-\n", "a.yaml": BASE["plain/one.yaml"]},
        'kustomization.yaml:2: unknown field "namePrefx"',
    ),
    "an app that asks for what is not built": (
        {"app.yaml": BASE["apps.yaml"].replace("prune: true", "decryption: {provider: sops}, prune: true")},
        "spec.decryption is not built yet",
    ),
    "an app whose path does not render": (
        {"apps.yaml": BASE["apps.yaml"], "prod/kustomization.yaml": "resources: [gone.yaml]\n"},
        "Kustomization/flux-system/web",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_told_with_its_place(trueup: Trueup, tmp_path: Path, case: str) -> None:
    files, complaint = BROKEN[case]
    tree(tmp_path, files)
    ran = trueup("validate", str(tmp_path))
    assert ran.code == 1
    assert complaint in ran.stdout, ran.stdout


ELSEWHERE = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: many, namespace: argocd}
spec:
  project: default
  destination: {name: in-cluster, namespace: shop}
  sources: [{repoURL: "https://example.com/a", path: a}, {repoURL: "https://example.com/b", ref: values}]
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: chart, namespace: argocd}
spec:
  project: default
  destination: {name: in-cluster, namespace: shop}
  source: {repoURL: "https://charts.example.com", chart: web, targetRevision: 1.x}
"""


def test_an_application_whose_manifests_are_elsewhere_is_read_and_not_rendered(trueup: Trueup, tmp_path: Path) -> None:
    tree(tmp_path, {"apps.yaml": ELSEWHERE})
    ran = trueup("validate", str(tmp_path))
    assert ran.code == 0
    assert "it has several sources, so it is not rendered here" in ran.stdout
    assert "its chart comes from a repository, so it is not rendered here" in ran.stdout


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec:
  interval: 10m
  chart: {spec: {chart: ./charts/web, sourceRef: {kind: GitRepository, name: shop}, valuesFiles: [charts/web/prod.yaml]}}
  valuesFrom: [{kind: ConfigMap, name: web-values}]
  values: {size: 2}
  postRenderers: [{kustomize: {images: [{name: web, newTag: "2"}]}}]
"""
CHARTED = {
    "apps/web.yaml": RELEASE,
    "apps/values.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-values}\ndata: {values.yaml: 'color: red'}\n",
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "color: white\n",
    "charts/web/prod.yaml": "zone: north\n",
    "charts/web/templates/c.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ required "no zone" .Values.zone }}\n'
    'data: {color: {{ required "no color" .Values.color }}}\n',
}


def test_a_release_whose_chart_is_in_the_tree_is_rendered_with_its_values(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, CHARTED)
    monkeypatch.chdir(tmp_path)

    def checked(*where: str) -> dict[str, Any]:
        ran = trueup("validate", *where, "-o", "json")
        return {row["place"]: row for row in json.loads(ran.stdout)} | {"code": ran.code}

    found = checked()
    assert found["code"] == 0, found
    assert (found["HelmRelease/shop/web"]["objects"], found["HelmRelease/shop/web"]["notes"]) == (1, [])
    # The color comes from the ConfigMap alone: values files stand in place of the chart's own.
    (tmp_path / "apps/values.yaml").unlink()
    missing = checked()
    assert missing["code"] == 0
    first, second = missing["HelmRelease/shop/web"]["notes"]
    assert first == "values of ConfigMap/shop/web-values are not known here"
    assert "without them it does not render" in second
    assert "no color" in second
    tree(tmp_path, CHARTED | {"charts/web/prod.yaml": "{}\n"})
    broken = checked()
    assert broken["code"] == 1
    (problem,) = broken["HelmRelease/shop/web"]["problems"]
    assert (problem["file"], "no zone" in problem["message"]) == ("charts/web/templates/c.yaml", True)
    # A chart that is named itself is rendered with its own values.
    (alone,) = checked("charts/web")["."]["problems"]
    assert "no zone" in alone["message"]
    tree(tmp_path, {"charts/web/Chart.yaml": CHARTED["charts/web/Chart.yaml"] + "type: library\n"})
    assert checked("charts/web")["code"] == 0


def test_an_answer_is_not_kept_beyond_a_change_of_what_a_chart_needs(trueup: Trueup, tmp_path: Path) -> None:
    needs = "dependencies: [{name: common, version: 1.x, repository: 'file://../common'}]\n"
    files = CHARTED | {
        "charts/web/Chart.yaml": CHARTED["charts/web/Chart.yaml"] + needs,
        "charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.0.0\n",
        "charts/common/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\n",
    }
    repo = tree(tmp_path / "repo", files)
    subprocess.run(["git", "init", "-q", repo], check=True)
    assert trueup("validate", str(repo)).code == 0
    question = answers.Question(command="validate", places=(str(repo.resolve()),), output="table")
    assert answers.find(question) is not None
    tree(repo, files | {"charts/common/templates/a.yaml": '{{ fail "not this way" }}\n'})
    assert answers.find(question) is None
    broken = trueup("validate", str(repo))
    assert (broken.code, "not this way" in broken.stdout) == (1, True)


def test_a_chart_is_made_once_for_all_releases_of_it(
    trueup: Trueup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {
        f"apps/{name}.yaml": RELEASE.replace("name: web, namespace: shop", f"name: {name}, namespace: {namespace}")
        for name, namespace in (("a", "shop"), ("b", "other"))
    }
    tree(tmp_path, CHARTED | others)
    made: list[str] = []
    really = HelmChartFetcher.fetch

    async def fetch(self: HelmChartFetcher, source: HelmChartSource, *rest: Any, **options: Any) -> TreeSnapshot:
        made.append(source.chart)
        return await really(self, source, *rest, **options)

    monkeypatch.setattr(HelmChartFetcher, "fetch", fetch)
    ran = trueup("validate", str(tmp_path), "-o", "json")
    objects = {row["place"]: row["objects"] for row in json.loads(ran.stdout)}
    assert [objects[f"HelmRelease/{name}"] for name in ("shop/web", "shop/a")] == [1, 1], objects
    assert made == ["./charts/web"]


@pytest.mark.parametrize("data", ["data: hello", "stringData: [a]", "data:"])
def test_values_that_are_no_mapping_are_values_that_are_not_there(trueup: Trueup, tmp_path: Path, data: str) -> None:
    values = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-values}}\n{data}\n"
    tree(tmp_path, CHARTED | {"apps/values.yaml": values})
    ran = trueup("validate", str(tmp_path))
    assert ran.code == 0, ran.stderr
    assert "values of ConfigMap/shop/web-values are not known here" in ran.stdout


def test_what_a_chart_needs_of_a_repository_is_told_and_not_fetched(trueup: Trueup, tmp_path: Path) -> None:
    needs = "dependencies: [{name: db, version: 1.x, repository: 'https://charts.example.com'}]\n"
    tree(tmp_path, CHARTED | {"charts/web/Chart.yaml": CHARTED["charts/web/Chart.yaml"] + needs})
    ran = trueup("validate", str(tmp_path))
    assert ran.code == 0, ran.stdout
    assert "its chart needs one of https://charts.example.com" in ran.stdout


def test_standard_input_is_validated_too(trueup: Trueup) -> None:
    assert trueup("validate", "-", stdin=BASE["apps.yaml"].encode()).code == 0
    ran = trueup("validate", "-", stdin=b"kind: ConfigMap\nmetadata: {name: a}\n")
    assert ran.code == 1


# create

CREATE = {
    "source-git": [
        "source",
        "git",
        "podinfo",
        "--url",
        "https://github.com/stefanprodan/podinfo",
        "--branch",
        "master",
    ],
    "source-git-full": [
        *("source", "git", "podinfo", "--url", "ssh://git@example.com/podinfo", "--tag-semver", ">=1.0 <2"),
        *("--secret-ref", "key", "--ignore-paths", "/*", "--ignore-paths", "!/deploy", "--recurse-submodules"),
        *("--interval", "30s", "--namespace", "shop"),
    ],
    "source-oci": ["source", "oci", "podinfo", "--url", "oci://ghcr.io/stefanprodan/manifests/podinfo"],
    "source-oci-full": [
        *("source", "oci", "podinfo", "--url", "oci://ghcr.io/team/podinfo", "--tag", "v1", "--tag-semver", ">=1.0 <2"),
        *("--digest", "sha256:" + "0" * 64, "--secret-ref", "pull", "--service-account", "puller", "--insecure"),
        *("--cert-ref", "certs", "--proxy-secret-ref", "proxy", "--verify-secret-ref", "keys", "--interval", "30s"),
    ],
    "kustomization-oci": ["kustomization", "podinfo", "--source", "OCIRepository/podinfo"],
    "kustomization": ["kustomization", "podinfo", "--source", "podinfo", "--path", "./kustomize", "--prune"],
    "kustomization-full": [
        *("kustomization", "podinfo", "--source", "GitRepository/podinfo.sources", "--prune", "--wait"),
        *("--target-namespace", "shop", "--service-account", "deployer", "--depends-on", "infra/ingress"),
        *("--depends-on", "base", "--substitute", "n=1e3", "--retry-interval", "2m", "--sync-timeout", "3m"),
    ],
    "application": [
        "application",
        "guestbook",
        "--repo",
        "https://example.com/a.git",
        "--path",
        "guestbook",
        "--prune",
    ],
    "application-full": [
        *("application", "guestbook", "--repo", "https://example.com/a.git", "--revision", "v1.*", "--manual"),
        *("--dest-namespace", "guestbook", "--create-namespace", "--cascade", "--recurse"),
    ],
}


@pytest.mark.parametrize("case", CREATE)
def test_create_exports_what_its_dialect_reads(trueup: Trueup, golden: Golden, case: str) -> None:
    ran = trueup("create", *CREATE[case], "--export")
    assert (ran.code, ran.stderr) == (0, "")
    golden(f"create/{case}.yaml", ran.stdout)
    assert trueup("validate", "-", stdin=ran.stdout.encode()).code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["source", "git", "a", "--url", "ftp://example.com"], "spec.url"),
        (
            ["source", "git", "a", "--url", "https://example.com", "--interval", "3"],
            "--interval: '3' is not a duration",
        ),
        (["kustomization", "a", "--source", "HelmChart/b"], "no source that can be used"),
        (["source", "oci", "a", "--url", "https://ghcr.io/team/a"], "spec.url"),
        (["kustomization", "a", "--source", "b", "--substitute", "x"], "is not K=V"),
        (["application", "a", "--repo", "https://example.com", "--project", "other"], "spec.project"),
    ],
)
def test_create_refuses_what_could_not_work(trueup: Trueup, arguments: list[str], complaint: str) -> None:
    ran = trueup("create", *arguments, "--export")
    assert (ran.code, ran.stdout) == (1, "")
    assert complaint in ran.stderr


# the rest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(trueup: Trueup, shell: str) -> None:
    ran = trueup("completion", shell)
    assert ran.code == 0
    assert "_TRUEUP_COMPLETE" in ran.stdout


@pytest.mark.parametrize("arguments", [["get", "-o", "xml"], ["nonsense"], ["tree"], ["sync"], ["completion", "ksh"]])
def test_a_wrong_command_line_ends_with_2(trueup: Trueup, arguments: list[str]) -> None:
    assert trueup(*arguments).code == 2


def test_without_a_cluster_it_is_said_what_to_do(trueup: Trueup) -> None:
    ran = trueup("get")
    assert ran.code == 1
    assert "no cluster is configured" in ran.stderr
    assert "trueup up" in ran.stderr


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "trueup.cli.main", "completion", "bash"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
