"""Config-management plugins: how they are found and told, what they print, and that a hostile one is contained."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.snapshots import Link, MemorySnapshot
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.rendering import refine
from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.rendering import Capabilities, PluginCall, PluginParameter, RenderSpec
from trueup.model.revision import git_revision
from trueup.render.built import Build
from trueup.render.cache import Reason
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import still_true
from trueup.render.limits import DEFAULT_LIMITS
from trueup.render.plugins.checkout import write_tree
from trueup.render.plugins.definitions import read_plugins
from trueup.render.plugins.environment import environment, parameter_variables
from trueup.render.plugins.plugins import Plugins
from trueup.render.plugins.sandbox import SandboxLimits
from trueup.render.render import Renderer

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {%s}\n"
KUBE = Capabilities(kube_version="v1.37.2", api_versions=frozenset({"v1", "apps/v1/Deployment"}))


def definition(name: str = "shout", script: str = "cat *.txt", **spec: Any) -> str:
    """Its `generate` is a shell script, as in Argo CD's examples."""
    generate = {"command": ["sh", "-c"], "args": [script]}
    body = {"generate": generate, **spec}
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ConfigManagementPlugin", "metadata": {"name": name}}
    return json.dumps(head | {"spec": body})


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Checkouts stand where the account that commands run as may go, and are gone after each run."""
    scratch = scratch_of(tmp_path)
    scratch.mkdir(mode=0o711)
    yield
    assert list(scratch.iterdir()) == []
    scratch.rmdir()
    shutil.rmtree(f"{scratch}-ours", ignore_errors=True)


def scratch_of(tmp_path: Path) -> Path:
    return Path(tempfile.gettempdir()) / f"{tmp_path.name}-{os.getpid()}"


def installed(tmp_path: Path, *texts: str, hide: tuple[str, ...] = (), **limits: Any) -> Plugins:
    folder = tmp_path / "plugins"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    return Plugins(read_plugins(folder), hide=hide, limits=SandboxLimits(**limits), scratch=scratch_of(tmp_path))


def spec_of(path: str = "app", **source: Any) -> RenderSpec:
    spec = {
        "project": "default",
        "destination": {"name": "in-cluster", "namespace": "shop"},
        "source": {"repoURL": "https://example.com/apps", "path": path, **source},
    }
    app = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
    }
    return ArgoCdDialect().read_app(app | {"spec": spec}).render


async def built(
    engines: EnginePool, plugins: Plugins, spec: RenderSpec, files: Mapping[str, str | bytes | Link]
) -> Build:
    renderer = Renderer(engines, refine=refine, plugins=plugins, capabilities=lambda: KUBE)
    found, verdict = await renderer.build(MemorySnapshot(files), spec)
    if found.source_type == "Plugin":
        assert verdict.reason is Reason.PRIVATE
    return found


def data_of(build: Build) -> dict[str, dict[str, str]]:
    objects = [json.loads(bytes(one.object)) for one in build.objects]
    return {each["metadata"]["name"]: each.get("data") or {} for each in objects}


FILES = {"app/a.txt": CONFIG % ("a", "colour: blue"), "app/b.yaml": CONFIG % ("b", ""), "lib/x.txt": "x"}


async def test_a_plugin_that_is_named_renders_the_path(engines: EnginePool, tmp_path: Path) -> None:
    plugins = installed(tmp_path, definition())
    found = await built(engines, plugins, spec_of(plugin={"name": "shout"}), FILES)
    assert data_of(found) == {"a": {"colour": "blue"}}
    assert found.source_type == "Plugin"


async def test_init_runs_first_and_both_see_the_whole_repository(engines: EnginePool, tmp_path: Path) -> None:
    init = {"command": ["sh", "-c", "cp ../lib/x.txt made.value"]}
    script = "echo 'apiVersion: v1'; echo 'kind: ConfigMap'; echo 'metadata: {name: m}'; echo \"data: {v: $(cat made.value)}\""
    plugins = installed(tmp_path, definition(script=script, init=init))
    found = await built(engines, plugins, spec_of(plugin={"name": "shout"}), FILES)
    assert data_of(found) == {"m": {"v": "x"}}


async def test_the_environment_is_what_is_documented_and_nothing_of_ours(
    engines: EnginePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUEUP_PUSH_TOKEN", "s3cret")
    script = "echo '{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"env\"}, \"data\": {'; env | sort | " \
             "sed 's/\"/\\\\\"/g; s/^\\([A-Za-z_0-9]*\\)=\\(.*\\)$/\"\\1\": \"\\2\",/'; echo '\"END\": \"\"}}'"  # fmt: skip
    plugins = installed(tmp_path, definition(script=script))
    call = {
        "name": "shout",
        "env": [
            {"name": "REGION", "value": "bkk-$ARGOCD_APP_NAME"},
            {"name": "PATH", "value": "/evil"},
            {"name": "BUILD", "value": "${ARGOCD_APP_REVISION_SHORT}-on-$KUBE_VERSION"},
        ],
        "parameters": [
            {"name": "image-tag", "string": "v1"},
            {"name": "hosts", "array": ["a", "b"]},
            {"name": "labels", "map": {"team.name": "shop"}},
        ],
    }
    found = data_of(await built(engines, plugins, spec_of(plugin=call), FILES))["env"]
    revision = MemorySnapshot(FILES).revision.digest
    wanted = {
        "ARGOCD_APP_NAME": "shop",
        "ARGOCD_APP_NAMESPACE": "shop",
        "ARGOCD_APP_PROJECT_NAME": "default",
        "ARGOCD_APP_SOURCE_PATH": "app",
        "ARGOCD_APP_SOURCE_REPO_URL": "https://example.com/apps",
        "ARGOCD_APP_REVISION": revision,
        "ARGOCD_APP_REVISION_SHORT": revision[:7],
        "ARGOCD_ENV_REGION": "bkk-shop",
        "ARGOCD_ENV_PATH": "/evil",
        "ARGOCD_ENV_BUILD": f"{revision[:7]}-on-1.37.2",
        "KUBE_VERSION": "1.37.2",
        "KUBE_API_VERSIONS": "apps/v1/Deployment,v1",
        "PARAM_IMAGE_TAG": "v1",
        "PARAM_HOSTS_0": "a",
        "PARAM_HOSTS_1": "b",
        "PARAM_LABELS_TEAM_NAME": "shop",
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert json.loads(found["ARGOCD_APP_PARAMETERS"])[0] == {"name": "image-tag", "string": "v1"}
    assert "TRUEUP_PUSH_TOKEN" not in found
    assert found["PATH"] == os.environ["PATH"]
    prefixes = ("ARGOCD_", "PARAM_", "KUBE_")
    ours = {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "SHLVL", "OLDPWD", "_", "END"}
    assert {key for key in found if not key.startswith(prefixes)} <= ours


@pytest.mark.parametrize(
    ("discover", "fits"),
    [
        ({"fileName": "shout.cfg"}, True),
        ({"fileName": "./sh*.cfg"}, True),
        ({"fileName": "nothing"}, False),
        ({"find": {"glob": "**/deep.cfg"}}, True),
        ({"find": {"glob": "**/none.cfg"}}, False),
        ({"find": {"command": ["sh", "-c", "find . -name deep.cfg"]}}, True),
        ({"find": {"command": ["sh", "-c", "find . -name none.cfg"]}}, False),
        ({"find": {"command": ["sh", "-c", "echo yes; exit 1"]}}, False),
        ({}, False),
    ],
)
async def test_a_plugin_finds_its_own_paths_before_any_tool_does(
    engines: EnginePool, tmp_path: Path, discover: dict[str, Any], fits: bool
) -> None:
    files = {**FILES, "app/shout.cfg": "", "app/x/y/deep.cfg": "", "app/kustomization.yaml": "resources: [b.yaml]\n"}
    plugins = installed(tmp_path, definition(discover=discover))
    found = await built(engines, plugins, spec_of(), files)
    assert found.source_type == ("Plugin" if fits else "Kustomize")
    if not fits and "fileName" in discover:
        assert not still_true(found.inputs, MemorySnapshot({**files, "app/nothing": "now it is there"}))
    explicit = await built(engines, plugins, spec_of(directory={"recurse": False}), files)
    assert explicit.source_type == "Directory"


async def test_a_plugin_without_a_name_is_the_one_that_fits(engines: EnginePool, tmp_path: Path) -> None:
    plugins = installed(
        tmp_path,
        definition("no", discover={"fileName": "no.cfg"}),
        definition("yes", discover={"fileName": "a.txt"}, version="v2"),
    )
    assert (await built(engines, plugins, spec_of(plugin={}), FILES)).source_type == "Plugin"
    assert (await built(engines, plugins, spec_of(plugin={"name": "yes-v2"}), FILES)).source_type == "Plugin"
    with pytest.raises(BuildFailed, match="no plugin says that this path is its own"):
        await built(engines, plugins, spec_of("lib", plugin={}), FILES)
    with pytest.raises(BuildFailed, match="there is no plugin named yes") as caught:
        await built(engines, plugins, spec_of(plugin={"name": "yes"}), FILES)
    assert "no, yes-v2" in caught.value.hint


async def test_every_revision_is_another_question_to_a_plugin(engines: EnginePool, tmp_path: Path) -> None:
    found = await built(engines, installed(tmp_path, definition()), spec_of(plugin={"name": "shout"}), FILES)
    assert still_true(found.inputs, MemorySnapshot(FILES))
    assert not still_true(found.inputs, MemorySnapshot({**FILES, "far/away": "x"}))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo broken >&2; exit 3", "exit code 3: broken"),
        ("exec nothing-of-this-name", "exit code 12"),
        ("echo 'a: [1'", "plugin output"),
        ("kill -9 $$", "exit code 137"),
    ],
)
async def test_what_goes_wrong_is_said_with_the_commands_own_words(
    engines: EnginePool, tmp_path: Path, script: str, said: str
) -> None:
    plugins = installed(tmp_path, definition(script=script))
    with pytest.raises(BuildFailed) as caught:
        await built(engines, plugins, spec_of(plugin={"name": "shout"}), FILES)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("script", "limits", "said"),
    [
        ("sleep 600", {"seconds": 1.0}, "took longer than 1 s"),
        ("while :; do :; done", {"cpu_seconds": 1, "seconds": 20.0}, "exit code"),
        ("yes 0123456789012345678901234567890123456789", {"output_bytes": 1 << 20}, "printed more than 1048576 bytes"),
        ("head -c 100000000 /dev/zero > big", {"file_bytes": 1 << 20}, "exit code"),
        ("head -c 100000000 /dev/zero | tail -c 100000000", {"memory_bytes": 64 << 20}, "exit code"),
        ("f() { f | f & }; f; sleep 600", {"processes": 64, "seconds": 2.0}, ""),
    ],
)
async def test_a_hostile_plugin_ends_within_its_limits(
    engines: EnginePool, tmp_path: Path, script: str, limits: dict[str, Any], said: str
) -> None:
    plugins = installed(tmp_path, definition(script=script), **limits)
    begun = time.monotonic()
    with pytest.raises(BuildFailed) as caught:
        await built(engines, plugins, spec_of(plugin={"name": "shout"}), FILES)
    assert said in str(caught.value)
    assert time.monotonic() - begun < 60


async def test_nothing_that_a_plugin_starts_outlives_it(engines: EnginePool, tmp_path: Path) -> None:
    mark = f"86{os.getpid()}"
    script = f"(setsid sleep {mark} >/dev/null 2>&1 &); setsid sleep {mark} >/dev/null 2>&1 & cat *.txt"
    await built(engines, installed(tmp_path, definition(script=script)), spec_of(plugin={"name": "shout"}), FILES)
    await asyncio.sleep(0)
    assert not [pid for pid in processes() if mark in _command(pid)]


def processes() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def with_token(path: str) -> Path:
    folder = Path(path)
    folder.mkdir(exist_ok=True, mode=0o755)
    (folder / "token").write_text("s3cret")
    return folder


async def test_a_plugin_reaches_no_network_and_sees_no_process_and_no_folder_of_ours(
    engines: EnginePool, tmp_path: Path
) -> None:
    """On kernels that allow namespaces, as those of CI and of most clusters' nodes do."""
    ours = with_token(f"{scratch_of(tmp_path)}-ours")
    script = (
        "n=$(cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' \\n'); p=$(ls /proc | grep -c '^[0-9]'); "
        f"t=$(cat {ours}/token 2>/dev/null); "
        'printf \'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: seen}\\ndata: {net: "%s", procs: "%s", token: "%s"}\\n\' '
        '"$n" "$p" "$t"'
    )
    plugins = installed(tmp_path, definition(script=script), hide=(str(ours),))
    found = data_of(await built(engines, plugins, spec_of(plugin={"name": "shout"}), FILES))["seen"]
    assert found["net"] == "lo"
    assert int(found["procs"]) < 10
    assert found["token"] == ""


