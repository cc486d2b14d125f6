"""The schemas of the kinds that Kubernetes itself brings, from the data files beside this module.

Each file is one group-version's OpenAPI v3 document as kube-apiserver publishes it; it is read when a kind of it is first
asked for. Definitions that several documents share (ObjectMeta, PodSpec) become one node.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec

from trueup.embedded.schema.node import OBJECT_META, RawSchema, SchemaNode

DATA = Path(__file__).parent / "data" / "openapi-v3"


class BuiltinSchemas:
    """Nodes of built-in kinds by group, version and kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._raw: dict[str, RawSchema] = {}
        self._nodes: dict[str, SchemaNode] = {}
        self._kinds: dict[tuple[str, str], dict[str, str]] = {}

    @classmethod
    def load(cls, folder: Path = DATA) -> BuiltinSchemas:
        """Opens the folder; nothing is decoded yet. Raises FileNotFoundError when the data was not built."""
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: the schema data is missing; run the schemadata tool to make it")
        return cls(folder)

    def node(self, group: str, version: str, kind: str) -> SchemaNode | None:
        """The schema of a kind; None when Kubernetes has no such kind in that version."""
        kinds = self._kinds.get((group, version))
        if kinds is None:
            kinds = self._kinds[group, version] = self._read(group, version)
        name = kinds.get(kind)
        return self.definition(name) if name else None

    def definition(self, name: str) -> SchemaNode | None:
        """A definition by its full name, of a group-version that was asked for before; ObjectMeta always."""
        node = self._nodes.get(name)
        if node is None and name == OBJECT_META and name not in self._raw:
            self.node("coordination.k8s.io", "v1", "Lease")  # the smallest document that has it
        if node is None and (raw := self._raw.get(name)) is not None:
            node = self._nodes[name] = SchemaNode(raw, self.definition, name=name, builtin=True)
        return node

    def _read(self, group: str, version: str) -> dict[str, str]:
        """Reads a document's definitions; gives its kinds with the names of their definitions."""
        path = self._folder / (f"apis__{group}__{version}.json.gz" if group else f"api__{version}.json.gz")
        if "/" in group or "/" in version or not path.is_file():
            return {}
        document = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=_Document)
        kinds: dict[str, str] = {}
        for name, raw in document.components.schemas.items():
            self._raw.setdefault(name, _without_prose(raw))
            for gvk in raw.get("x-kubernetes-group-version-kind") or ():
                if gvk.get("group") == group and gvk.get("version") == version:
                    kinds[gvk["kind"]] = name
        return kinds


class _Components(msgspec.Struct, frozen=True):
    schemas: dict[str, dict[str, Any]] = {}


class _Document(msgspec.Struct, frozen=True):
    components: _Components = _Components()


def _without_prose(raw: RawSchema) -> RawSchema:
    """Descriptions are most of the bytes, and only clients read them (from the file)."""
    out: RawSchema = {}
    for key, value in raw.items():
        if key == "properties":
            out[key] = {name: _without_prose(below) for name, below in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            out[key] = _without_prose(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            out[key] = [_without_prose(below) for below in value]
        elif key != "description":
            out[key] = value
    return out
