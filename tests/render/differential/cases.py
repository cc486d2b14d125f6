"""One case as a file: what is in the repository, and what is asked. The expectation is what the official tool says of it."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from tests.support.snapshots import Link, MemorySnapshot

HERE = Path(__file__).parent


class Generated(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of `count` lines, `{n}` numbered from 1."""

    lines: str
    count: int

    def text(self) -> str:
        return "".join(self.lines.replace("{n}", str(number)) for number in range(1, self.count + 1))


class Options(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What the command line says. Of charts: values and capabilities; of Jsonnet: variables and libraries."""

    release_name: str = "shop"
    namespace: str = "prod"
    value_files: tuple[str, ...] = ()
    values: str = ""
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    set_file: tuple[tuple[str, str], ...] = ()
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    include_crds: bool = msgspec.field(default=True, name="includeCRDs")
    skip_tests: bool = False
    skip_schema_validation: bool = False
    ext_vars: dict[str, str] = {}
    ext_code: dict[str, str] = {}
    top_level: dict[str, str] = {}
    top_level_code: dict[str, str] = {}
    libraries: tuple[str, ...] = ()


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """`path` is built. `refused`: both must refuse it, ours with these words. `ours`: the official tool would go on (to the
    network, say), so only ours is asked."""

    title: str
    path: str
    files: dict[str, str]
    binary: dict[str, str] = {}
    """Base64."""
    links: dict[str, str] = {}
    generated: dict[str, Generated] = {}
    archives: dict[str, str] = {}
    """A `.tgz` of one of the folders."""
    options: Options = Options()
    refused: str = ""
    ours: bool = False
    ordered: bool = False
    """The order of the objects counts."""

    def tree(self) -> dict[str, str | bytes | Link]:
        found: dict[str, str | bytes | Link] = dict(self.files)
        found |= {name: base64.b64decode(text) for name, text in self.binary.items()}
        found |= {name: Link(target) for name, target in self.links.items()}
        found |= {name: each.text() for name, each in self.generated.items()}
        found |= {name: self._packed(folder) for name, folder in self.archives.items()}
        return found

    def snapshot(self) -> MemorySnapshot:
        return MemorySnapshot(self.tree())

    def write(self, root: Path) -> None:
        for name, content in self.tree().items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Link):
                place.symlink_to(content.target)
            else:
                place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def _packed(self, folder: str) -> bytes:
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w:gz") as archive:
            for name, text in self.files.items():
                if name.startswith(f"{folder}/"):
                    entry = tarfile.TarInfo(f"{folder.rpartition('/')[2]}{name.removeprefix(folder)}")
                    entry.size = len(text.encode())
                    archive.addfile(entry, io.BytesIO(text.encode()))
        return target.getvalue()


def cases(tool: str) -> list[Any]:
    """Of a folder, as pytest parameters."""
    import pytest

    return [pytest.param(path, id=path.stem) for path in sorted((HERE / tool).glob("*.yaml"))]


def load(path: Path) -> Case:
    """Raises what names the field that is wrong."""
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Case)
