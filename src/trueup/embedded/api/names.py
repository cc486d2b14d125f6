"""What names, labels and annotation keys may look like, with the real server's words for what is wrong.

Follows apimachinery's `util/validation`: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_DNS1035_RE = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED_RE = re.compile(_QUALIFIED)
_VALUE_RE = re.compile(f"({_QUALIFIED})?")

_SUBDOMAIN_SAYS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_WILDCARD_RE = re.compile(rf"\*\.{_SUBDOMAIN}")
_WILDCARD_SAYS = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case "
    "alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for "
    r"validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_SAYS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1035_SAYS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
    "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_SAYS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_SAYS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _problems(value: str, pattern: re.Pattern[str], says: str, limit: int, unit: str = "characters") -> list[str]:
    """Lengths are counted in bytes; only labels say so."""
    problems = [f"must be no more than {limit} {unit}"] if len(value.encode()) > limit else []
    return problems if pattern.fullmatch(value) else [*problems, says]


def subdomain_problems(name: str) -> list[str]:
    """DNS-1123 subdomain: most kinds' names."""
    return _problems(name, _SUBDOMAIN_RE, _SUBDOMAIN_SAYS, 253)


def wildcard_problems(name: str) -> list[str]:
    """A subdomain behind `*.`: hosts of an Ingress."""
    return _problems(name, _WILDCARD_RE, _WILDCARD_SAYS, 253)


def label_problems(name: str) -> list[str]:
    """DNS-1123 label: namespaces."""
    return _problems(name, _LABEL_RE, _LABEL_SAYS, 63)


def dns1035_problems(name: str) -> list[str]:
    """DNS-1035 label: services."""
    return _problems(name, _DNS1035_RE, _DNS1035_SAYS, 63)


def path_segment_problems(name: str) -> list[str]:
    """Anything that can be one segment of a path: RBAC names."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in name]


def label_value_problems(value: str) -> list[str]:
    return _problems(value, _VALUE_RE, _VALUE_SAYS, 63, "bytes")


def label_key_problems(key: str) -> list[str]:
    """A qualified name: an optional DNS subdomain, a slash, and a name."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
            "'example.com/MyName')"
        ]
    problems = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += [
                f"prefix part {problem}" for problem in _problems(prefix, _SUBDOMAIN_RE, _SUBDOMAIN_SAYS, 253, "bytes")
            ]
    if not name:
        return [*problems, "name part must be non-empty", _QUALIFIED_SAYS]
    if len(name.encode()) > 63:
        problems.append("name part must be no more than 63 bytes")
    return problems if _QUALIFIED_RE.fullmatch(name) else [*problems, _QUALIFIED_SAYS]
