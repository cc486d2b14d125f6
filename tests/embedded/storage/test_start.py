"""A server that has stored much is there again at once: what lies in the journal is decoded when somebody looks at it."""

import asyncio
import os
import uuid
from pathlib import Path

import msgspec
import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from trueup.embedded.storage.journal import Row, SqliteJournal
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.storage.store import Store

CONFIG_MAPS = Resource("", "configmaps")
OBJECTS = 4_000
CPU_SECONDS = 3.0
"""The promise is three seconds after the start; a busy machine stretches those, but not the processor's time."""


def row(number: int) -> Row:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"settings-{number:05}",
            "namespace": "default",
            "uid": str(uuid.UUID(int=number)),
            "resourceVersion": str(number + 1),
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {f"label-{each}": "value" for each in range(10)},
        },
        "data": {f"key-{each}": "value " * 20 for each in range(20)},
    }
    name = Key("default", f"settings-{number:05}")
    return Row(CONFIG_MAPS, name, number + 1, msgspec.json.encode(manifest))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
async def test_a_server_with_thousands_of_objects_answers_within_seconds(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    journal = SqliteJournal(tmp_path / "data" / "objects.sqlite")
    journal.write(row(number) for number in range(OBJECTS))
    journal.close()
    cluster = EmbeddedCluster(tmp_path)
    await asyncio.to_thread(cluster.start)
    try:
        async with Server(cluster.kubeconfig) as server:
            status, listed = await server.send("GET", "/api/v1/namespaces/default/configmaps")
        spent = cpu_seconds(cluster.pid)
    finally:
        cluster.kill()
    assert status == 200
    assert len([item for item in listed["items"] if item["metadata"]["name"].startswith("settings-")]) == OBJECTS
    assert spent < CPU_SECONDS


async def test_what_was_stored_is_read_back_whole_and_in_order(tmp_path: Path) -> None:
    rows = [row(number) for number in range(20)]
    journal = SqliteJournal(tmp_path / "objects.sqlite")
    journal.write(reversed(rows))
    store = await Store.open(journal)
    try:
        records = list(store.scan(CONFIG_MAPS))
        assert [record.json for record in records] == [each.body for each in rows]
        assert [record.manifest["metadata"]["resourceVersion"] for record in records] == [
            str(record.resource_version) for record in records
        ]
        assert store.resource_version == 20
    finally:
        await store.close()
