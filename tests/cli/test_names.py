"""What a person types for an App."""

from __future__ import annotations

import pytest

from trueup.cli.names import choose, not_found, read_selectors
from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind, ObjectRef

KS = GroupKind("kustomize.toolkit.fluxcd.io", "Kustomization")
APP = GroupKind("argoproj.io", "Application")
WORDS = {
    **dict.fromkeys(("ks", "kustomization", "kustomizations"), frozenset({KS})),
    **dict.fromkeys(("app", "apps", "application"), frozenset({APP})),
}


def ref(kind: GroupKind, namespace: str, name: str) -> ObjectRef:
    return ObjectRef(kind.group, kind.kind, namespace, name)


WEB = ref(KS, "shop", "web")
ELSEWHERE = ref(KS, "blog", "web")
GUESTBOOK = ref(KS, "flux-system", "guestbook")
APPLICATION = ref(APP, "argocd", "guestbook")
IN_NAMESPACE_APP = ref(KS, "app", "cart")
ALL = [WEB, GUESTBOOK, APPLICATION, IN_NAMESPACE_APP]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("web", WEB),
        ("shop/web", WEB),
        ("ks/web", WEB),
        ("Kustomization/web", WEB),
        ("ks/shop/web", WEB),
        (str(WEB), WEB),
        ("app/guestbook", APPLICATION),
        ("argocd/guestbook", APPLICATION),
        ("flux-system/guestbook", GUESTBOOK),
        ("app/cart", IN_NAMESPACE_APP),  # a namespace may be called like a kind
        ("nobody", None),
        ("shop/guestbook", None),
        ("app/web", None),
    ],
)
def test_a_name_means_one_resource_or_none(text: str, meant: ObjectRef | None) -> None:
    assert choose(text, read_selectors(text, WORDS), ALL) == meant


@pytest.mark.parametrize("text", ["guestbook", "web"])
def test_a_name_of_several_resources_says_which_they_are(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(text, read_selectors(text, WORDS), [*ALL, ELSEWHERE])
    for candidate in [r for r in [*ALL, ELSEWHERE] if r.name == text]:
        assert str(candidate) in str(caught.value)


def test_the_text_that_an_ambiguity_proposes_is_not_ambiguous() -> None:
    with pytest.raises(InvalidInput) as caught:
        choose("web", read_selectors("web", WORDS), [WEB, ELSEWHERE])
    proposed = caught.value.hint.removeprefix("write ")
    assert choose(proposed, read_selectors(proposed, WORDS), [WEB, ELSEWHERE]) is not None


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "ks//web", "a/b/c/d"])
def test_what_is_no_name_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidInput, match="write NAME"):
        read_selectors(text, WORDS)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="kinds are app, application"):
        read_selectors("deployment/shop/web", WORDS)


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("wep", "Kustomization/shop/web"),
        ("blog/web", "Kustomization/shop/web"),
        ("guestbok", "Application/argocd/guestbook"),
    ],
)
def test_an_unknown_name_suggests_near_ones(text: str, proposed: str) -> None:
    assert proposed in not_found(text, read_selectors(text, WORDS), ALL, what="App").hint


def test_an_unknown_name_without_near_ones_says_where_to_look() -> None:
    assert "get all" in not_found("zzz", read_selectors("zzz", WORDS), ALL, what="App").hint
    assert "none at all" in not_found("zzz", read_selectors("zzz", WORDS), [], what="App").message
