"""A monorepo of N Apps: a third charts with values of their own, a third overlays on shared bases, a third plain manifests.

Ten bases and ten charts are shared by all. Each App comes to four objects.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from msgspec import Struct

from bench.world import NAMESPACE, app_objects, kustomization, source
from trueup.model.manifest import Manifest
from trueup.model.rendering import DirectoryOptions, HelmOptions, HelmValueFile, RenderMode, RenderSpec

SHARED = 10

_CHART = Path(__file__).parent / "chart"


class MonorepoApp(Struct, frozen=True):
    """One App: its name, kind (`helm`, `kustomize`, `plain`), the path that is its own, and how it is rendered."""

    name: str
    kind: str
    own: str
    spec: RenderSpec


def apps(count: int) -> list[MonorepoApp]:
    return [(_chart_app, _overlay_app, _plain_app)[number % 3](number) for number in range(count)]


def files(count: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(SHARED):
        for path in sorted(path for path in _CHART.rglob("*") if path.is_file()):
            text = path.read_text().replace("NAME", f"c{number}")
            found[f"charts/c{number}/{path.relative_to(_CHART)}"] = text
        found[f"bases/b{number}/kustomization.yaml"] = "resources: [objects.yaml]\n"
        found[f"bases/b{number}/objects.yaml"] = _yaml(number)
    for app in apps(count):
        found |= _own_files(app)
    return found


def changes(content: dict[str, str], all_apps: list[MonorepoApp]) -> dict[str, dict[str, str]]:
    """What changes -> the files of a commit. Each changes what its Apps come to."""
    one = next(app for app in all_apps[len(all_apps) // 2 :] if app.kind == "plain").own
    base, chart = "bases/b3/objects.yaml", "charts/c3/templates/service.yaml"
    return {
        "file": {one: content[one].replace("8080", "8081")},
        "shared base": {base: content[base].replace("8080", "8081")},
        "chart": {chart: content[chart].replace("8080", "8081")},
    }


def everything(content: dict[str, str]) -> dict[str, str]:
    """A commit that changes what every App comes to."""
    return {
        path: text.replace("8080", "8082").replace("targetPort: 8081", "targetPort: 8082") + "# again\n"
        for path, text in content.items()
        if not path.endswith(".tpl")
    }


def resources(url: str, count: int) -> list[Manifest]:
    """One GitRepository with a Kustomization for each overlay, and an Application for each of the others."""
    found: list[Manifest] = [source("repo", url)]
    for app in apps(count):
        if app.kind == "kustomize":
            found.append(kustomization(app.name, "repo", app.spec.path))
        else:
            found.append(_application(app, url))
    return found


def _application(app: MonorepoApp, url: str) -> Manifest:
    origin: dict[str, object] = {"repoURL": url, "targetRevision": "main", "path": app.spec.path}
    if app.kind == "helm":
        origin["helm"] = {"releaseName": app.name, "valueFiles": [f"../../{app.own}"]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": app.name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": origin,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def write(folder: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _own_files(app: MonorepoApp) -> dict[str, str]:
    number = int(app.name.removeprefix("app-"))
    match app.kind:
        case "helm":
            return {app.own: f"labels: {{team: t{number % 7}}}\nimage: {{tag: '1.27'}}\n"}
        case "kustomize":
            patch = "[{op: replace, path: /spec/replicas, value: 0}]"
            kustomization = {
                "resources": [f"../../bases/b{number % SHARED}"],
                "namePrefix": f"{app.name}-",
                "labels": [{"pairs": {"team": f"t{number % 7}"}, "includeSelectors": True}],
                "images": [{"name": "nginx", "newTag": "1.27"}],
                "patches": [{"target": {"kind": "Deployment"}, "patch": yaml.safe_dump(yaml.safe_load(patch))}],
            }
            return {app.own: yaml.safe_dump(kustomization)}
        case _:
            return {app.own: _yaml(number)}


def _yaml(number: int) -> str:
    return "---\n".join(yaml.safe_dump(obj) for obj in app_objects(number))


def _chart_app(number: int) -> MonorepoApp:
    name = f"app-{number:05d}"
    values = f"env/{name}.yaml"
    options = HelmOptions(release_name=name, namespace="apps", value_files=(HelmValueFile(values),))
    path = f"charts/c{number // 3 % SHARED}"
    return MonorepoApp(name, "helm", values, RenderSpec(path=path, mode=RenderMode.ARGOCD, helm=options))


def _overlay_app(number: int) -> MonorepoApp:
    name = f"app-{number:05d}"
    own = f"apps/{name}/kustomization.yaml"
    return MonorepoApp(name, "kustomize", own, RenderSpec(path=f"apps/{name}", mode=RenderMode.FLUX))


def _plain_app(number: int) -> MonorepoApp:
    name = f"app-{number:05d}"
    spec = RenderSpec(path=f"apps/{name}", mode=RenderMode.ARGOCD, directory=DirectoryOptions())
    return MonorepoApp(name, "plain", f"apps/{name}/app.yaml", spec)
