"""Every scenario of the conformance suite, by area: which files hold it, and what is known to differ.

A scenario is what both servers are asked and whose answers are compared: a story, a sequence of requests, an object, a
sequence of a client's commands. The tests of each area prove that what is not listed as known is equal.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from tests.conformance.known import KNOWN
from tests.conformance.story import Story, is_apply, is_strategic, stories

EMBEDDED = Path(__file__).resolve().parents[1] / "embedded"


class Area(Struct, frozen=True):
    """`files` are globs below tests/embedded; `known` is a module and the name of its table of known differences."""

    name: str
    simulates: str
    files: tuple[str, ...] = ()
    known: tuple[str, str] | None = None
    stories: Callable[[Story], bool] | None = None

    @property
    def titles(self) -> tuple[str, ...]:
        if self.stories is not None:
            return tuple(f"{story.file}: {story.title}" for story in stories() if self.stories(story))
        paths = sorted(path for pattern in self.files for path in EMBEDDED.glob(pattern))
        return tuple(f"{path.stem}: {title}" for path in paths for title in _titles(path))

    @property
    def differences(self) -> dict[str, str]:
        """Scenario -> why it is not equal."""
        if self.stories is not None:
            return {title: KNOWN[title] for title in self.titles if title in KNOWN}
        if self.known is None:
            return {}
        module, name = self.known
        found: dict[str, str] = getattr(importlib.import_module(module), name)
        return found


def _rest(story: Story) -> bool:
    return not is_apply(story) and not is_strategic(story)


AREAS = (
    Area(
        "Server-side apply",
        "ownership in managedFields, conflicts, force, list types, status and scale, the way from client-side apply",
        stories=is_apply,
    ),
    Area(
        "Strategic merge patch",
        "merge keys, directives, order of elements",
        stories=lambda story: is_strategic(story) and not is_apply(story),
    ),
    Area("JSON patch, merge patch, updates", "and who owns what after them", stories=_rest),
    Area("Requests", "all verbs, their options and refusals", ("api/cases/request*.yaml",)),
    Area(
        "Built-in kinds",
        "defaults and table rows, an object of each kind",
        ("api/cases/defaults.yaml",),
        ("tests.embedded.api.test_like_the_real_server", "KNOWN_DIFFERENCES"),
    ),
    Area("Protobuf", "the bodies that typed Go clients send", ("api/cases/protobuf*.yaml",)),
    Area("Status", "what a status write may change, kind by kind", ("api/cases/status.yaml",)),
    Area("Subresources", "scale, eviction, token, binding and others", ("api/cases/subresources*.yaml",)),
    Area("Lists", "pages, selectors, media types", ("api/cases/list-*.yaml",)),
    Area("Watches", "bookmarks, initial events, versions, history that is gone", ("api/cases/watch-*.yaml",)),
    Area("Deletion", "preconditions, propagation, finalizers, collections", ("api/cases/delete-*.yaml",)),
    Area(
        "CustomResourceDefinitions",
        "structural schemas, defaults, pruning, versions, columns, subresources, conditions",
        ("api/cases/crds-*.yaml",),
    ),
    Area("Schemas", "which schemas are refused, and what objects become of them", ("schema/cases/*.yaml",)),
    Area(
        "Rules in CEL",
        "`x-kubernetes-validations` of custom kinds: what they refuse, which are refused, transitions, ratcheting",
        ("api/cases/cel-*.yaml",),
    ),
    Area("Access and admission", "authentication, RBAC, reviews, service accounts", ("api/cases/auth-*.yaml",)),
    Area("Webhooks", "validating and mutating admission, match conditions", ("api/cases/webhooks*.yaml",)),
    Area(
        "Workloads",
        "controllers, scheduling and pods ([what exactly](embedded-workloads.md))",
        ("workloads/cases/*.yaml",),
    ),
    Area("Clients", "kubectl, Helm and Python clients: commands and their whole output", ("clients/cases/*.yaml",)),
)


def scenarios() -> int:
    """How many there are in all areas together."""
    return sum(len(area.titles) for area in AREAS)


@cache
def _titles(path: Path) -> tuple[str, ...]:
    documents = [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each is not None]
    return tuple(_in_documents(documents))


def _in_documents(documents: list[Any]) -> Iterator[str]:
    for document in documents:
        match document:
            case list():
                yield from (_title(number, each) for number, each in enumerate(document, 1))
            case {"kind": kind, "metadata": {"name": name}}:
                yield f"{kind} {name}"
            case {"objects": objects}:
                yield from (str(each["title"]) for each in objects)
            case {"title": title, "steps": _}:
                yield str(title)
            case _:
                raise ValueError(f"no scenario: {str(document)[:80]}")


def _title(number: int, scenario: dict[str, Any]) -> str:
    """A lone request has its place and its verb for a title."""
    verb, what = next(iter(scenario.items()))
    return str(scenario.get("title") or f"{number}. {verb} {what}")
