"""Google Cloud Storage, on a stand-in that speaks its JSON API."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.peers.locate import find_program
from tests.peers.process import Child, Watchdog, free_ports, until
from tests.sources.buckets.kit import Fetching
from tests.sources.helm.kit import texts
from trueup.model.errors import InvalidInput
from trueup.model.source import BucketSource
from trueup.sources.buckets.gcp import open_gcp
from trueup.sources.buckets.objects import BucketNotFound
from trueup.sources.giterrors import Unreachable
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets

pytestmark = pytest.mark.real


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[str]:
    """Its address, `127.0.0.1:port`."""
    program = find_program("fake-gcs-server", print)
    folder = Path(tempfile.mkdtemp(prefix="trueup-gcs-"))
    watchdog = Watchdog(folder)
    (port,) = free_ports(1)
    host = f"127.0.0.1:{port}"
    arguments = ["-scheme=http", "-host=127.0.0.1", f"-port={port}", "-backend=memory", f"-public-host={host}"]
    child = Child(program, arguments, folder / "log", watchdog)
    child.start()

    async def answers() -> bool:
        with contextlib.suppress(OSError):
            async with ClientSession() as session, session.get(f"http://{host}/storage/v1/b?project=x") as answer:
                return answer.status == 200
        return False

    try:
        await until(answers, "fake-gcs-server answers", [child], within=30)
        yield host
    finally:
        await child.stop(grace=2)
        watchdog.end()


def client_of(host: str) -> Any:
    return storage.Client(
        project="x",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": f"http://{host}"},
    )


def source(host: str, bucket: str, **more: object) -> BucketSource:
    said = {"provider": "gcp", "bucket": bucket, "endpoint": host, "insecure": True, **more}
    return BucketSource(**said)  # type: ignore[arg-type]


async def test_objects_are_files_and_only_what_changed_is_downloaded(
    fetching: Fetching, store: str, bucket: str
) -> None:
    made = client_of(store).create_bucket(bucket)
    for name in ("apps/a.yaml", "apps/b.yaml", "other/c.yaml"):
        made.blob(name).upload_from_string(f"name: {name}\n")
    wanted = source(store, bucket, prefix="apps/")
    first = await fetching.fetcher.fetch(wanted, NO_SECRETS)
    assert texts(first) == {"apps/a.yaml": "name: apps/a.yaml\n", "apps/b.yaml": "name: apps/b.yaml\n"}
    assert await fetching.fetcher.fetch(wanted, NO_SECRETS, known=first) is first
    made.blob("apps/b.yaml").upload_from_string("changed: true\n")
    fetching.asked.clear()
    second = await fetching.fetcher.fetch(wanted, NO_SECRETS, known=first)
    assert fetching.asked == [".sourceignore", "list apps/", "apps/b.yaml"]
    assert texts(second)["apps/b.yaml"] == "changed: true\n"
    with pytest.raises(BucketNotFound, match="nowhere"):
        await fetching.fetcher.fetch(source(store, "nowhere"), NO_SECRETS)


async def test_a_host_that_is_not_there_says_so(fetching: Fetching, bucket: str) -> None:
    with pytest.raises(Unreachable):
        await fetching.fetcher.fetch(source("127.0.0.1:1", bucket), NO_SECRETS)


def test_a_key_can_send_its_tokens_to_google_alone() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    said = {
        "type": "service_account", "project_id": "shop", "client_email": "robot@shop", "private_key_id": "1",
        "private_key": key.decode(), "token_uri": "http://169.254.169.254/token",
    }  # fmt: skip
    secrets = SourceSecrets(auth=SecretData("Opaque", {"serviceaccount": json.dumps(said, indent=2).encode()}))
    client = open_gcp(source("127.0.0.1:1", "shop"), secrets)
    assert client._client._credentials._token_uri == "https://oauth2.googleapis.com/token"
    client.close()


@pytest.mark.parametrize("text", [b"", b"{}", b"not JSON", b'{"type": "user"}'])
def test_what_is_no_key_is_refused_without_showing_it(text: bytes) -> None:
    secrets = SourceSecrets(auth=SecretData("Opaque", {"serviceaccount": text}))
    with pytest.raises(InvalidInput, match="serviceaccount"):
        open_gcp(source("127.0.0.1:1", "shop"), secrets)
