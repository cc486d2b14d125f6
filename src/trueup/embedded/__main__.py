"""`python -m trueup.embedded`: runs the embedded Kubernetes until SIGINT or SIGTERM, without an evaluator of CEL.

`trueup.cli.kubernetes` is the same with one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
from pathlib import Path

import structlog

from trueup.embedded import pauses
from trueup.embedded.api.expressions import Expressions
from trueup.embedded.api.standins import StandIn
from trueup.embedded.server import Settings, running


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m trueup.embedded", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder for certificates and objects")
    parser.add_argument("--kubeconfig", type=Path, help="file to write (default: kubeconfig in the data folder)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--in-memory", action="store_true", help="keep no objects on disk")
    parser.add_argument(
        "--no-workloads", action="store_true", help="only the API: nothing collects garbage or runs pods"
    )
    parser.add_argument(
        "--stand-in",
        action="append",
        default=[],
        type=StandIn.parse,
        metavar="NAMESPACE/NAME:PORT=LOCAL_PORT",
        help="a server of this machine that pods with the annotation trueup.dev/stands-for: NAME stand for; repeatable",
    )
    parser.add_argument("--nodes", type=int, default=1, help="simulated nodes")
    parser.add_argument("--drive-time", action="store_true", help="let administrators move the clock")
    options = parser.parse_args()
    return Settings(
        data_dir=options.data_dir,
        kubeconfig=options.kubeconfig or options.data_dir / "kubeconfig",
        host=options.host,
        port=options.port,
        in_memory=options.in_memory,
        workloads=not options.no_workloads,
        nodes=options.nodes,
        stand_ins=tuple(options.stand_in),
        drive_time=options.drive_time,
    )


def _configure_logs() -> None:
    """Plain lines; tracebacks without the values of variables, which may be secret."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


async def main(expressions: Expressions | None = None) -> None:
    """Serves what the command line asks for."""
    gc.disable()  # nothing of what is loaded is garbage; `pauses` takes over when it is there
    _configure_logs()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(_settings(), expressions) as cluster:
        print(f"ready {cluster.url}", flush=True)
        pauses.leave_out_what_is_loaded()
        searching = asyncio.create_task(pauses.search_when_idle(), name="search for garbage")
        await stop.wait()
        searching.cancel()


if __name__ == "__main__":
    asyncio.run(main())