async def test_a_path_that_leads_out_is_refused(engines: EnginePool, tmp_path: Path) -> None:
    plugins = installed(tmp_path, definition())
    for path in ("../..", "away", "app/a.txt"):
        with pytest.raises(BuildFailed):
            await built(engines, plugins, spec_of(path, plugin={"name": "shout"}), {**FILES, "away": Link("../..")})


def test_a_checkout_holds_files_links_that_stay_inside_and_modes_when_asked(tmp_path: Path) -> None:
    files: dict[str, str | bytes | Link] = {
        "a/b.txt": "x",
        "in": Link("a/b.txt"),
        "out": Link("../../etc/passwd"),
        "abs": Link("/etc/passwd"),
    }
    write_tree(MemorySnapshot(files), tmp_path / "tree", modes=False)
    assert (tmp_path / "tree" / "in").read_text() == "x"
    assert not (tmp_path / "tree" / "out").is_symlink()
    assert not (tmp_path / "tree" / "abs").is_symlink()
    assert stat.S_IMODE((tmp_path / "tree" / "a" / "b.txt").stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "cannot be read"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nspec: {generate: {command: [a]}}", "not a ConfigManagementPlugin"),
        (definition(generat={}), "generat"),
        (json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "ConfigManagementPlugin", "metadata": {"name": "x"},
                     "spec": {"generate": {}}}), "names no command"),
    ],
)  # fmt: skip
def test_a_bad_definition_names_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"bad\.yaml") as caught:
        read_plugins(tmp_path)
    assert said in str(caught.value)


