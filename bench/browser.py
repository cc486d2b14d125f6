"""What a real Chromium says of a page: when something useful was painted, how long an interaction took to the next paint, which frames
were drawn and which were not, what stays in memory. Nothing here knows what the pages are about."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from msgspec import Struct
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from tests.server.pages.conftest import chromium

WATCH = """
(() => {
  window.bench = { seen: {}, interactions: [] };
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (one.interactionId) bench.interactions.push(one.duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  const wanted = WANTED;
  const look = () => {
    for (const selector of wanted)
      if (!(selector in bench.seen) && document.querySelector(selector)) {
        bench.seen[selector] = null;
        requestAnimationFrame(() => requestAnimationFrame(() => (bench.seen[selector] = performance.now())));
      }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})();
"""
"""Two frames after something is in the document it has been painted: that moment counts, not the earlier one."""
IN_DOCUMENT = """(() => {
  let nodes = 0;
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
  while (walker.nextNode()) nodes += 1;
  return nodes;
})()"""


class Counters(Struct, frozen=True):
    """After garbage was collected. `nodes`: all that the process keeps, `shown` those in the document; the heap in MiB."""

    heap: float
    nodes: int
    shown: int
    listeners: int

    @property
    def detached(self) -> int:
        return max(0, self.nodes - self.shown)


class Frames(Struct, frozen=True):
    """Of one movement. `gaps` in milliseconds between frames that were shown, sorted."""

    gaps: tuple[float, ...]
    dropped: int

    @property
    def shown(self) -> int:
        return len(self.gaps) + 1

    def share(self, share: float) -> float:
        return self.gaps[min(len(self.gaps) - 1, int(len(self.gaps) * share))] if self.gaps else 0.0


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        yield browser
        await browser.close()


async def a_page(browser: Browser, wanted: list[str]) -> tuple[Page, CDPSession]:
    """With an empty cache. `wanted`: selectors of what is useful to see."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    await context.add_init_script(WATCH.replace("WANTED", json.dumps(wanted)))
    page = await context.new_page()
    return page, await context.new_cdp_session(page)


async def painted(page: Page, selector: str) -> float:
    """Seconds from the begin of the navigation until it was painted."""
    found = await page.wait_for_function("(selector) => window.bench.seen[selector]", arg=selector, timeout=60_000)
    return float(await found.json_value()) / 1000


class Interaction(Struct, frozen=True):
    """`paint`: milliseconds to the next paint, the worst of `count`; 0: all were faster than can be told (16 ms)."""

    paint: float
    count: int


async def interaction(page: Page, doing: Callable[[], Awaitable[Any]]) -> Interaction:
    await page.evaluate("bench.interactions = []")
    await doing()
    await page.wait_for_timeout(400)
    found: list[float] = await page.evaluate("bench.interactions")
    return Interaction(max(found, default=0.0), len(found))


async def counters(page: Page, session: CDPSession) -> Counters:
    for _ in range(2):
        await session.send("HeapProfiler.collectGarbage")
        await asyncio.sleep(0.1)
    found = await session.send("Memory.getDOMCounters")
    usage = await session.send("Runtime.getHeapUsage")
    shown = int(await page.evaluate(IN_DOCUMENT)) + 1
    return Counters(float(usage["usedSize"]) / 2**20, int(found["nodes"]), shown, int(found["jsEventListeners"]))


async def frames(browser: Browser, doing: Callable[[], Awaitable[Any]]) -> Frames:
    """Which frames were shown while it was done, by the browser's own trace."""
    session = await browser.new_browser_cdp_session()
    events: list[dict[str, Any]] = []
    complete = asyncio.Event()
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.set())
    categories = ["disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame", "devtools.timeline"]
    await session.send(
        "Tracing.start", {"traceConfig": {"includedCategories": categories}, "transferMode": "ReportEvents"}
    )
    await doing()
    await session.send("Tracing.end")
    await complete.wait()
    await session.detach()
    drawn = sorted(event["ts"] / 1000 for event in events if event["name"] == "DrawFrame")
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(drawn))
    return Frames(tuple(gaps), sum(event["name"] == "DroppedFrame" for event in events))


def load() -> str:
    """How busy the machine is, for whoever reads a figure."""
    return f"{os.getloadavg()[0]:.1f}"
