"""The server's metrics, on a port of their own."""

from __future__ import annotations

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.metering import Meter
from trueup.server.measures import SizeCounts, Sizes, measuring


async def test_what_there_is_is_counted_when_somebody_asks() -> None:
    meter, apps = Meter(), [1]
    sizes = Sizes(apps=lambda: len(apps), sources=int, streams=int, controllers=lambda: {"http://a:8080": False})
    meter.registry.register(SizeCounts(sizes))
    listener = Listener(measuring(meter.registry), Bounds())
    port = await listener.start("127.0.0.1", 0)
    try:
        async with ClientSession(f"http://127.0.0.1:{port}") as client:

            async def values() -> dict[str, float]:
                async with client.get("/metrics") as answer:
                    families = text_string_to_metric_families(await answer.text())
                    return {one.name: one.value for family in families for one in family.samples}

            assert (await values())["trueup_server_apps"] == 1
            apps.append(2)
            found = await values()
            assert (found["trueup_server_apps"], found["trueup_server_controller_followed"]) == (2, 0)
            async with client.get("/healthz") as answer:
                assert answer.status == 200
            async with client.get("/api/trueup/v1/apps") as answer:
                assert answer.status == 404
    finally:
        await listener.stop()
