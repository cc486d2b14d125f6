"""Buckets of the real MinIO: what is fetched, what is not fetched again, and what refusals say."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from tests.peers.objectstore import PASSWORD, USER, ObjectStore, running_object_store
from tests.sources.buckets.kit import Fetching
from tests.sources.helm.kit import texts
from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.source import BucketSource
from trueup.sources.buckets.objects import (
    BucketLimits,
    BucketNotFound,
    BucketRefused,
)
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets

pytestmark = pytest.mark.real

ADMIN = SourceSecrets(auth=SecretData("Opaque", {"accesskey": USER.encode(), "secretkey": PASSWORD.encode() + b"\n"}))


def source(store: ObjectStore, bucket: str, **more: object) -> BucketSource:
    said = {"provider": "generic", "bucket": bucket, "endpoint": store.host, "insecure": True, **more}
    return BucketSource(**said)  # type: ignore[arg-type]


async def test_a_buckets_objects_are_files_and_its_revision_is_fluxs(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {"apps/web.yaml": "kind: A\n", "README.md": "hello", "folder/": ""})
    snapshot = await fetching.fetcher.fetch(source(object_store, bucket), ADMIN)
    assert texts(snapshot) == {"apps/web.yaml": "kind: A\n", "README.md": "hello"}
    etags = {name: hashlib.md5(text.encode()).hexdigest() for name, text in texts(snapshot).items()}
    lines = "".join(f"{name} {etags[name]}\n" for name in ("README.md", "apps/web.yaml"))
    assert str(snapshot.revision) == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert list(fetching.spool.iterdir()) == []


async def test_an_unchanged_bucket_is_listed_and_only_what_changed_is_downloaded(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {f"f{number}.yaml": f"n: {number}\n" for number in range(12)})
    wanted = source(object_store, bucket)
    first = await fetching.fetcher.fetch(wanted, ADMIN)
    fetching.asked.clear()
    assert await fetching.fetcher.fetch(wanted, ADMIN, known=first) is first
    assert fetching.asked == [".sourceignore", "list "]
    assert await fetching.fetcher.fetch(wanted, ADMIN, known=first, max_age=timedelta(minutes=1)) is first
    assert len(fetching.asked) == 2

    object_store.fill(bucket, {"f3.yaml": "n: three\n", "f4.yaml": None, "new.yaml": "n: new\n"})
    fetching.asked.clear()
    second = await fetching.fetcher.fetch(wanted, ADMIN, known=first)
    assert sorted(fetching.asked[2:]) == ["f3.yaml", "new.yaml"]
    assert set(texts(second)) == set(texts(first)) - {"f4.yaml"} | {"new.yaml"}
    assert texts(second)["f3.yaml"] == "n: three\n"


async def test_after_a_restart_too_only_what_changed_is_downloaded(
    tmp_path: Path, fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {"a.yaml": "1", "b.yaml": "2"})
    wanted = source(object_store, bucket)
    revision = (await fetching.fetcher.fetch(wanted, ADMIN)).revision
    again = Fetching(tmp_path)
    known = await again.fetcher.reopen(wanted, ADMIN, revision)
    assert known is not None
    object_store.fill(bucket, {"b.yaml": "3"})
    newer = await again.fetcher.fetch(wanted, ADMIN, known=known)
    assert again.asked[2:] == ["b.yaml"]
    assert texts(newer) == {"a.yaml": "1", "b.yaml": "3"}


async def test_prefix_ignore_file_and_spec_ignore_leave_objects_out(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    names = ("apps/a.yaml", "apps/b.txt", "apps/c.md", "apps-old/d.yaml", "other/e.yaml")
    object_store.fill(bucket, {**dict.fromkeys(names, "x"), ".sourceignore": "*.txt\n"})
    wanted = source(object_store, bucket, prefix="apps", ignore="*.md\n")
    snapshot = await fetching.fetcher.fetch(wanted, ADMIN)
    assert set(texts(snapshot)) == {"apps/a.yaml", "apps-old/d.yaml"}


async def test_refused_credentials_are_told_without_them_and_new_ones_work(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {"a.yaml": "1"})
    wanted = source(object_store, bucket)
    old = SourceSecrets(auth=SecretData("Opaque", {"accesskey": USER.encode(), "secretkey": b"was-right-once"}))
    with pytest.raises(AuthenticationFailed, match="SignatureDoesNotMatch") as refused:
        await fetching.fetcher.fetch(wanted, old)
    assert "was-right-once" not in str(refused.value)
    with pytest.raises(AuthenticationFailed, match="AccessDenied"):
        await fetching.fetcher.fetch(wanted, NO_SECRETS)
    with pytest.raises(InvalidInput, match="secretkey"):
        await fetching.fetcher.fetch(wanted, SourceSecrets(auth=SecretData("Opaque", {"accesskey": b"x"})))
    assert texts(await fetching.fetcher.fetch(wanted, ADMIN)) == {"a.yaml": "1"}


async def test_a_bucket_that_is_not_there_and_a_host_that_is_not_there(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    with pytest.raises(BucketNotFound, match=bucket):
        await fetching.fetcher.fetch(source(object_store, bucket), ADMIN)
    with pytest.raises(Unreachable):
        await fetching.fetcher.fetch(source(object_store, bucket, endpoint="127.0.0.1:1"), ADMIN)
    with pytest.raises(InvalidInput, match="host alone"):
        await fetching.fetcher.fetch(source(object_store, bucket, endpoint=object_store.url), ADMIN)


async def test_what_is_too_much_is_refused_before_it_is_downloaded(
    tmp_path: Path, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {"a": b"x" * 100, "b": b"x" * 100, "c": b"x" * 100})
    wanted = source(object_store, bucket)
    for number, limits in enumerate((BucketLimits(objects=2), BucketLimits(total=250), BucketLimits(single=99))):
        small = Fetching(tmp_path / str(number), limits)
        with pytest.raises(BucketRefused, match="limit"):
            await small.fetcher.fetch(wanted, ADMIN)
        assert [key for key in small.asked if key in "abc"] == []
    allowed = Fetching(tmp_path / "ok", BucketLimits(total=250))
    narrowed = structs.replace(wanted, ignore="a\n")
    assert set(texts(await allowed.fetcher.fetch(narrowed, ADMIN))) == {"b", "c"}


async def test_a_name_that_no_file_can_have_is_refused_by_name(
    fetching: Fetching, object_store: ObjectStore, bucket: str
) -> None:
    object_store.fill(bucket, {"a/.git/config": "2"})
    with pytest.raises(BucketRefused, match=r"\.git"):
        await fetching.fetcher.fetch(source(object_store, bucket), ADMIN)


async def test_tls_wants_an_authority_to_trust(tmp_path: Path, bucket: str) -> None:
    async with running_object_store(tls=True) as store:
        store.fill(bucket, {"a.yaml": "1"})
        wanted = source(store, bucket, insecure=False)
        fetching = Fetching(tmp_path)
        with pytest.raises(CertificateUntrusted):
            await fetching.fetcher.fetch(wanted, ADMIN)
        trusting = structs.replace(ADMIN, certificates=SecretData("Opaque", {"ca.crt": store.ca}))
        assert texts(await fetching.fetcher.fetch(wanted, trusting)) == {"a.yaml": "1"}
