"""Stories of one object: who writes what, step by step, as the case files say it. Playing them is `playing`'s work.

The files of `tests/embedded/merge/cases` are read as well: what the merging alone is tested with there, whole servers are
tested with here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from tests.embedded.merge import scenario
from tests.embedded.merge.scenario import NAMESPACE, Kind, kinds

HERE = Path(__file__).parent
CASES = HERE / "cases"
RECORDED = HERE / "recorded"
FOLDERS = (scenario.CASES, CASES)


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request.

    `object`, `patch`, `ops` and `raw` are bodies of creates and applies, of patches, of JSON patches, and as they stand.
    `change` is a merge patch that the client makes on its own copy before it puts the whole object. In them,
    `LIVE-VERSION`, `LIVE-UID` and `FIRST-VERSION` become those of the stored object.
    """

    verb: str
    manager: str = ""
    object: dict[str, Any] = {}
    change: dict[str, Any] = {}
    patch: dict[str, Any] = {}
    ops: list[Any] = []
    raw: str = ""
    force: bool = False
    subresource: str = ""
    query: str = ""
    url_name: str = ""
    """Another name in the URL than the object's."""


class Story(Struct, frozen=True):
    file: str
    title: str
    kind: str
    steps: tuple[Step, ...]
    name: str = ""

    @property
    def place(self) -> Kind:
        return kinds()[self.kind]

    @property
    def collection(self) -> str:
        return f"/{self.place.path}/namespaces/{NAMESPACE}/{self.place.plural}"

    def complete(self, step: Step) -> dict[str, Any]:
        """The step's object with what is the same in all steps: its kind, its name, its namespace."""
        is_scale = step.subresource == "scale"
        api_version, kind = ("autoscaling/v1", "Scale") if is_scale else (self.place.api_version, self.kind)
        given = step.object.get("metadata", {})
        if not isinstance(given, dict):
            return {"apiVersion": api_version, "kind": kind, **step.object}
        metadata = {"name": self.name, "namespace": NAMESPACE, **given}
        metadata = {key: value for key, value in metadata.items() if value != "<none>"}
        return {"apiVersion": api_version, "kind": kind, **step.object, "metadata": metadata}


@cache
def stories() -> tuple[Story, ...]:
    """Every story of every file, in order."""
    out = []
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.yaml")):
            for number, raw in enumerate(yaml.safe_load(path.read_text())):
                steps = []
                for step in raw["steps"]:
                    [(verb, arguments)] = step.items()
                    steps.append(msgspec.convert({"verb": verb, **arguments}, Step))
                out.append(Story(path.stem, raw["title"], raw["kind"], tuple(steps), f"{path.stem}-{number:02}"))
    titles = [(story.file, story.title) for story in out]
    assert len(set(titles)) == len(titles), "two stories of one title"
    return tuple(out)


def is_apply(story: Story) -> bool:
    return any(step.verb == "apply" for step in story.steps)


def is_strategic(story: Story) -> bool:
    return any(step.verb == "strategic" for step in story.steps)
