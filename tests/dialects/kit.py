"""Reads the case files of this folder and compares what they expect with what came out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from trueup.model.duration import format_duration

CASES = Path(__file__).parent / "cases"


def cases(folder: str) -> list[Any]:
    """One pytest parameter per YAML document, named by its title."""
    found = []
    for path in sorted((CASES / folder).glob("*.yaml")):
        for case in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            found.append(pytest.param(case, id=case["title"]))
    assert found, f"no cases in {folder}"
    return found


def plain(value: object) -> Any:
    """Structs as plain data; durations as `10m0s`."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def differences(expected: object, actual: object, path: str = "$") -> list[str]:
    """Where `actual` lacks or contradicts `expected`; mappings may hold more than expected, lists may not."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            line
            for key, value in expected.items()
            for line in (
                differences(value, actual[key], f"{path}.{key}") if key in actual else [f"{path}.{key} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{path}[{n}]")]
    return [] if expected == actual else [f"{path}: expected {expected!r}, got {actual!r}"]


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, written from its text: what a server makes of a merge patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def document(text: str) -> dict[str, Any]:
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded
