"""Git's insteadOf rules, beside git itself, and which URLs are one repository to a push notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueup.sources.insteadof import Rewrites, parse_rewrites, same_repository
from trueup.sources.mirrors import GitMirrors

CONFIG = {
    "url.http://127.0.0.1:3000/.insteadOf": "https://github.com/",
    "url.ssh://git@Mirror.local/deep/.insteadOf": "https://github.com/org/",
    "url.https://example.com/.insteadof": "ex:",
    "user.name": "Somchai",
}


def environment() -> dict[str, str]:
    values = {"GIT_CONFIG_COUNT": str(len(CONFIG)), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for index, (key, value) in enumerate(CONFIG.items()):
        values |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return values | {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@pytest.mark.parametrize(
    "url", ["https://github.com/a/b", "https://github.com/org/b.git", "ex:c/d", "https://gitlab.com/a", "git@h:p"]
)
async def test_urls_are_rewritten_as_git_rewrites_them(tmp_path: Path, url: str) -> None:
    mirrors = GitMirrors(tmp_path, allow_local=True, environment=environment())
    found = (await mirrors.rewrites()).apply(url)
    asked = await mirrors.git.run(["ls-remote", "--get-url", url])
    assert found == asked.decode().strip()


def test_other_settings_and_empty_values_are_no_rules() -> None:
    listing = b"core.bare\ntrue\0url.https://a/.insteadof\n\0url.https://b/.pushinsteadof\nx:\0novalue\0"
    assert parse_rewrites(listing) == Rewrites()


RULES = Rewrites((("https://github.com/", "http://127.0.0.1:3000/"),))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://github.com/org/web", "https://github.com/org/web.git", True),
        ("https://github.com/org/web/", "https://github.com/org/web.git/", True),
        ("git@github.com:org/web.git", "https://github.com/org/web", True),
        ("ssh://git@github.com/org/web", "git@github.com:Org/Web.git", True),
        ("ssh://git@code.example.com:7999/org/web.git", "https://code.example.com/org/web", True),
        ("https://code.example.com:8443/org/web", "https://code.example.com/org/web", False),
        ("https://code.example.com:443/org/web", "https://code.example.com/org/web", True),
        ("https://user:secret@github.com/org/web", "https://github.com/org/web", True),
        ("http://127.0.0.1:3000/org/web.git", "https://github.com/org/web", True),
        ("http://127.0.0.1:3001/org/web.git", "https://github.com/org/web", False),
        ("https://github.com/org/web", "https://github.com/org/webb", False),
        ("https://github.com/org/web", "https://gitlab.com/org/web", False),
        ("https://example.com/my%20web", "https://example.com/my%20web.git", True),
        ("not a url", "not a url", True),
        ("not a url", "https://github.com/org/web", False),
    ],
)
def test_a_push_notice_finds_its_sources_in_every_spelling(one: str, other: str, same: bool) -> None:
    assert same_repository(one, other, RULES) is same
    assert same_repository(other, one, RULES) is same
