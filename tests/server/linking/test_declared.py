"""What `argocd-cm` says of links, and which addresses may be shown."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.server.linking.declared import DeepLink, Link, leads_nowhere, leads_out, of_texts, read_links


def test_links_are_read_as_argo_cd_writes_them() -> None:
    text = """
    - url: https://logs.example.com?ns={{.application.spec.destination.namespace}}
      title: Logs
      description: what it says
      icon.class: "fa-book"
      if: application.spec.project == "default"
    - {url: "https://x", title: 7, if: true}
    """
    assert read_links(text) == (
        DeepLink(
            url="https://logs.example.com?ns={{.application.spec.destination.namespace}}",
            title="Logs",
            description="what it says",
            icon="fa-book",
            condition='application.spec.project == "default"',
        ),
        DeepLink(url="https://x", title="7", condition="true"),
    )
    assert read_links("") == read_links("# none yet") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url: https://x", "is no list of links"),
        ("- [", "is no YAML"),
        ("[" * 2000, "is no YAML"),
        ("- https://x", "link 1 is no mapping"),
        ("- {url: x, title: t}\n- {title: t}", "link 2 has no url"),
        ("- {url: https://x}", "link 1 has no title"),
        ("- {url: [x], title: t}", "link 1: url is no text"),
        ("- {url: x, title: t, iff: y}", "link 1 has 'iff'"),
        ("- {url: x, title: t, icon.class: 'a\"b'}", "icon.class"),
        ("\n".join("- {url: x, title: t}" for _ in range(101)), "has 101 links; 100 are allowed"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_links(text)
    assert said in caught.value.message


@pytest.mark.parametrize("url", ["https://a", "HTTP://a.b/c?d=e f#g", "https://a/<no value>", "https://[::1]:8/x"])
def test_addresses_of_the_web_are_shown(url: str) -> None:
    assert leads_out(url)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JavaScript:https://x", " https://x", "data:text/html,x", "//evil", "/x", "https://", "https:///x",
        "https://\\evil", "https://bank.example.com@evil.example.com", "https://a\nb", "https://a\x00", "java\tscript:alert(1)", "ftp://x",
        "https://a/" + "x" * 9000, "",
    ],
)  # fmt: skip
def test_nothing_else_is(url: str) -> None:
    assert not leads_out(url)


@pytest.mark.parametrize(
    ("url", "nowhere"),
    [
        ("https://{{.x}}", False),
        ("{{.x}}", False),
        ("ht{{.x}}", False),
        ("javascript:{{.x}}", True),
        ("slack://x", True),
    ],
)
def test_what_can_never_be_shown_is_seen_at_once(url: str, nowhere: bool) -> None:
    assert leads_nowhere(DeepLink(url=url, title="t")) is nowhere


def test_addresses_of_objects_are_called_by_where_they_lead_or_as_somebody_said() -> None:
    texts = [
        "https://a.example.com/",
        "Shop | https://shop.example.com",
        "Bad|javascript:alert(1)",
        "https://a.example.com/",
    ]
    assert list(of_texts(texts)) == [
        Link(title="a.example.com", url="https://a.example.com/"),
        Link(title="Shop", url="https://shop.example.com"),
    ]
