"""The search of lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.world.kit import row
from trueup.apps.status import Status
from trueup.model.errors import InvalidInput
from trueup.server.world.rows import OperationText, SourceText
from trueup.server.world.searching import search

WEB = row(
    "web",
    status=Status.FAILED,
    health="Degraded",
    project="shop",
    labels={"team": "a"},
    images=("nginx:1.27",),
    message="Deployment/shop/web: CrashLoopBackOff",
    source=SourceText(url="https://git.example.com/Apps.git", path="./apps/web"),
    operation=OperationText(phase="Running"),
    automated=False,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "WEB",
        "crashloop",
        "apps.git",
        "health:degraded",
        "status:ready,failed",
        "health:degraded project:shop label:team=a name~web",
        "label:team",
        "name~^w.b$",
        "-status:ready",
        "image:nginx",
        "is:broken is:busy is:manual",
        "-is:pinned",
        "key:kustomization/shop/web",
        "repo:git.example.com",
        '"CrashLoopBackOff"',
        "https://git.example.com",
    ],
)
def test_it_is_found_by(text: str) -> None:
    assert search(text)(WEB)


@pytest.mark.parametrize(
    "text",
    [
        "shopping",
        "status:ready",
        "health:degraded status:ready",
        "label:team=b",
        "label:other",
        "name~^b",
        "-web",
        "is:suspended",
        "key:kustomization/shop/we",
        "project:sho",
    ],
)
def test_it_is_not_found_by(text: str) -> None:
    assert not search(text)(WEB)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", "no field 'colour'"),
        ("is:red", "is:red means nothing"),
        ("name~(", "no pattern"),
        ("label~a", "takes no pattern"),
        ('"open', "not closed"),
        ("x" * 501, "longer than 500"),
        ("a " * 31, "more than 30"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        search(text)
    assert caught.value.field == "search"


def test_a_pattern_that_would_take_for_ever_elsewhere_does_not_here() -> None:
    assert not search("name~^(a+)+$")(row("a" * 200 + "b"))


@given(st.text("ab:~-=\"' /is,label", max_size=30))
def test_no_text_is_a_fault(text: str) -> None:
    try:
        found = search(text)
    except InvalidInput:
        return
    assert found(WEB) in (True, False)
