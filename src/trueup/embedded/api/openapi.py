"""The OpenAPI v3 documents: built-in ones as the real server publishes them, custom ones made from the CRDs' schemas.

Built-in documents are kept and sent compressed, as they lie in the package. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from trueup.embedded.api import openapi_custom
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.openapi_custom_paths import paths_of

_FOLDER = "openapi-v3"


class OpenApi:
    """Documents about a registry, made when asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._builtin = {_path_of(name): name for name in _files()}
        self._custom: dict[str, tuple[int, bytes]] = {}

    def index(self) -> dict[str, Any]:
        """`/openapi/v3`: every document with a hash of its content, so that clients may keep them."""
        paths = sorted(set(self._builtin) | set(self._custom_versions()))
        return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._hash(path)}"} for path in paths}}

    def document(self, path: str) -> bytes | None:
        """One document, gzipped: `apis/apps/v1`; None when there is none."""
        kinds = self._custom_versions().get(path, [])
        if not kinds:
            return _read(self._builtin[path]) if path in self._builtin else None
        known = self._custom.get(path)
        if known is None or known[0] != self._registry.revision:
            base = msgspec.json.decode(gzip.decompress(_read(self._builtin[path]))) if path in self._builtin else None
            paths = {path: item for kind in kinds for path, item in paths_of(kind).items()}
            made = gzip.compress(msgspec.json.encode(openapi_custom.document(kinds, paths, base)), 1, mtime=0)
            known = self._custom[path] = (self._registry.revision, made)
        return known[1]

    def _custom_versions(self) -> dict[str, list[Kind]]:
        found: dict[str, list[Kind]] = {}
        for kinds in self._registry.custom():
            for kind in kinds:
                found.setdefault(f"apis/{kind.group}/{kind.version}", []).append(kind)
        return found

    def _hash(self, path: str) -> str:
        if path in self._builtin and path not in self._custom_versions():
            return _digest(self._builtin[path])
        document = self.document(path) or b""
        return hashlib.sha512(document).hexdigest().upper()


@cache
def _digest(name: str) -> str:
    return hashlib.sha512(_read(name)).hexdigest().upper()


@cache
def _read(name: str) -> bytes:
    return resources.files("trueup.embedded.schema").joinpath("data", _FOLDER, name).read_bytes()


def _files() -> list[str]:
    folder = resources.files("trueup.embedded.schema").joinpath("data", _FOLDER)
    return [each.name for each in folder.iterdir() if each.name.endswith(".json.gz")]


def _path_of(name: str) -> str:
    return name.removesuffix(".json.gz").replace("__", "/")
