"""The audit log of one process, whole: the log with its key, checkpoints and destinations, begun and ended together."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from trueup.records.audit.checkpoints import load_signer, public_pem
from trueup.records.audit.exporting import FileSink, LogSink
from trueup.records.audit.log import DatabaseAuditLog
from trueup.records.audit.objectstore import ObjectStore
from trueup.records.audit.ownchain import CheckpointSink
from trueup.records.audit.settings import AuditSettings, make_destinations
from trueup.records.audit.shipping import Shipper

log = structlog.get_logger(__name__)

FOLDER = "audit"
KEY = "signing.key"
PUBLIC = "signing.pub"
CHECKPOINTS = "checkpoints.jsonl"
DRAIN_SECONDS = 10.0


class AuditService:
    """`log` is what the rest of the process tells; it works while `running` is entered. Raises InvalidInput, OSError."""

    def __init__(self, url: str, state: Path, settings: AuditSettings | None = None, key: Path | None = None) -> None:
        """`key`: a file outside the state folder, such as a Secret's; else one is made in it."""
        folder = state / FOLDER
        settings = settings or AuditSettings()
        signer = load_signer(key or folder / KEY)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / PUBLIC).write_text(public_pem(signer.public), encoding="utf-8")
        self._destinations = make_destinations(settings)
        stored = {one.name for one in settings.destinations if one.s3 is not None and one.s3.checkpoints}
        sinks: list[CheckpointSink] = [FileSink(folder / CHECKPOINTS), LogSink()]
        sinks += [one for one in self._destinations if isinstance(one, ObjectStore) and one.name in stored]
        self._url = url
        self.log = DatabaseAuditLog(
            url, folder, signer, replica=socket.gethostname(), sinks=sinks, retention=settings.kept
        )
        self.shippers: list[Shipper] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end of the block what waits is stored first; what is not shipped yet is shipped by the next run."""
        await asyncio.to_thread(self.log.start)
        self.shippers = [
            Shipper(self._url, one, lambda: self.log.chain, now_us=lambda: int(time.time() * 1_000_000))
            for one in self._destinations
        ]
        tasks = [asyncio.create_task(one.run(), name="audit shipper") for one in self.shippers]
        try:
            yield
        finally:
            await asyncio.shield(asyncio.to_thread(self.log.stop, DRAIN_SECONDS))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