def test_parameters_become_variables_as_argo_cd_names_them() -> None:
    assert parameter_variables(PluginParameter(name="helm.values-file", string="x")) == {"PARAM_HELM_VALUES_FILE": "x"}
    call = PluginCall(env={"A=B": "no", "OK": "yes"})
    found = environment(call, git_revision("main", "a" * 40), Capabilities(), path="/bin", home="/h")
    assert found["ARGOCD_ENV_OK"] == "yes"
    assert not [name for name in found if "=" in name]


async def test_the_parameters_of_a_plugin_are_those_of_its_file_and_what_its_command_finds(tmp_path: Path) -> None:
    said = [{"name": "greeting", "string": "found"}, {"name": "count", "required": True, "newer": 1, "title": None}]
    plugins = installed(
        tmp_path,
        definition(
            parameters={
                "static": [{"name": "greeting", "string": "hello"}],
                "dynamic": {"command": ["sh", "-c"], "args": ["cat announced.json"]},
            }
        ),
    )
    snapshot, spec = MemorySnapshot({"app/announced.json": json.dumps(said)}), spec_of(plugin={"name": "shout"})
    plugin, _ = await plugins.choose(snapshot, spec, DEFAULT_LIMITS)
    assert plugin is not None
    found = await plugins.parameters(plugin, snapshot, spec, KUBE)
    assert [(each.name, each.string, each.required) for each in found] == [
        ("count", "", True),
        ("greeting", "hello", False),
    ]
    for content in ("no JSON", '{"name": "a"}', '[{"string": "nameless"}]'):
        with pytest.raises(BuildFailed, match="the parameters command of plugin shout prints no announcements"):
            await plugins.parameters(plugin, MemorySnapshot({"app/announced.json": content}), spec, KUBE)
    with pytest.raises(BuildFailed, match="the parameters command of plugin shout ended with exit code 1"):
        await plugins.parameters(plugin, MemorySnapshot({"app/else.json": ""}), spec, KUBE)
