"""Deep links filled in for one App, object or project: conditions first, then the templates of those that hold.

The library does it, in a process of its own with bounds. A link that is wrong is told to the log, and keeps no other from being
shown; one that never ends is left alone for a while, so that whoever opens a page waits for it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from trueup.model.errors import EngineFailed, InvalidInput
from trueup.render.engine.build import GOTEMPLATE
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.templates import Template, checked, fill, judge
from trueup.server.linking.declared import DeepLink, Link, Of, leads_out, read_links

log = structlog.get_logger(__name__)

LIMITS = EngineLimits(seconds=5.0, memory=128 << 20, idle_seconds=60.0)
ALONE_SECONDS = 1.0
"""For one link, after all of them together took too long."""
MAX_BYTES = 1 << 20
AWAY_SECONDS = 60.0
"""So long a link that never ends, or an engine that cannot be had, is not tried again."""
NOTHING_THERE = "<no value>"
"""What a template writes in place of what is not there."""


class Linking(Protocol):
    """Fills links in, and tries templates before they are written down."""

    def declares(self, of: Of) -> bool: ...

    def mentions(self, of: Of, name: str) -> bool:
        """Whether any of them says `name`: what none asks for need not be fetched."""
        ...

    async def filled(self, of: Of, values: Mapping[str, Any], about: str, *, whole: bool = False) -> tuple[Link, ...]:
        """Those whose condition holds, in their order. `whole`: none in which something is not there. Raises nothing."""
        ...

    async def wrong(self, text: str) -> str:
        """What no App could mend of a value of `application.links` and its kin; empty: nothing. Raises EngineFailed."""
        ...


class NoLinks:
    """Where nobody fills links in."""

    def declares(self, of: Of) -> bool:
        del of
        return False

    def mentions(self, of: Of, name: str) -> bool:
        del of, name
        return False

    async def filled(self, of: Of, values: Mapping[str, Any], about: str, *, whole: bool = False) -> tuple[Link, ...]:
        del of, values, about, whole
        return ()

    async def wrong(self, text: str) -> str:
        del text
        return ""


class Links:
    """`settings`: the data of `argocd-cm` as it is now. `async with` ends the engine's processes."""

    def __init__(
        self,
        settings: Callable[[], Mapping[str, str]],
        engines: EnginePool | None = None,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = LIMITS.seconds,
    ) -> None:
        """`seconds`: for all links of a page together."""
        self._settings = settings
        self._seconds = seconds
        self._engines = engines or EnginePool(workers=2, limits=LIMITS, engine=GOTEMPLATE)
        self._clock = clock
        self._read: dict[str, tuple[DeepLink, ...]] = {}
        self._away: dict[DeepLink, float] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._without_engine = 0.0

    async def __aenter__(self) -> Links:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engines.close()

    def declares(self, of: Of) -> bool:
        return bool(self._declared(of))

    def mentions(self, of: Of, name: str) -> bool:
        return any(name in text for link in self._declared(of) for text in (*link.templates, link.condition))

    async def filled(self, of: Of, values: Mapping[str, Any], about: str, *, whole: bool = False) -> tuple[Link, ...]:
        now = self._clock()
        links = [link for link in self._declared(of) if self._away.get(link, now) <= now]
        if not links or not await self._engine_is_there():
            return ()
        found: list[Link | str]
        try:
            found = await self._tried(links, values, self._seconds)
        except (EngineFailed, InvalidInput):
            found = [await self._alone(link, values) for link in links]
        shown = []
        for link, one in zip(links, found, strict=True):
            if isinstance(one, str):
                self._complain(of, link, about, one)
            elif not whole or NOTHING_THERE not in one.url:
                shown.append(one)
        return tuple(one for one in shown if one.url)

    async def wrong(self, text: str) -> str:
        links = read_links(text)
        templates = [Template(f"link {n}", part) for n, link in enumerate(links, 1) for part in link.templates]
        conditions = [(n, link.condition) for n, link in enumerate(links, 1) if link.condition]
        try:
            found = await checked(self._engines, templates, [condition for _, condition in conditions])
        except OSError as error:
            raise EngineFailed(f"the engine that fills links in cannot be had: {error}") from error
        for template, one in zip(templates, found.templates, strict=True):
            if one.error:
                return f"{template.name}: {template.text[:200]!r} cannot be filled in: {one.error}"
        for (number, condition), judged in zip(conditions, found.expressions, strict=True):
            if judged.error:
                return f"link {number}: if: {condition[:200]!r} cannot be judged: {judged.error}"
        return ""

    def _declared(self, of: Of) -> tuple[DeepLink, ...]:
        text = self._settings().get(of, "")
        if text not in self._read:
            if len(self._read) >= 2 * len(Of):  # the settings of before
                self._read.clear()
                self._away.clear()
                self._told.clear()
            try:
                self._read[text] = read_links(text)
            except InvalidInput as error:
                log.error("links cannot be read, so none are shown", key=of.value, error=error.message)
                self._read[text] = ()
        return self._read[text]

    async def _tried(self, links: Sequence[DeepLink], values: Mapping[str, Any], seconds: float) -> list[Link | str]:
        """For each a link, an empty one where its condition does not hold, or what is wrong. Raises EngineFailed, InvalidInput."""
        ((*judged,),) = await judge(
            self._engines, [link.condition or "true" for link in links], [values], seconds=seconds
        )
        holding = [link for link, one in zip(links, judged, strict=True) if one.holds]
        templates = [
            Template(name, text) for link in holding for name, text in zip(_PARTS, link.templates, strict=True)
        ]
        ((*texts,),) = await fill(self._engines, templates, [values], max_bytes=MAX_BYTES, whole=True, seconds=seconds)
        parts = iter(texts)
        found: list[Link | str] = []
        for link, one in zip(links, judged, strict=True):
            if not one.holds:
                found.append(f"if: {one.error}" if one.error else _HIDDEN)
                continue
            url, title, description = (next(parts) for _ in _PARTS)
            if url.error:
                found.append(f"url: {url.error}")
            elif not leads_out(url.text.strip()):
                found.append(f"url: leads to {url.text[:200]!r}, and only https:// and http:// are shown")
            else:
                # Argo CD takes these two as they stand; what is wrong in them costs no link.
                found.append(
                    Link(
                        title=link.title if title.error else title.text,
                        url=url.text.strip(),
                        description=link.description if description.error else description.text,
                        icon=link.icon,
                    )
                )
        return found

    async def _alone(self, link: DeepLink, values: Mapping[str, Any]) -> Link | str:
        try:
            (found,) = await self._tried([link], values, ALONE_SECONDS)
        except (EngineFailed, InvalidInput) as error:
            self._away[link] = self._clock() + AWAY_SECONDS
            return error.message
        return found

    async def _engine_is_there(self) -> bool:
        """The first use may have to build it."""
        if self._clock() < self._without_engine:
            return False
        try:
            await self._engines.version()
        except (EngineFailed, OSError) as error:
            # It can be neither found nor built: a file system that is not to be written.
            self._without_engine = self._clock() + AWAY_SECONDS
            log.error("the engine that fills links in cannot be had", error=str(error))
            return False
        return True

    def _complain(self, of: Of, link: DeepLink, about: str, error: str) -> None:
        """Once for each App, not with every look at it."""
        if (key := (about, link.url, error)) not in self._told:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(key)
            log.warning("a link cannot be filled in", key=of.value, title=link.title, about=about, error=error)


_PARTS = ("url", "title", "description")
_HIDDEN = Link(title="", url="")
_MOST_TOLD = 1000
