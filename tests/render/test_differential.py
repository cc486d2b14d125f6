"""The engines against the official commands of the same release, on shapes that people have in their repositories.

Charts are compared byte for byte, document by document; Kustomize's objects as canonical JSON, read by the one Go reader;
Jsonnet's values byte for byte. What one refuses the other refuses too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.peers.locate import find_program
from tests.render.differential.cases import Case, cases, load
from trueup.model.errors import TrueupError
from trueup.model.rendering import (
    Capabilities,
    DirectoryOptions,
    HelmFileValue,
    HelmOptions,
    HelmValueFile,
    JsonnetOptions,
    JsonnetVariable,
    RenderMode,
    RenderSpec,
)
from trueup.render import helm
from trueup.render.building import build
from trueup.render.engine.build import HELM
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import Recorder
from trueup.render.limits import DEFAULT_LIMITS
from trueup.render.manifests import read_manifests
from trueup.render.render import Renderer

pytestmark = pytest.mark.real

SECONDS = 60


def official(program: str, folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(find_program(program, print)), *arguments],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/nonexistent"},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )


async def refused(
    case: Case, spec: RenderSpec, engines: EnginePool, theirs: subprocess.CompletedProcess[bytes] | None
) -> bool:
    """Whether the case is about a refusal; fails when one of the two does not refuse."""
    if not case.refused:
        return False
    assert theirs is None or theirs.returncode != 0, f"the official tool gives {theirs.stdout.decode()[:500]}"
    with pytest.raises(TrueupError) as error:
        await Renderer(engines).build(case.snapshot(), spec)
    assert case.refused in str(error.value), str(error.value)
    return True


# helm


@pytest.mark.parametrize("path", cases("helm"))
async def test_a_chart_gives_what_helm_template_prints(path: Path, engines: EnginePool, tmp_path: Path) -> None:
    case = load(path)
    case.write(tmp_path)
    (tmp_path / "inline-values.yaml").write_text(case.options.values)
    theirs = official("helm", tmp_path, _helm_arguments(case))
    options = _helm_options(case)
    if await refused(case, RenderSpec(path=case.path, mode=RenderMode.ARGOCD, helm=options), engines, theirs):
        return
    assert theirs.returncode == 0, theirs.stderr.decode()

    ours = await engines.beside(HELM).use(
        lambda engine: helm.template(
            engine, Recorder(case.snapshot()), case.path, options, Capabilities(), DEFAULT_LIMITS
        )
    )
    printed = [f"{_name(case, document.path)}\n{document.text.rstrip()}" for document in ours.documents]
    assert sorted(printed) == sorted(_printed(theirs.stdout.decode()))


def _helm_options(case: Case) -> HelmOptions:
    told = case.options
    return HelmOptions(
        release_name=told.release_name,
        namespace=told.namespace,
        value_files=tuple(HelmValueFile(each) for each in told.value_files),
        values=told.values,
        set=told.set,
        set_string=told.set_string,
        set_file=tuple(HelmFileValue(name, file) for name, file in told.set_file),
        kube_version=told.kube_version,
        api_versions=told.api_versions,
        include_crds=told.include_crds,
        skip_tests=told.skip_tests,
        skip_schema_validation=told.skip_schema_validation,
    )


def _helm_arguments(case: Case) -> list[str]:
    told = case.options
    words = ["template", told.release_name, case.path, "--namespace", told.namespace]
    for each in told.value_files:
        words += ["--values", each]
    if told.values:
        words += ["--values", "inline-values.yaml"]
    for each in told.set:
        words += ["--set", each]
    for each in told.set_string:
        words += ["--set-string", each]
    for name, file in told.set_file:
        words += ["--set-file", f"{name}={file}"]
    words += ["--kube-version", told.kube_version] if told.kube_version else []
    for each in told.api_versions:
        words += ["--api-versions", each]
    words += ["--include-crds"] if told.include_crds else []
    words += ["--skip-tests"] if told.skip_tests else []
    words += ["--skip-schema-validation"] if told.skip_schema_validation else []
    return words


def _printed(text: str) -> list[str]:
    """The documents of the command's output, each under the name of its template."""
    return [document.rstrip() for document in f"\n{text}".split("\n---\n# Source: ")[1:]]


