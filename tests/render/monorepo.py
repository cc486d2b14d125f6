"""Random monorepos and random changes to them: Apps of every kind that share bases, charts, libraries, files and links."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import yaml

from tests.support.snapshots import Link
from trueup.model.rendering import (
    DirectoryOptions,
    HelmOptions,
    HelmValueFile,
    JsonnetOptions,
    JsonnetVariable,
    RenderMode,
    RenderSpec,
)

Files: TypeAlias = dict[str, str | bytes | Link]
Apps: TypeAlias = dict[str, RenderSpec]

WORDS = ("red", "green", "blue", "black", "white")


def config(name: str, value: str = "red") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{color: {value}}}\n"


def monorepo(chance: random.Random) -> tuple[Files, Apps]:
    """Two Apps of each kind, and what they share."""
    files: Files = {"README.md": "read me\n", "shared/text/a.txt": "one\n", "shared/text/b.txt": "two\n"}
    files["shared/text/b.yaml"] = config("linked")
    for number in range(3):
        files |= _base(number, chance)
    for number in range(2):
        files |= _chart(number, chance)
    files |= {
        "shared/parts/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "patches:\n- {path: patch.yaml, target: {kind: ConfigMap}}\n",
        "shared/parts/patch.yaml": "- op: add\n  path: /metadata/labels\n  value: {team: red}\n",
        "lib/a.libsonnet": "{ color: 'red' }\n",
        "lib/b.libsonnet": "local a = import 'a.libsonnet'; a { size: 1 }\n",
        "env/dev.yaml": "color: blue\n",
        "env/prod.yaml": "color: black\n",
    }
    apps: Apps = {}
    makers: tuple[Callable[[int, random.Random], tuple[Files, RenderSpec]], ...] = (
        _overlay,
        _generated,
        _release,
        _jsonnet,
        _plain,
    )
    for make in makers:
        for number in range(2):
            more, spec = make(number, chance)
            files |= more
            apps[f"{make.__name__.strip('_')}-{number}"] = spec
    return files, apps


def _base(number: int, chance: random.Random) -> Files:
    here = f"shared/base-{number}"
    generator = (
        [{"name": "text", "files": [chance.choice(["../text/a.txt", "note.txt"])]}] if chance.random() < 0.5 else []
    )
    kustomization = {"resources": ["a.yaml", "b.yaml"], "configMapGenerator": generator}
    return {
        f"{here}/kustomization.yaml": yaml.safe_dump(kustomization),
        f"{here}/a.yaml": config(f"base-{number}-a"),
        f"{here}/b.yaml": Link(f"../text/{number}.yaml") if chance.random() < 0.3 else config(f"base-{number}-b"),
        f"{here}/note.txt": "note\n",
        f"{here}/unused.yaml": config("unused"),
        f"shared/text/{number}.yaml": config(f"linked-{number}"),
    }


def _chart(number: int, chance: random.Random) -> Files:
    here = f"charts/c{number}"
    text = '\n  text: {{ .Files.Get "files/t.txt" | quote }}' if chance.random() < 0.5 else ""
    return {
        f"{here}/Chart.yaml": f"apiVersion: v2\nname: c{number}\nversion: 0.1.0\n",
        f"{here}/values.yaml": "color: white\n",
        f"{here}/.helmignore": "*.bak\nignored/\n",
        f"{here}/left.bak": "x",
        f"{here}/ignored/x.yaml": "{{ nonsense",
        f"{here}/files/t.txt": "text\n",
        f"{here}/templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        f"data:\n  color: {{{{ .Values.color }}}}{text}\n",
    }


def _overlay(number: int, chance: random.Random) -> tuple[Files, RenderSpec]:
    here = f"apps/overlay-{number}"
    kustomization: dict[str, Any] = {
        "resources": [f"../../shared/base-{chance.randrange(3)}"],
        "namePrefix": f"o{number}-",
    }
    if chance.random() < 0.5:
        kustomization["components"] = ["../../shared/parts"]
    if chance.random() < 0.5:
        kustomization["configMapGenerator"] = [{"name": "own", "files": ["../../shared/text/b.txt"]}]
    mode = chance.choice(list(RenderMode))
    files: Files = {
        f"{here}/kustomization.yaml": yaml.safe_dump(kustomization),
        f"{here}/unread.yaml": config("unread"),
    }
    return files, RenderSpec(path=here, mode=mode)


def _generated(number: int, chance: random.Random) -> tuple[Files, RenderSpec]:
    """A tree without a kustomization file, as Flux takes it."""
    here = f"apps/generated-{number}"
    files: Files = {
        f"{here}/a.yaml": config("a"),
        f"{here}/deep/b.yaml": config("b"),
        f"{here}/notes.md": "notes\n",
        f"{here}/sub/kustomization.yaml": f"resources: [../../../shared/base-{chance.randrange(3)}]\n",
        f"{here}/linked.yaml": Link("../../shared/text/b.yaml"),
    }
    if chance.random() < 0.5:
        files[f"{here}/.sourceignore"] = "deep/\n"
    return files, RenderSpec(path=f"./{here}/", mode=RenderMode.FLUX, ignore=chance.choice([None, "*.md\n"]))


def _release(number: int, chance: random.Random) -> tuple[Files, RenderSpec]:
    values = (
        HelmValueFile(f"env/{chance.choice(['dev', 'prod'])}.yaml"),
        HelmValueFile("env/extra.yaml", optional=True),
    )
    options = HelmOptions(release_name=f"r{number}", namespace="shop", value_files=values)
    return {}, RenderSpec(path=f"charts/c{chance.randrange(2)}", mode=RenderMode.ARGOCD, helm=options)


def _jsonnet(number: int, chance: random.Random) -> tuple[Files, RenderSpec]:
    here = f"apps/jsonnet-{number}"
    library = chance.choice(["a", "b"])
    text = (
        f"local lib = import '{library}.libsonnet';\n"
        "{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: std.extVar('name') },\n"
        "  data: { color: lib.color, text: importstr '../../shared/text/a.txt' } }\n"
    )
    options = JsonnetOptions(libraries=("lib",), ext_vars=(JsonnetVariable("name", f"j{number}"),))
    files: Files = {f"{here}/main.jsonnet": text, f"{here}/plain.yaml": config("plain")}
    return files, RenderSpec(path=here, mode=RenderMode.ARGOCD, directory=DirectoryOptions(jsonnet=options))


def _plain(number: int, chance: random.Random) -> tuple[Files, RenderSpec]:
    here = f"apps/plain-{number}"
    files: Files = {
        f"{here}/a.yaml": config("a"),
        f"{here}/b.yml": config("b"),
        f"{here}/c.txt": "no manifest",
        f"{here}/deep/d.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}',
        f"{here}/link.yaml": Link("../../shared/text/b.yaml"),
    }
    recurse, exclude = chance.random() < 0.5, chance.choice(["", "b.*", "deep/*"])
    options = DirectoryOptions(recurse=recurse, exclude=exclude, include=chance.choice(["", "{*.yaml,deep/*}"]))
    return files, RenderSpec(path=here, mode=RenderMode.ARGOCD, directory=options)


def changed(files: Files, chance: random.Random) -> Files:
    """One to three things done to it that people do, and some that nobody should."""
    result = dict(files)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(sorted(result))
        match chance.randrange(9):
            case 0:
                del result[path]
            case 1 | 2 | 3:
                result |= edited(result, path, chance)
            case 4:
                result[f"{path}.old"] = result.pop(path)
            case 5:
                result[path] = Link(chance.choice(["a.yaml", "../text/b.yaml", "nowhere", "../../../etc/passwd", "."]))
            case 6:
                content = result.pop(path)
                result[f"{path}/inside.yaml"] = content
            case _:
                folder = path.rpartition("/")[0]
                name = chance.choice(NEW_NAMES)
                result[f"{folder}/{name}".lstrip("/")] = chance.choice([config("new"), "*.yaml\n", "color: new\n"])
    return without_clashes(result)


NEW_NAMES = (
    "new.yaml", "kustomization.yml", "Kustomization", ".sourceignore", ".helmignore", "deep/n.yaml", "extra.yaml", "x.md",
    "a.libsonnet", "templates/new.yaml", ".argocd-source.yaml", "Chart.yaml", "main.jsonnet",
)  # fmt: skip


def edited(files: Files, path: str, chance: random.Random) -> Files:
    """The file with another content of the same kind."""
    content = files[path]
    if not isinstance(content, str):
        return {path: content}
    for word in WORDS:
        if word in content:
            return {path: content.replace(word, chance.choice(WORDS))}
    return {path: f"{content}\n" if chance.random() < 0.5 else f"{content}# changed\n"}


def without_clashes(files: Files) -> Files:
    """Nothing is a file and a directory at once."""
    kept: Files = {}
    for path, content in sorted(files.items()):
        if not any(path.startswith(f"{other}/") for other in kept):
            kept[path] = content
    return kept
