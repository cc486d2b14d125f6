"""The cases of this folder: who writes what, step by step. Playing them is `realserver`'s and `replay`'s work."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

HERE = Path(__file__).parent
CASES = HERE / "cases"
RECORDED = HERE / "recorded"
NAMESPACE = "cases"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One write. `change` is a merge patch that the client makes on its own copy before it puts the whole object."""

    verb: str
    manager: str
    object: dict[str, Any] = {}
    change: dict[str, Any] = {}
    patch: dict[str, Any] = {}
    ops: list[Any] = []
    force: bool = False
    subresource: str = ""

    @property
    def body(self) -> Any:
        """What a patch sends."""
        return self.ops if self.verb == "json" else self.patch


class Case(Struct, frozen=True):
    file: str
    title: str
    kind: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The name of the object that the case plays with."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")[:60].rstrip("-")

    def complete(self, body: dict[str, Any], kind: Kind, step: Step) -> dict[str, Any]:
        """An object of a step with what is the same in all steps: its kind and its name."""
        api_version, name = (
            ("autoscaling/v1", "Scale") if step.subresource == "scale" else (kind.api_version, self.kind)
        )
        metadata = {"name": self.name, "namespace": NAMESPACE, **body.get("metadata", {})}
        return {"apiVersion": api_version, "kind": name, **body, "metadata": metadata}


class Kind(Struct, frozen=True):
    path: str
    plural: str

    @property
    def api_version(self) -> str:
        return self.path.removeprefix("apis/").removeprefix("api/")

    @property
    def group_version(self) -> tuple[str, str]:
        group, _, version = self.api_version.rpartition("/")
        return group, version


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What a step did: the status code, and either the stored object or the Status that refused it."""

    code: int
    object: dict[str, Any] = {}
    status: dict[str, Any] = {}
    unchanged: bool = False
    """The write made no new version of the object."""


@cache
def _kinds_file() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((HERE / "kinds.yaml").read_text())
    return data


@cache
def kinds() -> dict[str, Kind]:
    return msgspec.convert(_kinds_file()["kinds"], dict[str, Kind])


def crds() -> dict[str, dict[str, Any]]:
    """The custom resources by kind: `schema`, `subresources`, `scope`."""
    found: dict[str, dict[str, Any]] = _kinds_file()["crds"]
    return found


def crd_manifest(kind: str) -> dict[str, Any]:
    spec, place = crds()[kind], kinds()[kind]
    group, version = place.group_version
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{place.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": spec["scope"],
            "names": {"kind": kind, "plural": place.plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": spec["schema"]},
                    "subresources": spec["subresources"],
                }
            ],
        },
    }


@cache
def load_cases() -> tuple[Case, ...]:
    """Every case of every file, in order."""
    out = []
    for path in sorted(CASES.glob("*.yaml")):
        for raw in yaml.safe_load(path.read_text()):
            steps = []
            for step in raw["steps"]:
                [(verb, arguments)] = step.items()
                steps.append(msgspec.convert({"verb": verb, **arguments}, Step))
            out.append(Case(path.stem, raw["title"], raw["kind"], tuple(steps)))
    names = [case.name for case in out]
    assert len(set(names)) == len(names), "two cases of one name would share an object"
    return tuple(out)


@cache
def recorded(file: str) -> dict[str, list[Outcome]]:
    """What the real server answered to the cases of a file, by title."""
    return msgspec.json.decode((RECORDED / f"{file}.json").read_bytes(), type=dict[str, list[Outcome]])


_PASSING = ("uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")


def stable(obj: dict[str, Any]) -> dict[str, Any]:
    """An object without what differs from run to run; rows in an order that no clock decides."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _PASSING}
    rows = [row | ({"time": "<time>"} if "time" in row else {}) for row in metadata.get("managedFields", ())]
    rows.sort(key=lambda row: tuple(row.get(key, "") for key in ("operation", "manager", "apiVersion", "subresource")))
    if rows:
        metadata["managedFields"] = rows
    return {**obj, "metadata": metadata}
