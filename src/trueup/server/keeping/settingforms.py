"""The settings that Trueup and Argo CD share: what each key means, what may be shown of it, and whether a change can be right. Pure.

They are two ConfigMaps of the control namespace, `argocd-cm` and `argocd-rbac-cm`. What Trueup does not read stands there for
Argo CD; it is shown and kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.server.access.lint import Severity, lint
from trueup.server.access.policy import policy_of
from trueup.server.acting.overriding import SETTING
from trueup.server.api.refusals import BadQuery
from trueup.server.identity.accounts import wrong_with
from trueup.server.identity.settings import compiled
from trueup.server.identity.sso.providers import ARGO, OURS, providers_of
from trueup.server.linking.declared import Of, read_links

GENERAL, POLICIES = "argocd-cm", "argocd-rbac-cm"
HIDDEN = "********"
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SECRET_WORD = re.compile(r"secret|password|passwd|bindpw|token|private.?key|credential|apikey", re.IGNORECASE)
_FOLDED = frozenset({ARGO, OURS, "dex.config"})
"""Values that are YAML, in which a credential may stand in place of a reference to one."""

KNOWN: dict[str, dict[str, str]] = {
    GENERAL: {
        "url": "where people reach this server; a login comes back there",
        "additionalUrls": "further addresses of it, a YAML list",
        "admin.enabled": "whether the user admin may sign in (true)",
        "accounts.*": "local users: accounts.NAME: apiKey, login",
        "passwordPattern": "what a new password must match (^.{8,32}$)",
        "users.session.duration": "how long a login lasts at most (24h)",
        "users.anonymous.enabled": "whether people may look around without signing in (false)",
        SETTING: "whether a sync to another revision than an App's own, or a pin, needs the right override (false)",
        "oidc.config": "an OpenID provider to sign in with, as Argo CD writes it",
        "oidc.tls.insecure.skip.verify": "whether its certificate is not verified (false)",
        "trueup.sso": "more providers, a YAML list",
        "statusbadge.enabled": "whether anybody may fetch the badge of an App (false)",
        "statusbadge.url": "where badges are fetched, if not at this server",
        "application.links": "links of every App into other systems, a YAML list of url, title and if",
        "resource.links": "links of every object of an App, written alike",
        "project.links": "links of every project, written alike",
    },
    POLICIES: {
        "policy.csv": "who may do what",
        "policy.*.csv": "more of the same, by name",
        "policy.default": "the role of everybody who is signed in",
        "policy.matchMode": "glob or regex (glob)",
        "scopes": "the claims that hold groups, a YAML list in a string ([groups])",
    },
}
"""What Trueup reads, with what it means, and what holds when it is not there."""


class Setting(Struct, frozen=True, kw_only=True):
    """`known`: Trueup reads it. `hides`: part of the value is not shown, and may not be sent back as it is shown."""

    key: str
    value: str
    known: bool
    hides: bool
    meaning: str


class Remark(Struct, frozen=True, kw_only=True):
    """What is odd about a change that can be made all the same. `place` is `policy.csv:3`, or a key."""

    place: str
    message: str
    hint: str = ""


def settings_of(name: str, data: Mapping[str, str]) -> tuple[Setting, ...]:
    rows = []
    for key in sorted(data):
        value = shown_value(key, data[key])
        meaning = _meaning(name, key)
        rows.append(Setting(key=key, value=value, known=bool(meaning), hides=value != data[key], meaning=meaning))
    return tuple(rows)


def shown_value(key: str, text: str) -> str:
    """Values that are configuration of others may hold a credential: those are hidden, references (`$...`) are not."""
    if key not in _FOLDED:
        return HIDDEN if _SECRET_WORD.search(key) and not _meaning(GENERAL, key) and not text.startswith("$") else text
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return HIDDEN
    hidden = _hidden(loaded)
    return text if hidden == loaded else yaml.safe_dump(hidden, sort_keys=False, allow_unicode=True)


def changed(before: Mapping[str, str], change: Mapping[str, str | None]) -> dict[str, str]:
    """`None` takes a key away. Raises BadQuery for what can be no key, and for a value that was shown with something hidden in it."""
    after = dict(before)
    for key, value in change.items():
        if not _CONFIG_KEY.fullmatch(key):
            raise BadQuery(
                f"{key!r} can be no key of a ConfigMap", field="body.data", hint="use letters, digits, -, _ and ."
            )
        if value is None:
            after.pop(key, None)
        elif HIDDEN in value and HIDDEN not in before.get(key, ""):
            raise BadQuery(
                "holds what was hidden in place of a credential",
                field=f"body.data.{key}",
                hint="write a reference, $KEY of argocd-secret or $SECRET:KEY, or the credential anew",
            )
        else:
            after[key] = value
    return after


def check(
    name: str, before: Mapping[str, str], after: Mapping[str, str], resolve: Callable[[str], str]
) -> tuple[Remark, ...]:
    """Raises BadQuery for what was right, or not there, before and is wrong now: somebody may mend one thing of several."""
    old = set(_wrong(name, before, resolve))
    new = [problem for problem in _wrong(name, after, resolve) if problem not in old]
    if new:
        key, message, hint = new[0]
        raise BadQuery(message, field=f"body.data.{key}", hint=hint)
    if name != POLICIES:
        return tuple(
            Remark(place=key, message="Trueup does not read it; it stands there for Argo CD")
            for key in sorted(after)
            if before.get(key) != after[key] and not _meaning(name, key)
        )
    found = [one for one in lint(policy_of(after)) if one.severity is Severity.WARNING]
    return tuple(Remark(place=str(one.place), message=one.message, hint=one.hint) for one in found)


def _wrong(name: str, data: Mapping[str, str], resolve: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of each thing that cannot be right."""
    if name == POLICIES:
        yield from _wrong_policies(data)
        return
    checks: Iterable[tuple[str, Callable[[str], object]]] = (
        ("url", _check_url),
        ("additionalUrls", _check_urls),
        ("users.session.duration", _check_duration),
        ("passwordPattern", compiled),
        *((key, _check_bool) for key in _BOOLEANS),
        *((of, read_links) for of in Of),
    )
    for key, function in checks:
        if text := data.get(key, "").strip():
            try:
                function(text)
            except InvalidInput as error:
                yield key, error.message, error.hint
    for key in sorted(data):
        if (wrong := wrong_with(key, data[key])) is not None:
            yield key, *wrong
    for problem in providers_of(data, resolve).problems:
        yield next((key for key in _FOLDED if key in problem.field), ARGO), problem.message, problem.hint


_BOOLEANS = (
    "admin.enabled",
    "users.anonymous.enabled",
    "oidc.tls.insecure.skip.verify",
    "statusbadge.enabled",
    SETTING,
)


def _wrong_policies(data: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    mode = data.get("policy.matchMode", "")
    if mode not in ("", "glob", "regex"):
        yield "policy.matchMode", f"is {mode!r}", "write glob or regex"
    try:
        policy = policy_of(data)
    except InvalidInput as error:
        yield error.field, error.message, error.hint
        return
    for finding in lint(policy):
        if finding.severity is Severity.ERROR:
            yield finding.place.name, f"line {finding.place.line}: {finding.message}", finding.hint


def _check_url(text: str) -> None:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise InvalidInput(f"is {text!r}, not an address of a server", hint="write https://trueup.example.com")


def _check_urls(text: str) -> None:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInput("is no YAML list of addresses", hint="write a line `- https://...` for each")
    for one in found:
        _check_url(one)


def _check_duration(text: str) -> None:
    parse_duration(text)


def _check_bool(text: str) -> None:
    if text not in ("true", "false"):
        raise InvalidInput(f"is {text!r}", hint='write "true" or "false"')


def _meaning(name: str, key: str) -> str:
    known = KNOWN.get(name, {})
    for pattern, meaning in known.items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", ".+"), key):
            return meaning
    return ""


def _hidden(value: Any, word: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, word) for item in value]
    is_reference = isinstance(value, str) and value.startswith("$")
    return HIDDEN if word and _SECRET_WORD.search(word) and value and not is_reference else value
