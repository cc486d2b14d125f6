"""What the shared settings mean, what is hidden of them, and which changes are refused."""

from __future__ import annotations

from typing import Any

import pytest

from trueup.server.api.refusals import BadQuery
from trueup.server.keeping.settingforms import GENERAL, HIDDEN, POLICIES, changed, check, settings_of, shown_value

OIDC = "name: Corp\nissuer: https://id.example.com\nclientID: trueup\nclientSecret: {}\n"


def tried(name: str, before: dict[str, str], change: dict[str, str | None]) -> Any:
    return check(name, before, changed(before, change), lambda text: text)


def test_what_trueup_reads_is_told_apart_from_what_stands_there_for_argo_cd() -> None:
    found = {one.key: one for one in settings_of(GENERAL, {"accounts.ci": "apiKey", "kustomize.buildOptions": "--x"})}
    assert (found["accounts.ci"].known, found["kustomize.buildOptions"].known) == (True, False)
    assert found["accounts.ci"].meaning.startswith("local users")


@pytest.mark.parametrize(
    ("key", "text", "shows"),
    [
        ("oidc.config", OIDC.format("canary"), HIDDEN),
        ("oidc.config", OIDC.format("$oidc.clientSecret"), "$oidc.clientSecret"),
        ("dex.config", "connectors:\n- config:\n    bindPW: canary\n    host: ldap", HIDDEN),
        ("trueup.sso", "- id: gh\n  clientSecret: canary", HIDDEN),
        ("oidc.config", "{: canary", HIDDEN),
        ("some.password", "canary", HIDDEN),
        ("passwordPattern", "^.{12,}$", "^.{12,}$"),
    ],
)
def test_credentials_in_settings_are_hidden_and_references_are_not(key: str, text: str, shows: str) -> None:
    shown = shown_value(key, text)
    assert shows in shown
    assert "canary" not in shown


def test_what_was_hidden_may_not_be_sent_back() -> None:
    with pytest.raises(BadQuery, match="hidden in place") as caught:
        changed({"oidc.config": OIDC.format("canary")}, {"oidc.config": OIDC.format(HIDDEN)})
    assert caught.value.field == "body.data.oidc.config"
    with pytest.raises(BadQuery, match="can be no key"):
        changed({}, {"a b": "c"})
    assert changed({"a": "1", "b": "2"}, {"a": None, "c": "3"}) == {"b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("name", "change", "key", "words"),
    [
        (GENERAL, {"url": "trueup.example.com"}, "url", "not an address"),
        (GENERAL, {"additionalUrls": "https://a"}, "additionalUrls", "no YAML list"),
        (GENERAL, {"users.session.duration": "soon"}, "users.session.duration", "soon"),
        (GENERAL, {"passwordPattern": "("}, "passwordPattern", "no pattern"),
        (GENERAL, {"admin.enabled": "no"}, "admin.enabled", "'no'"),
        (GENERAL, {"resource.links": "- url: https://x"}, "resource.links", "link 1 has no title"),
        (GENERAL, {"accounts.bob.smith": "login"}, "accounts.bob.smith", "makes no user"),
        (GENERAL, {"accounts.bob": "login, fly"}, "accounts.bob", "'fly' is no capability"),
        (GENERAL, {"accounts.bob.enabled": "off"}, "accounts.bob.enabled", "'off'"),
        (GENERAL, {f"accounts.{'b' * 33}": "login"}, f"accounts.{'b' * 33}", "longer than 32 bytes"),
        (GENERAL, {"oidc.config": "issuer: http://id.example.com\nclientID: x"}, "oidc.config", "http"),
        (POLICIES, {"policy.csv": "p, role:a, applications, fly, */*, allow"}, "policy.csv", "line 1: .*no action"),
        (POLICIES, {"policy.csv": "p, role:a, applications"}, "policy.csv", "line 1"),
        (POLICIES, {"policy.matchMode": "exact"}, "policy.matchMode", "exact"),
        (POLICIES, {"scopes": "[groups"}, "scopes", "YAML"),
        (POLICIES, {"policy.default": "role:nobody"}, "policy.default", "no rules"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_key(name: str, change: Any, key: str, words: str) -> None:
    with pytest.raises(BadQuery, match=words) as caught:
        tried(name, {}, change)
    assert caught.value.field == f"body.data.{key}"


def test_one_of_several_wrongs_may_be_mended_alone() -> None:
    assert tried(GENERAL, {"url": "x", "admin.enabled": "no"}, {"url": "https://trueup.example.com"}) == ()


def test_odd_changes_are_made_and_remarked_upon() -> None:
    (remark,) = tried(GENERAL, {}, {"kustomize.buildOptions": "--x"})
    assert remark.place == "kustomize.buildOptions"
    remarks = tried(POLICIES, {}, {"policy.csv": "p, role:a, applications, get, shop, allow"})
    assert any("PROJECT/NAME" in one.message for one in remarks)
