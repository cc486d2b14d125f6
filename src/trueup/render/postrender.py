"""Post-rendering of a chart by Kustomize: its manifests as one resource, each renderer a build over the one before."""

from __future__ import annotations

from msgspec import Raw

from trueup.model.release import PostRenderer
from trueup.model.rendering import Overlay, RenderMode
from trueup.render.engine.frames import File
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.kustomization import overlay_params
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.requests import request_objects

_NAME = "manifests.yaml"


async def post_rendered(
    text: str, renderers: tuple[PostRenderer, ...], engines: EnginePool, limits: RenderLimits = DEFAULT_LIMITS
) -> list[Raw]:
    """The objects as JSON. Raises BuildFailed.

    A chart's render waits for this one; work of this engine never waits for a chart, so neither can starve the other.
    """

    def build(engine: EngineProcess) -> list[Raw]:
        content, objects = text.encode(), list[Raw]()
        for renderer in renderers:
            overlay = Overlay(patches=renderer.patches, images=renderer.images)
            params: dict[str, object] = {
                "path": "",
                "resources": [_NAME],
                "overlay": overlay_params(overlay, RenderMode.FLUX),
                "maxObjects": limits.objects,
                "maxBytes": limits.output_bytes,
            }
            built = request_objects(engine, "build", params, _OneFile(content), ((), ()))
            objects = [one.object for one in built.objects]
            content = b"\n---\n".join(bytes(one) for one in objects)  # JSON is YAML
        return objects

    return await engines.use(build, seconds=limits.seconds)


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
