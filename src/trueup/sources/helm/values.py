"""A chart with other default values: the merge of its `valuesFiles`, as Flux makes it. Pure.

Maps are merged key by key, everything else is replaced; the last file wins. The result becomes the chart's values.yaml,
written as JSON (which is YAML).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trueup.sources.helm.reading import ChartInvalid

VALUES_FILE = "values.yaml"


def merge_values(files: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """`files` are (path, content). Raises ChartInvalid for one that is not a mapping."""
    merged: dict[str, Any] = {}
    for path, content in files:
        if content is not None and not isinstance(content, dict):
            raise ChartInvalid(f"the values file {path} holds no mapping", hint="write `key: value` lines")
        merged = _merged(merged, content or {})
    return merged


def as_yaml(content: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2) + b"\n"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        there = result.get(key)
        result[key] = _merged(there, value) if isinstance(value, dict) and isinstance(there, dict) else value
    return result
