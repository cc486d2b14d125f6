"""The reference is what the code says: generated tables are current, and nothing public is left out of the written ones."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import trueup
from docs import generate, recording
from docs.parts import compatibility
from tests.docs.pages import ROOT, name_of
from trueup.apps import pins
from trueup.dialects.argocd import marks as argocd_marks
from trueup.dialects.argocd import shared as argocd
from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.flux import marks as flux_marks
from trueup.dialects.flux import shared as flux
from trueup.dialects.flux.kustomization_resource import KustomizationSpec
from trueup.model.errors import TrueupError

REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(generate.pages()), ids=name_of)
def test_generated_tables_are_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate.pages()[path], "run: python docs/generate.py"


def test_every_part_has_a_place_on_some_page() -> None:
    text = "".join(page(path.name) for path in REFERENCE.glob("*.md"))
    assert not [part for part in generate.PARTS if f"<!-- generated: {part} -->" not in text]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            KustomizationSpec,
            [
                "spec.decryption",
            ],
        ),
        (ApplicationSpec, ["spec.sourceHydrator", "spec.project: (any other)"]),
    ],
)
def test_what_is_not_built_is_found_by_trying(spec: type, wanted: list[str]) -> None:
    """Fails, rightly, when one of these is built: then another belongs here."""
    assert set(wanted) <= set(compatibility.unbuilt(spec))


def test_every_reason_of_an_error_has_a_row() -> None:
    text = page("conditions.md")
    missing = {f"{cls.__module__}.{cls.__name__}: {cls.reason}" for cls in _errors() if f"`{cls.reason}`" not in text}
    assert not missing


def test_every_reason_of_an_event_or_notice_has_a_row() -> None:
    text = page("conditions.md")
    missing = {f"{place}: {reason}" for place, reason in _said() if f"`{reason}`" not in text}
    assert not missing


def test_every_annotation_and_finalizer_has_a_row() -> None:
    text = page("annotations.md")
    opt_outs = (flux_marks.OPT_OUT, argocd_marks.OPT_OUT)
    keys = {
        key
        for opt_out in opt_outs
        for pairs in (opt_out.never_prune, opt_out.never_delete, opt_out.never_apply, opt_out.only_create,
                      opt_out.merge, opt_out.force)
        for key, _ in pairs
    }  # fmt: skip
    keys |= {pins.PIN, pins.PIN_BY, pins.PIN_REASON, pins.PIN_UNTIL}
    keys |= {flux.FINALIZER, flux.REQUESTED_AT, *flux_marks.owner("", "").labels}
    keys |= {argocd.FINALIZER, argocd.REFRESH, argocd.SKIP_RECONCILE, argocd.SYNC_OPTIONS, argocd.TRACKING_ID}
    keys |= {found for _, source in _sources() for found in re.findall(r"[\"'](trueup\.dev/[a-z-]+)[\"']", source)}
    assert not [key for key in sorted(keys) if f"`{key}" not in text]


def test_every_environment_variable_has_a_row_and_no_other_does() -> None:
    text = page("configuration.md")
    private = {"TRUEUP_GIT_USERNAME", "TRUEUP_GIT_PASSWORD", "TRUEUP_SSH_PASSPHRASE"}  # from us to our own git
    used = {name for _, source in _sources() for name in re.findall(r"\bTRUEUP_[A-Z_]+\b", source)}
    used |= set(re.findall(r"\bTRUEUP_[A-Z_]+\b", (ROOT / "hatch_build.py").read_text(encoding="utf-8")))
    assert set(re.findall(r"`(TRUEUP_[A-Z_]+)`", text)) == used - private


def test_the_recording_is_drawn_from_its_text() -> None:
    text = (ROOT / "docs/images/first-minute.ansi").read_text(encoding="utf-8")
    assert (ROOT / "docs/images/first-minute.svg").read_text(encoding="utf-8") == recording.drawn(text, recording.LABEL)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=name_of)
def test_a_picture_is_well_formed_follows_the_theme_and_asks_nothing_of_the_network(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"<script|@import|url\((?!#)|href=\"http", text)


def _sources() -> Iterator[tuple[str, str]]:
    folder = Path(inspect.getfile(trueup)).parent
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def _errors() -> Iterator[type[TrueupError]]:
    """Every error class of the product; those of the embedded Kubernetes are the API server's."""
    for module in pkgutil.walk_packages(trueup.__path__, "trueup."):
        if not re.search(r"\.embedded\b|__main__|\.migrations\b", module.name):
            importlib.import_module(module.name)
    waiting = list(TrueupError.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls.__module__.startswith("trueup.") and not cls.__module__.startswith("trueup.embedded"):
            yield cls


def _said() -> Iterator[tuple[str, str]]:
    """The constant reasons of `Event(reason=...)`, `Notice(...)` and of outcomes, wherever the code makes them."""
    for place, source in _sources():
        if place.startswith("embedded/"):
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "")
            values: list[ast.expr] = []
            if name in ("Event", "Conclusion"):
                values = [word.value for word in node.keywords if word.arg == "reason"]
            elif name == "Notice":
                values = node.args[:1]
            for value in values:
                branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                for branch in branches:
                    if isinstance(branch, ast.Constant) and branch.value:
                        yield f"{place}:{node.lineno}", str(branch.value)
