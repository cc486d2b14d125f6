"""Post-rendering of a chart by Kustomize: its manifests as one resource, each renderer a build over the one before."""

from __future__ import annotations

from msgspec import Raw

from trueup.model.release import PostRenderer
from trueup.model.rendering import Overlay
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.overlaid import overlaid, stream


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
            objects = [one.object for one in overlaid(engine, content, overlay, limits)]
            content = stream(objects)
        return objects

    return await engines.use(build, seconds=limits.seconds)
