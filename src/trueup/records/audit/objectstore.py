"""Entries and checkpoints as objects of an S3-compatible store, by MinIO's client (the extra `buckets`).

`PREFIX/entries/CHAIN/FIRST-LAST.jsonl`, numbers with leading zeros so that a listing is in order; `PREFIX/checkpoints/CHAIN/SEQUENCE.json`.
A bucket with object lock keeps them from whoever has our credentials, too.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed
from trueup.records.audit.checkpoints import Checkpoint, Mark, encode
from trueup.records.audit.formats import json_line
from trueup.records.audit.shipping import NotDelivered

if TYPE_CHECKING:
    from minio import Minio


class StorePlace(Struct, frozen=True, kw_only=True):
    """`endpoint` is `host:port`. Its secrets are in no `repr`."""

    endpoint: str
    bucket: str
    prefix: str = "trueup-audit"
    region: str = ""
    insecure: bool = False
    access_key: str = ""
    secret_key: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"StorePlace({self.endpoint}/{self.bucket}/{self.prefix})"


class ObjectStore:
    """A `Destination` and a `CheckpointSink`."""

    def __init__(self, name: str, place: StorePlace) -> None:
        if find_spec("minio") is None:
            raise InvalidInput("the client for S3 is not installed", hint="pip install 'trueup[buckets]'")
        self.name = name
        self._place = place
        self._client: Minio | None = None

    async def send(self, entries: Sequence[Sealed]) -> None:
        first, last = entries[0], entries[-1]
        key = f"entries/{first.chain}/{first.sequence:019d}-{last.sequence:019d}.jsonl"
        await asyncio.to_thread(self._put, key, b"".join(json_line(entry) + b"\n" for entry in entries))

    async def close(self) -> None:
        self._client = None

    def export(self, checkpoint: Checkpoint) -> None:
        """Blocks; called by the writer's thread."""
        name = f"{checkpoint.sequence:019d}{'.cut' if checkpoint.mark is Mark.CUT else ''}.json"
        self._put(f"checkpoints/{checkpoint.chain}/{name}", encode(checkpoint))

    def newest(self, chain: str) -> Checkpoint | None:
        """Not asked at every start: the file beside the key tells sooner, and verifying reads them all."""
        del chain
        return None

    def checkpoints(self) -> list[Checkpoint]:
        """All that were exported, for verifying. Blocks."""
        prefix = self._key("checkpoints/")
        found: list[Checkpoint] = []
        try:
            client = self._connected()
            for one in client.list_objects(self._place.bucket, prefix=prefix, recursive=True):
                answer = client.get_object(self._place.bucket, str(one.object_name))
                try:
                    found.append(msgspec.json.decode(answer.read(64 * 1024), type=Checkpoint))
                finally:
                    answer.close()
                    answer.release_conn()
        except Exception as error:
            raise self._explained(error) from None
        return found

    def _key(self, name: str) -> str:
        prefix = self._place.prefix.strip("/")
        return f"{prefix}/{name}" if prefix else name

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._connected().put_object(
                self._place.bucket, self._key(key), io.BytesIO(data), len(data), content_type="application/json"
            )
        except Exception as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> NotDelivered:
        code = getattr(error, "code", "") or type(error).__name__
        return NotDelivered(
            f"the audit log's bucket {self._place.bucket} at {self._place.endpoint}: {code}",
            hint="check endpoint, bucket, keys and their right to put objects",
        )

    def _connected(self) -> Minio:
        if self._client is None:
            import ssl

            import urllib3
            from minio import Minio

            place = self._place
            tls = ssl.create_default_context(cafile=place.ca_file or None)
            pool = urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=10, read=30),
                retries=urllib3.Retry(total=1, redirect=False),
                ssl_context=tls,
                maxsize=4,
            )
            self._client = Minio(
                place.endpoint,
                access_key=place.access_key or None,
                secret_key=place.secret_key or None,
                secure=not place.insecure,
                region=place.region or None,
                http_client=pool,
            )
        return self._client
