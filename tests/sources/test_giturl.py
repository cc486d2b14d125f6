"""Git URLs: what is one, what is the same, what may be seen."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.sources.giturl import mask_url, parse_git_url


@pytest.mark.parametrize(
    ("text", "scheme", "host", "clean"),
    [
        ("https://github.com/stefanprodan/podinfo", "https", "github.com", "https://github.com/stefanprodan/podinfo"),
        ("HTTPS://GitHub.com/a/b.git", "https", "github.com", "https://github.com/a/b.git"),
        ("http://127.0.0.1:8080/a", "http", "127.0.0.1", "http://127.0.0.1:8080/a"),
        ("ssh://git@github.com/a/b", "ssh", "github.com", "ssh://git@github.com/a/b"),
        ("ssh://git@host:2222/a/b", "ssh", "host", "ssh://git@host:2222/a/b"),
        ("git@github.com:a/b.git", "ssh", "github.com", "git@github.com:a/b.git"),
        ("file:///srv/git/a", "file", "", "file:///srv/git/a"),
        ("git://host/a", "git", "host", "git://host/a"),
        ("https://[::1]:8443/a", "https", "[::1]", "https://[::1]:8443/a"),
        ("https://user:pass%2Fword@host/a", "https", "host", "https://host/a"),
    ],
)
def test_every_form_is_read(text: str, scheme: str, host: str, clean: str) -> None:
    url = parse_git_url(text, allow_local=True)
    assert (url.scheme, url.host, url.text) == (scheme, host, clean)


def test_a_password_is_taken_out_and_never_shown() -> None:
    url = parse_git_url("https://ann:se%40cret@host/a")
    assert (url.user, url.password) == ("ann", "se@cret")
    assert "cret" not in f"{url} {url!r} {url.text} {url.identity}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=x",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "https://-host/a",
        "ssh://-oProxyCommand=x/a",
        "ssh://-user@host/a",
        "https://host",
        "https://host/",
        "https:///a",
        "https://host/a b",
        "https://host/a\nb",
        "https://host:99999/a",
        "https://host/a?b=c",
        "https://host/a#main",
        "ftp://host/a",
        "file://",
        "/srv/git/a",
        "./relative",
        "file://other-host/srv",
        "https://se cret:x@host/a",
    ],
)
def test_what_is_no_git_url_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_git_url(text, allow_local=True)
    assert caught.value.field == "url"


@pytest.mark.parametrize("text", ["file:///srv/git/a", "git://host/a"])
def test_local_protocols_need_to_be_allowed(text: str) -> None:
    with pytest.raises(InvalidInput, match="not allowed"):
        parse_git_url(text)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_git_url("ftp://ann:secret@host/a")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("https://HOST/a", "https://host/a", True),
        ("https://host:443/a", "https://host/a", True),
        ("https://host/a/", "https://host/a", True),
        ("https://ann:x@host/a", "https://host/a", True),
        ("https://host/a.git", "https://host/a", False),
        ("https://host/A", "https://host/a", False),
        ("http://host/a", "https://host/a", False),
        ("ssh://git@host/a", "ssh://other@host/a", False),
        ("git@host:a/b", "ssh://git@host/a/b", True),
    ],
)
def test_two_spellings_share_a_mirror_only_if_they_name_one_repository(one: str, two: str, same: bool) -> None:
    assert (parse_git_url(one).directory_name == parse_git_url(two).directory_name) is same


def test_masking_keeps_the_rest_of_a_text() -> None:
    assert mask_url("fatal: https://a:b@host/c: no") == "fatal: https://***@host/c: no"


def test_a_token_that_stands_in_the_users_place_is_masked_and_a_user_is_not() -> None:
    assert mask_url("https://ghp_0123456789abcdefghij@github.com/a/b") == "https://***@github.com/a/b"
    assert mask_url("see HTTP://glpat-0123456789abcdef@host/a, too") == "see HTTP://***@host/a, too"
    for text in (
        "https://acme@dev.azure.com/acme/p/_git/r",
        "ssh://APKAEIBAERJR2EXAMPLE@git.example.com/r",
        "https://host/a@b",
    ):
        assert mask_url(text) == text
