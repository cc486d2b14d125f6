"""`.argocd-source.yaml` and `.argocd-source-<app>.yaml` in an Application's path: a source's tool parameters, kept in Git.

Each is merged over the source as a JSON merge patch, the App's own last; where the manifests come from cannot be changed so.
https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git
"""

from __future__ import annotations

import posixpath
from typing import Any

import msgspec
from msgspec import Struct

from trueup.dialects.argocd.source_resource import Source
from trueup.dialects.patching import merged
from trueup.dialects.reading import read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef
from trueup.model.rendering import CueOptions

REPOSITORY_FILE = ".argocd-source.yaml"
_TOOLS = ("helm", "kustomize", "directory", "plugin")


class Base(Struct, frozen=True, kw_only=True):
    """What a source is read with, so that it can be read anew when the files are known."""

    ref: ObjectRef
    project: str
    namespace: str
    """The destination's."""
    source: Source
    field: str
    refs: dict[str, str] = {}
    cue: CueOptions | None = None

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


def decode(data: bytes) -> Base:
    return msgspec.json.decode(data, type=Base)


def files_of(name: str, path: str) -> tuple[str, ...]:
    """Where the overrides of this Application would stand."""
    inside = posixpath.normpath(path) if path else "."
    names = (REPOSITORY_FILE, f".argocd-source-{name}.yaml")
    return tuple(each if inside == "." else f"{inside}/{each}" for each in names)


def overridden(base: Base, patches: tuple[tuple[str, dict[str, Any]], ...]) -> Source:
    """The source with what the files say of its tools. Raises InvalidInput, naming the file."""
    source = msgspec.json.decode(msgspec.json.encode(base.source))
    for path, patch in patches:
        source = merged(source, {key: value for key, value in patch.items() if key in _TOOLS})
        try:
            read_struct(Source, source, ref=base.ref, root=base.field)
        except InvalidInput as error:
            error.origin = Origin(path)
            raise
    return read_struct(Source, source, ref=base.ref, root=base.field)
