"""What plugins there are: `ConfigManagementPlugin` files in a folder, in the form that Argo CD documents.

https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.manifest import Origin

API_VERSION = "argoproj.io/v1alpha1"
KIND = "ConfigManagementPlugin"
LARGEST = 1 << 20


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    @property
    def line(self) -> tuple[str, ...]:
        return (*self.command, *self.args)


class Find(Struct, frozen=True, forbid_unknown_fields=True):
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    glob: str = ""

    @property
    def line(self) -> tuple[str, ...]:
        return (*self.command, *self.args)


class Discover(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whether a path is this plugin's: the first of these that is set decides."""

    file_name: str = ""
    find: Find = Find()

    @property
    def is_set(self) -> bool:
        return bool(self.file_name or self.find.glob or self.find.line)


class Announcement(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A parameter that the plugin says it takes; for people and clients."""

    name: str
    title: str = ""
    tooltip: str = ""
    required: bool = False
    item_type: str = ""
    collection_type: str = ""
    string: str = ""
    array: tuple[str, ...] = ()
    map: dict[str, str] = {}


def read_announcements(data: bytes, what: str) -> tuple[Announcement, ...]:
    """What a plugin's command prints about its parameters; fields that nobody knows are passed over. Raises BuildFailed."""
    known = {field.encode_name for field in msgspec.structs.fields(Announcement)}
    try:
        rows = msgspec.json.decode(data or b"[]", type=list[dict[str, Any]] | None) or []
        trimmed = [{key: value for key, value in row.items() if key in known and value is not None} for row in rows]
        return msgspec.convert(trimmed, tuple[Announcement, ...])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BuildFailed(
            f"{what} prints no announcements: {error}", hint='it must print a JSON list: [{"name": "greeting"}]'
        ) from error


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    static: tuple[Announcement, ...] = ()
    dynamic: Command = Command()


class PluginSpec(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    generate: Command
    version: str = ""
    init: Command = Command()
    discover: Discover = Discover()
    parameters: Parameters = Parameters()
    preserve_file_mode: bool = False
    provide_git_creds: bool = False
    lock_repo: bool = False
    """Of no consequence: every run has a checkout of its own."""


class _Metadata(Struct, frozen=True):
    name: str


class _File(Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    metadata: _Metadata
    spec: PluginSpec


class Plugin(Struct, frozen=True):
    """`name` is what Applications say: with the version behind it, where there is one."""

    name: str
    spec: PluginSpec


def read_plugins(folder: Path) -> tuple[Plugin, ...]:
    """Every `.yaml` and `.yml` of the folder, in the order of their names. Raises InvalidInput naming the file."""
    found: dict[str, Plugin] = {}
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    except OSError as error:
        raise InvalidInput(f"the folder of plugins {folder} cannot be read: {error.strerror}") from error
    for path in files:
        for plugin in _read(path):
            if plugin.name in found:
                raise InvalidInput(f"there are two plugins named {plugin.name}", origin=Origin(path.name))
            found[plugin.name] = plugin
    return tuple(found.values())


def _read(path: Path) -> list[Plugin]:
    if path.stat().st_size > LARGEST:
        raise InvalidInput(f"the file has more than {LARGEST} bytes", origin=Origin(path.name))
    try:
        documents: list[Any] = [each for each in yaml.load_all(path.read_bytes(), yaml.CSafeLoader) if each is not None]
    except yaml.YAMLError as error:
        raise InvalidInput(f"cannot be read: {error}", origin=Origin(path.name)) from error
    return [_plugin(path, document) for document in documents]


def _plugin(path: Path, document: Any) -> Plugin:
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), origin=Origin(path.name), hint="see docs/how-to/plugins.md") from error
    if (file.api_version, file.kind) != (API_VERSION, KIND):
        raise InvalidInput(f"is a {file.kind} of {file.api_version}, not a {KIND}", origin=Origin(path.name))
    if not file.spec.generate.line:
        raise InvalidInput("names no command", origin=Origin(path.name), field="spec.generate.command")
    name = file.metadata.name
    return Plugin(f"{name}-{file.spec.version}" if file.spec.version else name, file.spec)
