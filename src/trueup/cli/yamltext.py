"""YAML that people read and that every reader understands alike: YAML 1.1 and 1.2 disagree on what needs quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Quotes what any reader might take for something else than text, and writes long texts as blocks."""


# Go's readers take more for numbers than PyYAML knows (they drop every underscore first, for one), so whatever begins
# like a number and goes on in letters of numbers gets quotes, and so does what YAML 1.1 calls a boolean.
_AMBIGUOUS = re.compile(
    r"^(?:[yn]|[-+]?\.?(?:inf|nan)|[-+._]*[0-9][0-9a-fxo_.:+-]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)$", re.IGNORECASE
)
_Dumper.add_implicit_resolver("tag:trueup.dev,2026:ambiguous", _AMBIGUOUS, list("yYnN+-._0123456789iI"))


_FOLDED = re.compile("[\x85\xa0\u2028\u2029\ufeff\r\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that readers fold, strip or refuse unless they are escaped."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None
    if _FOLDED.search(text):
        style = '"'
    elif "\n" in text and not any(line.endswith((" ", "\t")) for line in text.split("\n")):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """One document, keys in the order given."""
    return str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1 << 30)
    )


def dump_all(values: Iterable[Any]) -> str:
    """A stream of documents."""
    return "---\n".join(dump(value) for value in values)