def _name(case: Case, place: str) -> str:
    """A template's name from where it stands: `web/templates/a.yaml`."""
    return f"{case.path.rpartition('/')[2]}/{place.removeprefix(f'{case.path}/')}"


# kustomize


@pytest.mark.parametrize("path", cases("kustomize"))
async def test_a_kustomization_gives_what_kustomize_build_prints(
    path: Path, engines: EnginePool, tmp_path: Path
) -> None:
    case = load(path)
    case.write(tmp_path)
    command = ["build", "--load-restrictor", "LoadRestrictionsNone", case.path]
    theirs = official("kustomize", tmp_path, command) if not case.ours else None
    spec = RenderSpec(path=case.path, mode=RenderMode.ARGOCD, force_kustomize=True)
    if await refused(case, spec, engines, theirs):
        return
    assert theirs is not None
    assert theirs.returncode == 0, theirs.stderr.decode()

    ours = [msgspec.json.decode(one.object) for one in (await build(case.snapshot(), spec, engines)).objects]
    expected = [one.manifest for one in await read_manifests({"theirs.yaml": theirs.stdout}, engines)]
    assert _canonical(ours, ordered=case.ordered) == _canonical(expected, ordered=case.ordered)


def _canonical(objects: Sequence[object], *, ordered: bool) -> list[bytes]:
    encoded = [msgspec.json.encode(each, order="sorted") for each in objects]
    return encoded if ordered else sorted(encoded)


# jsonnet


@pytest.mark.parametrize("path", cases("jsonnet"))
async def test_a_file_gives_what_jsonnet_prints(path: Path, engines: EnginePool, tmp_path: Path) -> None:
    case = load(path)
    case.write(tmp_path)
    told = case.options
    words = ["-J", case.path]
    for each in told.libraries:
        words += ["-J", each]
    for flag, given in (
        ("--ext-str", told.ext_vars),
        ("--ext-code", told.ext_code),
        ("--tla-str", told.top_level),
        ("--tla-code", told.top_level_code),
    ):
        for name, value in given.items():
            words += [flag, f"{name}={value}"]
    theirs = official("jsonnet", tmp_path, [*words, f"{case.path}/main.jsonnet"]) if not case.ours else None
    options = JsonnetOptions(
        libraries=told.libraries,
        ext_vars=(*_variables(told.ext_vars), *_variables(told.ext_code, code=True)),
        top_level=(*_variables(told.top_level), *_variables(told.top_level_code, code=True)),
    )
    spec = RenderSpec(path=case.path, mode=RenderMode.ARGOCD, directory=DirectoryOptions(jsonnet=options))
    if await refused(case, spec, engines, theirs):
        return
    assert theirs is not None
    assert theirs.returncode == 0, theirs.stderr.decode()

    ours = [_compact(one.object) for one in (await build(case.snapshot(), spec, engines)).objects]
    printed = theirs.stdout.strip()
    items = msgspec.json.decode(printed, type=list[msgspec.Raw]) if printed.startswith(b"[") else [msgspec.Raw(printed)]
    assert ours == [_compact(item) for item in items]


def _compact(text: msgspec.Raw) -> bytes:
    """Numbers and their digits as they stand; spaces between values are not, and Go's writer escapes a few characters more."""
    shown: bytes = msgspec.json.format(bytes(text), indent=-1)
    for character in "<>&\u2028\u2029":
        shown = shown.replace(f"\\u{ord(character):04x}".encode(), character.encode())
    return shown


def _variables(given: dict[str, str], *, code: bool = False) -> tuple[JsonnetVariable, ...]:
    return tuple(JsonnetVariable(name, value, code=code) for name, value in given.items())
