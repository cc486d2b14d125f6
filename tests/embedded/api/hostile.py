"""Selectors that nobody would write by intent: drawn from what their grammars are made of, and from what they are not.

`queries` are the same for the same seed, whatever library is installed: their answers are kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct

OBJECTS = (
    {"name": "a", "labels": {"app": "web", "tier": "1"}},
    {"name": "b", "labels": {"app": "db", "tier": "2", "in": "notin"}},
    {"name": "c", "labels": {"app": "", "example.com/part": "x.y_z"}},
    {"name": "d", "labels": {"tier": "9223372036854775807", "A": "b"}},
    {"name": "e", "labels": {"tier": "99999999999999999999"}},
    {"name": "f"},
)
"""The metadata of the ConfigMaps that label selectors choose among."""

_LABEL_PARTS = (
    *("app", "tier", "in", "notin", "web", "db", "A", "example.com/part", "x.y_z", "1", "-2", "+1", "007"),
    *("9223372036854775807", "9223372036854775808", "-bad", "bad-", "a/b/c", "/x", "x/", "a_b.c", "_", ".", "é", "💥"),
    *(
        "=",
        "==",
        "!=",
        "!",
        "<",
        ">",
        "(",
        ")",
        ",",
        ",",
        "(",
        ")",
        "=",
        " ",
        " ",
        "\t",
        "\n",
        "\r",
        "\v",
        "\xa0",
        "\0",
    ),
    *(
        '"',
        "\\",
        "'",
        "%",
        "&",
        "{",
        "}",
        "[",
        "]",
        ":",
        ";",
        "@",
        "\x7f",
        "y" * 63,
        "y" * 64,
        "z" * 254 + "/a",
        "===",
        "=!",
    ),
)
_LABEL_FORMS = (
    "{} in ({},{})",
    "{} notin ({})",
    "{}={}",
    "{}=={}",
    "{}!={}",
    "!{}",
    "{}",
    "{}>{}",
    "{}<{}",
    "{} in ({}{}",
    "({})",
)
_FIELDS = {
    "configmaps": ("metadata.name", "metadata.namespace"),
    "pods": (
        "metadata.name",
        "spec.nodeName",
        "status.phase",
        "status.podIP",
        "spec.hostNetwork",
        "spec.restartPolicy",
    ),
    "secrets": ("metadata.name", "type"),
    "events": ("metadata.name", "involvedObject.kind", "reason", "source", "type", "reportingComponent"),
    "services": ("metadata.name", "spec.type", "spec.clusterIP"),
}
_FIELD_PARTS = (
    *(
        "metadata.name",
        "metadata.uid",
        "status.phase",
        "type",
        "spec",
        "a",
        "b",
        "Running",
        "Opaque",
        "NS",
        "\\",
        "\\\\",
    ),
    *(
        "=",
        "==",
        "!=",
        "!",
        ",",
        "\\,",
        "\\=",
        "\\n",
        " ",
        "\t",
        "\0",
        "é",
        "💥",
        "(",
        ")",
        "in",
        ">",
        "",
        '"',
        "'",
        ";",
        "%",
    ),
)
_FIELD_FORMS = ("{}={}", "{}=={}", "{}!={}", "{}", "{}={},{}={}", "{}!={},{}", ",{}={},", "{} = {}", "{}=={}={}")


class Query(Struct, frozen=True):
    """A collection, and what of it is asked for."""

    plural: str
    labels: str = ""
    fields: str = ""
    limit: str = ""

    def __str__(self) -> str:
        parts = (("labelSelector", self.labels), ("fieldSelector", self.fields), ("limit", self.limit))
        return f"{self.plural}?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in parts if text)


def queries(seed: int, count: int) -> Iterator[Query]:
    """`count` of them."""
    chance = random.Random(seed)
    for _ in range(count):
        dice = chance.random()
        if dice < 0.55:
            yield Query("configmaps", labels=_labels(chance))
        elif dice < 0.9:
            plural = chance.choice(sorted(_FIELDS))
            yield Query(plural, fields=_fields(chance, plural))
        else:
            number = chance.choice(("1", "x", "-1", "1e3", "99999999999999999999", " 1", "1_0"))
            yield Query("configmaps", _labels(chance), _fields(chance, "configmaps"), number)


def _labels(chance: random.Random) -> str:
    return _text(chance, _LABEL_PARTS, _LABEL_FORMS, _LABEL_PARTS[:20])


def _fields(chance: random.Random, plural: str) -> str:
    return _text(chance, _FIELD_PARTS, _FIELD_FORMS, (*_FIELDS[plural], *_FIELDS[plural], "a", "Running", "x\\,y", ""))


def _text(chance: random.Random, parts: tuple[str, ...], forms: tuple[str, ...], usual: tuple[str, ...]) -> str:
    """Half of them soup, half of them well formed; of these many are broken in one place."""
    if chance.random() < 0.4:
        return "".join(chance.choice(parts) for _ in range(chance.randint(1, 7)))
    terms = []
    for _ in range(chance.randint(1, 3)):
        form = chance.choice(forms)
        terms.append(form.format(*(chance.choice(usual) for _ in range(form.count("{}")))))
    text = ",".join(terms)
    if chance.random() < 0.5:
        at = chance.randint(0, len(text))
        text = text[:at] + chance.choice(parts) + text[at + chance.randint(0, 1) :]
    return text
