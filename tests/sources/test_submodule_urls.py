"""Which repository a submodule's address means."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.sources.giturl import parse_git_url
from trueup.sources.submodules import Submodule, may_share_credentials, parse_gitmodules, submodule_url


@pytest.mark.parametrize(
    ("parent", "url", "expected"),
    [
        ("https://host/team/a.git", "../b.git", "https://host/team/b.git"),
        ("https://host/team/a.git", "../../other/b", "https://host/other/b"),
        ("https://host/team/a", "./b", "https://host/team/a/b"),
        ("git@host:team/a.git", "../b.git", "git@host:team/b.git"),
        ("git@host:a.git", "../b.git", "git@host:b.git"),
        ("ssh://git@host/team/a", "../b", "ssh://git@host/team/b"),
        ("https://host/a", "https://elsewhere/b", "https://elsewhere/b"),
    ],
)
def test_relative_addresses_are_read_as_git_reads_them(parent: str, url: str, expected: str) -> None:
    assert submodule_url(parse_git_url(parent), Submodule("s", "s", url), allow_local=False).text == expected


@pytest.mark.parametrize(
    ("parent", "url"),
    [
        ("https://host/a", "../../../b"),
        ("https://host/a", "file:///etc"),
        ("https://host/a", "/etc"),
        ("https://host/a", "-oProxyCommand=x"),
        ("https://host/a", "ext::sh -c x"),
        ("https://host/a", ""),
    ],
)
def test_a_submodule_leads_nowhere_that_its_parent_may_not_go(parent: str, url: str) -> None:
    with pytest.raises(InvalidInput):
        submodule_url(parse_git_url(parent), Submodule("s", "s", url), allow_local=True)


def test_credentials_go_along_to_the_same_host_only() -> None:
    parent = parse_git_url("https://host/a")
    assert may_share_credentials(parent, parse_git_url("https://host/b"))
    assert not may_share_credentials(parent, parse_git_url("https://other/b"))
    assert not may_share_credentials(parent, parse_git_url("http://host/b"))
    assert not may_share_credentials(parse_git_url("git@host:a"), parse_git_url("root@host:a"))


def test_gitmodules_names_may_hold_dots() -> None:
    listed = b"submodule.lib.v1.path\nvendor/lib\0submodule.lib.v1.url\n../lib\0core.x\ny\0submodule.nopath.url\nx\0"
    assert parse_gitmodules(listed) == (Submodule("lib.v1", "vendor/lib", "../lib"),)
