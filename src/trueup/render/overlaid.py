"""Objects that another tool made, as one resource of a kustomization: what Kustomize adds to them, as Flux adds it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from trueup.model.rendering import Overlay, RenderMode
from trueup.render.built import BuiltObject
from trueup.render.engine.frames import File
from trueup.render.engine.process import EngineProcess
from trueup.render.kustomization import overlay_params
from trueup.render.limits import RenderLimits
from trueup.render.requests import request_objects

_NAME = "manifests.yaml"
_BETWEEN = b"\n---\n"


def overlaid(engine: EngineProcess, content: bytes, overlay: Overlay, limits: RenderLimits) -> tuple[BuiltObject, ...]:
    """The objects of a stream of documents with the overlay on them. Raises BuildFailed."""
    params: dict[str, object] = {
        "path": "",
        "resources": [_NAME],
        "overlay": overlay_params(overlay, RenderMode.FLUX),
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    return request_objects(engine, "build", params, _OneFile(content), ((), ())).objects


def stream(objects: Sequence[Raw]) -> bytes:
    """JSON is YAML: a document to a line."""
    return _BETWEEN.join(bytes(one) for one in objects)


def overlaid_objects(
    engine: EngineProcess, objects: tuple[BuiltObject, ...], overlay: Overlay, limits: RenderLimits
) -> tuple[BuiltObject, ...]:
    """The same for objects that know where they were declared: they still do."""
    if overlay.is_empty or not objects:
        return objects
    built = overlaid(engine, stream([one.object for one in objects]), overlay, limits)
    return tuple(_declared(one, objects) for one in built)


def _declared(one: BuiltObject, objects: tuple[BuiltObject, ...]) -> BuiltObject:
    before = objects[min((one.line - 1) // 2, len(objects) - 1)] if one.line else BuiltObject(one.object)
    return BuiltObject(one.object, before.path, before.line, one.text)


class _OneFile:
    """An engine's `FileServer` of a directory with one file."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def found(self, path: str, listed: bool) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        if path == _NAME:
            return (File(path=path, is_="file", at=path, size=len(self._content)),), (self._content,)
        if path == "":
            return (File(path="", is_="directory", listed=listed),), ()
        return (File(path=path, is_="absent", at=path),), ()

    def looked(self, path: str, listed: bool) -> None:
        """Nothing outside the render is read."""
