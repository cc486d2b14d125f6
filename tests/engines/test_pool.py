"""Processes that die, hang or eat memory are replaced; the request says why."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.manifests import config_map
from tests.support.snapshots import MemorySnapshot
from trueup.model.errors import BuildFailed, EngineFailed
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.render.building import build
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.limits import RenderLimits

SNAPSHOT = MemorySnapshot({"a.yaml": config_map("a")})
SPEC = RenderSpec(path="", mode=RenderMode.FLUX)


def pid_of(process: EngineProcess) -> int:
    return process.pid


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - other processes set no events
            await asyncio.sleep(0.01)


async def test_a_process_is_started_when_needed_and_used_again(binary: Path) -> None:
    async with EnginePool(workers=2, binary=binary) as engines:
        assert engines.processes == 0
        first = await engines.use(pid_of)
        assert await engines.use(pid_of) == first
        assert engines.processes == 1

    await until(lambda: not is_running(first))


async def test_requests_run_beside_each_other_up_to_the_number_of_workers(binary: Path) -> None:
    together = threading.Barrier(2, timeout=10)

    def meet(process: EngineProcess) -> int:
        together.wait()
        return process.pid

    async with EnginePool(workers=2, binary=binary) as engines:
        pids = await asyncio.gather(*(engines.use(meet) for _ in range(4)))

    assert len(set(pids)) == 2


async def test_a_killed_process_fails_its_request_and_the_next_one_gets_another(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(EngineFailed, match="ended with code -9"):
            await build(SNAPSHOT, SPEC, engines)

        assert len((await build(SNAPSHOT, SPEC, engines)).objects) == 1
        assert await engines.use(pid_of) != pid


async def test_a_hung_process_is_killed_at_the_deadline(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        os.kill(pid, signal.SIGSTOP)

        with pytest.raises(EngineFailed, match=r"took longer than 0.3 s"):
            await build(SNAPSHOT, SPEC, engines, limits=RenderLimits(seconds=0.3))

        await until(lambda: not is_running(pid))
        assert len((await build(SNAPSHOT, SPEC, engines)).objects) == 1


async def test_a_process_that_eats_memory_is_ended_and_says_so(binary: Path) -> None:
    many = MemorySnapshot({f"{n}.yaml": config_map(f"c{n}", key="x" * 20000) for n in range(2000)})
    async with EnginePool(workers=1, binary=binary, limits=EngineLimits(memory=60 << 20)) as engines:
        with pytest.raises(EngineFailed, match="needed more than 60 MiB"):
            await build(many, SPEC, engines)

        assert len((await build(SNAPSHOT, SPEC, engines)).objects) == 1


async def test_a_request_that_is_cancelled_takes_its_process_with_it(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        os.kill(pid, signal.SIGSTOP)
        task = asyncio.create_task(build(SNAPSHOT, SPEC, engines))
        await until(lambda: engines.processes == 0)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await until(lambda: not is_running(pid))
        assert len((await build(SNAPSHOT, SPEC, engines)).objects) == 1


async def test_wrong_input_costs_no_process(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        with pytest.raises(BuildFailed):
            await build(MemorySnapshot({"a.yaml": "a: ["}), SPEC, engines)

        assert await engines.use(pid_of) == pid


async def test_a_request_that_breaks_off_in_the_middle_costs_its_process(binary: Path) -> None:
    class Broken:
        def found(self, path: str, listed: bool) -> tuple[tuple[()], tuple[()]]:
            raise RuntimeError("the disk is gone")

        def looked(self, path: str, listed: bool) -> None: ...

    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            await engines.use(lambda engine: engine.call("build", {"path": "x"}, Broken()))

        assert await engines.use(pid_of) != pid


async def test_a_process_whose_schema_changed_is_replaced(binary: Path) -> None:
    custom = MemorySnapshot(
        {"kustomization.yaml": "resources: [a.yaml]\ncrds: [crd.json]\n", "a.yaml": config_map("a"), "crd.json": "{}"}
    )
    async with EnginePool(workers=1, binary=binary) as engines:
        pid = await engines.use(pid_of)
        await build(custom, SPEC, engines)

        assert await engines.use(pid_of) != pid


async def test_a_worn_process_is_replaced(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary, limits=EngineLimits(requests_per_process=2)) as engines:
        pids = []
        for _ in range(4):
            pids.append(await engines.use(pid_of))
            await build(SNAPSHOT, SPEC, engines)

    assert len(set(pids)) == 2


async def test_an_idle_process_ends(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary, limits=EngineLimits(idle_seconds=0.05)) as engines:
        pid = await engines.use(pid_of)

        await until(lambda: engines.processes == 0 and not is_running(pid))
        assert len((await build(SNAPSHOT, SPEC, engines)).objects) == 1


async def test_a_binary_that_cannot_run_is_an_engine_failure(tmp_path: Path) -> None:
    broken = tmp_path / "kustomize"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    async with EnginePool(workers=1, binary=broken) as engines:
        with pytest.raises(EngineFailed, match="ended with code 3"):
            await build(SNAPSHOT, SPEC, engines)
    async with EnginePool(workers=1, binary=tmp_path / "missing") as engines:
        with pytest.raises(EngineFailed, match="cannot be started"):
            await build(SNAPSHOT, SPEC, engines)


async def test_the_version_is_of_engine_and_library(binary: Path) -> None:
    async with EnginePool(workers=1, binary=binary) as engines:
        assert (await engines.version()).startswith("kustomize v0.")


async def test_a_process_that_never_says_hello_is_given_up(tmp_path: Path) -> None:
    mute = tmp_path / "kustomize"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    async with EnginePool(workers=1, binary=mute) as engines:
        with pytest.raises(EngineFailed, match=r"took longer than 0.2 s"):
            await build(SNAPSHOT, SPEC, engines, limits=RenderLimits(seconds=0.2))


async def test_a_process_that_speaks_another_protocol_is_refused(tmp_path: Path) -> None:
    stranger = tmp_path / "kustomize"
    hello = b'{"type":"hello","protocol":9,"engine":"x","version":"y"}'
    (tmp_path / "hello").write_bytes(len(hello).to_bytes(4, "big") + bytes(4) + hello)
    stranger.write_text(f"#!/bin/sh\n/bin/cat '{tmp_path}/hello'\nexec /bin/cat\n")
    stranger.chmod(0o755)
    async with EnginePool(workers=1, binary=stranger) as engines:
        with pytest.raises(EngineFailed, match="another version of the protocol"):
            await build(SNAPSHOT, SPEC, engines)
