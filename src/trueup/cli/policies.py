"""Where `trueup rbac` takes its policy from: the cluster's `argocd-rbac-cm` and AppProjects, or files that are to become them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from trueup.cli.session import Session
from trueup.dialects.argocd.appproject_resource import AppProjectSpec
from trueup.dialects.argocd.shared import APP_PROJECT
from trueup.dialects.reading import read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of, spec_of
from trueup.server.access.policy import MAIN, Policy, policy_of
from trueup.server.access.projects import Project, ProjectRole

CONFIG_MAP = "argocd-rbac-cm"
_LARGEST = 8 * 1024 * 1024


class Sources(Struct, frozen=True, kw_only=True):
    """A policy with the projects that it speaks of."""

    policy: Policy
    projects: Mapping[str, Project]


async def from_cluster(session: Session, namespace: str) -> Sources:
    """A cluster without the ConfigMap has the built-in policy alone, as with Argo CD."""
    resource = await session.client.discovery.resource("", "v1", "ConfigMap")
    found = await session.client.get(resource, CONFIG_MAP, namespace)
    kind = await session.client.discovery.resource(APP_PROJECT.group, APP_PROJECT.version, APP_PROJECT.kind)
    projects = await session.client.list_all(kind, namespace)
    return Sources(policy=policy_of(_data(found or {})), projects=_projects(projects))


def from_files(paths: Iterable[Path]) -> Sources:
    """Each file is a policy in CSV, or YAML that holds the ConfigMap and any AppProjects. Raises InvalidInput."""
    data: dict[str, str] = {}
    projects: list[Manifest] = []
    for path in paths:
        text = _text(path)
        if path.suffix not in (".yaml", ".yml", ".json"):
            key = MAIN if MAIN not in data else f"policy.{path.name}.csv"
            data[key] = text
            continue
        for document in _documents(path, text):
            if document.get("kind") == "ConfigMap":
                data |= _data(document)
            elif document.get("kind") == APP_PROJECT.kind:
                projects.append(document)
    return Sources(policy=policy_of(data), projects=_projects(projects))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise InvalidInput(f"{path} is larger than {_LARGEST} bytes")
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _documents(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        found = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not YAML: {error}") from error
    if not all(isinstance(document, dict) for document in found):
        raise InvalidInput(f"{path} holds something else than resources", hint="a policy in CSV is a .csv file")
    return found


def _data(config_map: Manifest) -> dict[str, str]:
    data = config_map.get("data")
    return {key: str(value) for key, value in data.items()} if isinstance(data, dict) else {}


def _projects(objects: Iterable[Manifest]) -> dict[str, Project]:
    found: dict[str, Project] = {}
    for obj in objects:
        ref = ref_of(obj)
        spec = read_struct(AppProjectSpec, spec_of(obj), ref=ref, root="spec")
        roles = tuple(ProjectRole(name=role.name, policies=role.policies, groups=role.groups) for role in spec.roles)
        found[ref.name] = Project(name=ref.name, roles=roles)
    return found
