"""What Chart.yaml and its lock say, as far as fetching needs it. Pure; YAML is read by `reading.ChartReader`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trueup.sources.helm.reading import ChartInvalid

CHART_FILE = "Chart.yaml"
LOCK_FILES = ("Chart.lock", "requirements.lock")
REQUIREMENTS = "requirements.yaml"


class Dependency(Struct, frozen=True):
    """One entry of `dependencies`; `repository` is a URL, `file://path`, `@name`, or empty: it is in `charts` already."""

    name: str
    version: str = ""
    repository: str = ""
    alias: str = ""

    @property
    def called(self) -> str:
        return self.alias or self.name


class ChartMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    version: str
    api_version: str = ""
    dependencies: tuple[Dependency, ...] = ()


class _Listed(Struct, frozen=True):
    dependencies: tuple[Dependency, ...] = ()


def metadata_names(present: Mapping[str, object]) -> tuple[str, ...]:
    """Of a chart's files, those that `read_metadata` wants to see."""
    return tuple(name for name in (CHART_FILE, REQUIREMENTS, *LOCK_FILES) if name in present)


def read_metadata(parsed: Mapping[str, Any], *, what: str) -> tuple[ChartMetadata, tuple[Dependency, ...] | None]:
    """The chart's metadata and, where there is a lock, what it pins. Charts of apiVersion v1 keep both in files beside.

    Raises ChartInvalid naming file and field.
    """
    metadata = _as(parsed.get(CHART_FILE), ChartMetadata, f"{what}: {CHART_FILE}")
    for field in ("name", "version"):
        if not getattr(metadata, field):
            raise ChartInvalid(f"{what}: {CHART_FILE} has an empty {field}")
    if not metadata.dependencies and REQUIREMENTS in parsed:
        listed = _as(parsed[REQUIREMENTS] or {}, _Listed, f"{what}: {REQUIREMENTS}")
        metadata = msgspec.structs.replace(metadata, dependencies=listed.dependencies)
    for name in LOCK_FILES:
        if parsed.get(name) is not None:
            return metadata, _as(parsed[name], _Listed, f"{what}: {name}").dependencies
    return metadata, None


def _as(value: Any, type_: type[Any], what: str) -> Any:
    try:
        return msgspec.convert(_without_nulls(value), type_, strict=False)
    except msgspec.ValidationError as error:
        raise ChartInvalid(
            f"{what}: {error}", hint="see https://helm.sh/docs/topics/charts/#the-chartyaml-file"
        ) from error


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value
