"""What of an object, or of words about it, may leave the process: Secrets are masked, and so is what looks like one elsewhere.

Three kinds of places: values of a core Secret; values under a name that speaks of a secret (Helm values, environment
variables, parameters, arguments); texts that are secrets by their form (keys in PEM, tokens, passwords in URLs). A mask is a
keyed hash, so that a change still shows as one. Rather too much is masked than too little; names of Secrets stay readable.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from trueup.model.manifest import Manifest
from trueup.sync.canonical import LAST_APPLIED, MASK, canonical, mask, masked, masking_of

_WORDS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secrets?|tokens?|credentials?|api[-_.]?keys?|private[-_.]?keys?|access[-_.]?keys?"
    r"|signing[-_.]?keys?|encryption[-_.]?keys?|authorization|bearer|cookie|salt|dockerconfig(?:json)?|kubeconfig"
    r"|connection[-_.]?string|dsn|otp|pin[-_.]?code|webhook[-_.]?url"
)
_ENDS = r"(?:password|passwd|passphrase|secret|token|apikey|privatekey|credentials?)$"
_SPEAKS = re.compile(rf"(?:^|[^a-z])(?:{_WORDS})(?:$|[^a-z])|{_ENDS}", re.IGNORECASE)
_POINTS = re.compile(
    r"(?:refs?|names?|namespace|paths?|files?|mount|class|type|kind|seconds|ttl|policy|enabled|store)$", re.IGNORECASE
)
"""`secretName`, `tokenPath`: where a secret is, not what it is."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KEPT_NAMES = ("name", "namespace", "kind", "apiVersion")

_FORMS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # a JSON Web Token
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abpr]-[\w-]{10,}|AKIA[0-9A-Z]{16})\b",
        r"(?<=://)[^/\s:@?#]*:[^/\s@]+(?=@)",  # user:password of a URL
        r"(?<=://)[^/\s:@?#]{20,}(?=@)",  # a token in the user's place
        r"(?<=[Bb]earer )[^\s\"']{6,}",
        r"(?<=[Bb]asic )[A-Za-z0-9+/=]{8,}",
    )
)
_SAID = re.compile(
    rf"(?P<key>(?:{_WORDS})[\"']?\s{{0,8}}[:=]\s{{0,8}})(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&}}\"']+)", re.IGNORECASE
)
"""`password: x`, `--token=x`, `?secret=x` within a longer text."""


def concealed(obj: Manifest, key: bytes) -> Manifest:
    """A copy that may be kept and shown. `key` is this process's own; equal values get equal masks."""
    known = masked(obj, masking_of(obj), key)
    metadata = known.get("metadata")
    if isinstance(metadata, dict):
        known = known | {"metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}
    return {name: _value(name, value, key, secret=False) for name, value in known.items()}


def concealed_json(text: str, key: bytes) -> str:
    """The same of a JSON text, as canonical JSON; what is none is taken for words."""
    if not text:
        return ""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError):
        return conceal_words(text, key)
    if isinstance(value, dict):
        return canonical(concealed(value, key)).decode()
    return canonical(_value("", value, key, secret=False)).decode()


def conceal_words(text: str, key: bytes) -> str:
    """A message without what is a secret by its form or by the name before it."""
    for form in _FORMS:
        text = form.sub(lambda found: mask(found.group(), key), text)
    return _SAID.sub(lambda found: found["key"] + _masked_once(found["value"], key), text)


def speaks_of_a_secret(name: str) -> bool:
    """Whether what has this name is likely to be one: `dbPassword`, `API_TOKEN`, `auth.password`; not `secretName`."""
    words = _CAMEL.sub("_", name)
    return bool(_SPEAKS.search(words)) and not _POINTS.search(words)


def _value(name: str, value: Any, key: bytes, *, secret: bool) -> Any:
    if name == LAST_APPLIED:
        return _masked_once(value, key)
    secret = (secret or speaks_of_a_secret(name)) and not _POINTS.search(name)
    match value:
        case dict():
            return _mapping(value, key, secret=secret)
        case list():
            return [_value("", item, key, secret=secret) for item in value]
        case bool() | None:
            return value
        case str():
            return _masked_once(value, key) if secret and value else conceal_words(value, key)
        case _:
            return mask(value, key) if secret else value


def _mapping(value: dict[str, Any], key: bytes, *, secret: bool) -> dict[str, Any]:
    """`{name: DB_PASSWORD, value: x}` is how environment variables and parameters are written."""
    label = value.get("name")
    named = isinstance(label, str) and "value" in value and speaks_of_a_secret(label)
    return {
        name: item
        if secret and name in _KEPT_NAMES and isinstance(item, str)
        else _value(name, item, key, secret=secret or (named and name == "value"))
        for name, item in value.items()
    }


def _masked_once(value: Any, key: bytes) -> str:
    """What is a mask already stays."""
    return value if isinstance(value, str) and value.startswith(MASK) else mask(value, key)
