"""The unpacker takes ordinary archives as they are, and hostile ones end it early and in little memory."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.sources.archive import ArchiveDamaged, ArchiveLimits, ArchiveRefused, Links, unpack_tar
from trueup.sources.storedfile import StoredFile, path_fault

SMALL = ArchiveLimits(entries=50, total=200_000, single=50_000, ratio=20, ratio_from=30_000)


def tar_of(*entries: tuple[str, bytes] | tarfile.TarInfo, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                header = tarfile.TarInfo(entry[0])
                header.size = len(entry[1])
                tar.addfile(header, io.BytesIO(entry[1]))
    return gzip.compress(out.getvalue(), mtime=0) if packed else out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


def unpacked(data: bytes, *, limits: ArchiveLimits = SMALL, links: Links = Links.SKIP) -> list[StoredFile]:
    return list(unpack_tar(data, limits=limits, links=links, what="the layer"))


@pytest.mark.parametrize("packed", [True, False])
def test_files_come_out_with_clean_paths_and_their_mode(packed: bool) -> None:
    script = special("./bin/run", tarfile.REGTYPE)
    script.mode = 0o755
    data = tar_of(special("./", tarfile.DIRTYPE), ("./a//b.yaml", b"x: 1\n"), ("ä.txt", b"y"), script, packed=packed)

    assert unpacked(data) == [
        StoredFile("a/b.yaml", b"x: 1\n"),
        StoredFile("ä.txt", b"y"),
        StoredFile("bin/run", b"", executable=True),
    ]


def test_an_archive_of_nothing_has_no_files() -> None:
    assert unpacked(tar_of()) == []


def test_a_git_directory_is_left_out() -> None:
    data = tar_of((".git/config", b"[core]"), ("sub/.GIT/hooks/x", b""), (".gitignore", b"x"), ("a", b""))
    assert [file.path for file in unpacked(data)] == [".gitignore", "a"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/etc/passwd", "is absolute"),
        ("../out", "'..'"),
        ("a/../../out", "'..'"),
        ("a/../b", "'..'"),
        ("a\\..\\b", "backslash"),
        ("a\nb", "control character"),
        ("x" * 300, "is too long"),
        ("a/" * 2500 + "b", "is too long"),
        ("caf\udce9", "is not UTF-8"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(name: str, said: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        tar.addfile(tarfile.TarInfo("good"))
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ArchiveRefused) as refusal:
        unpacked(data.getvalue())
    assert said in str(refusal.value)
    assert "the layer" in str(refusal.value)


@pytest.mark.parametrize(
    "entry",
    [
        special("dev", tarfile.CHRTYPE),
        special("dev", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("hard", tarfile.LNKTYPE, "good"),
        special("hard", tarfile.LNKTYPE, "/etc/passwd"),
        special("odd", b"Z"),
    ],
)
def test_whatever_is_no_plain_file_is_refused(entry: tarfile.TarInfo) -> None:
    with pytest.raises(ArchiveRefused, match=entry.name):
        unpacked(tar_of(("good", b"x"), entry))


def test_symbolic_links_are_left_out_kept_or_refused_as_asked() -> None:
    data = tar_of(("a/b", b"x"), special("a/l", tarfile.SYMTYPE, "../a/b"))
    assert unpacked(data) == [StoredFile("a/b", b"x")]
    assert unpacked(data, links=Links.KEEP)[1] == StoredFile("a/l", link="../a/b")
    with pytest.raises(ArchiveRefused, match="symbolic link"):
        unpacked(data, links=Links.REFUSE)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "..", "b/../../../x", ""])
def test_a_link_that_leads_outside_is_refused_where_links_are_kept(target: str) -> None:
    with pytest.raises(ArchiveRefused, match="leads out of its tree"):
        unpacked(tar_of(special("l" if target == ".." else "a/l", tarfile.SYMTYPE, target)), links=Links.KEEP)


@pytest.mark.parametrize("links", [Links.KEEP, Links.SKIP])
def test_nothing_can_be_written_through_a_link(links: Links) -> None:
    data = tar_of(special("l", tarfile.SYMTYPE, "a"), ("l/x", b"x"))
    if links is Links.SKIP:
        assert unpacked(data) == [StoredFile("l/x", b"x")]
    else:
        with pytest.raises(ArchiveRefused, match="not a directory"):
            unpacked(data, links=links)


def test_a_path_cannot_be_file_and_directory() -> None:
    with pytest.raises(ArchiveRefused, match="not a directory"):
        unpacked(tar_of(("a", b""), ("a/b", b"")))
    with pytest.raises(ArchiveRefused, match="as a file and as a directory"):
        unpacked(tar_of(("a/b", b""), ("a", b"")))


def test_a_later_file_of_the_same_path_follows_the_earlier() -> None:
    assert [file.data for file in unpacked(tar_of(("a", b"1"), ("a", b"2")))] == [b"1", b"2"]


def test_more_entries_than_allowed_are_refused_directories_included() -> None:
    assert len(unpacked(tar_of(*((f"f{n}", b"") for n in range(50)), packed=False))) == 50
    with pytest.raises(ArchiveRefused, match="more than 50 entries"):
        unpacked(tar_of(*((f"f{n}", b"") for n in range(51)), packed=False))
    with pytest.raises(ArchiveRefused, match="more than 50 entries"):
        unpacked(tar_of(*(("/".join([f"d{n}"] * 20) + "/f", b"") for n in range(4)), packed=False))


def test_a_file_or_archive_that_is_too_large_is_refused() -> None:
    noise = random.Random(1).randbytes(60_000)
    with pytest.raises(ArchiveRefused, match=r"big.* is larger than 50000 bytes"):
        unpacked(tar_of(("big", noise)))
    with pytest.raises(ArchiveRefused, match="unpacks to more than 200000 bytes"):
        unpacked(tar_of(*((f"f{n}", noise[:49_000]) for n in range(5))))


def test_a_decompression_bomb_is_refused_early_and_in_little_memory() -> None:
    one = gzip.compress(tar_of(("zeros", bytes(40_000_000)), packed=False))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveRefused, match="decompression bomb"):
            unpacked(one, limits=ArchiveLimits(ratio_from=1_000_000))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_of_many_gzip_members_is_one_bomb() -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 40_000_000
    member = gzip.compress(bytes(1_000_000))
    with pytest.raises(ArchiveRefused, match="decompression bomb"):
        unpacked(gzip.compress(header.tobuf()) + member * 40, limits=ArchiveLimits(ratio_from=1_000_000))


def test_headers_cannot_ask_for_much_memory() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 8**11 - 1
    with pytest.raises(ArchiveRefused, match="a header is larger than"):
        unpacked(header.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))


def test_headers_about_headers_end() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 0
    with pytest.raises(ArchiveRefused, match="headers about headers"):
        unpacked(header.tobuf(tarfile.USTAR_FORMAT) * 5000, limits=ArchiveLimits())


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"GNU.sparse.map": "0,1"},
        {"GNU.sparse.size": "9999999999"},
    ],
)
def test_sparse_files_are_refused_in_every_form(headers: dict[str, str]) -> None:
    header = tarfile.TarInfo("x")
    header.pax_headers, header.size = headers, 512
    with pytest.raises(ArchiveRefused, match="sparse"):
        unpacked(header.tobuf(tarfile.PAX_FORMAT) + b"9" * 512 + bytes(1024))
    with pytest.raises(ArchiveRefused, match="sparse"):
        unpacked(special("x", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT) + bytes(1024))


@pytest.mark.parametrize("kept", [0, 1, 30, 200])
def test_a_truncated_archive_is_damaged(kept: int) -> None:
    data = tar_of(("a", random.Random(2).randbytes(400)))
    with pytest.raises(ArchiveDamaged):
        unpacked(data[:kept])


def test_a_wrong_compression_is_named() -> None:
    with pytest.raises(ArchiveRefused, match="zstd"):
        unpacked(b"\x28\xb5\x2f\xfd" + bytes(600))
    with pytest.raises(ArchiveRefused, match="zip"):
        unpacked(b"PK\x03\x04" + bytes(600))


@given(st.binary(max_size=1500), st.booleans())
def test_any_bytes_at_all_either_unpack_or_are_refused(data: bytes, packed: bool) -> None:
    try:
        files = unpacked(gzip.compress(data) if packed else data, links=Links.KEEP)
    except (ArchiveRefused, ArchiveDamaged):
        return
    assert all(path_fault(file.path) == "" for file in files)


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_damaged_archive_never_does_worse_than_being_refused(seed: int, flips: int) -> None:
    chance = random.Random(seed)
    data = bytearray(tar_of(("a/b", b"x" * 600), special("l", tarfile.SYMTYPE, "a/b"), ("ä" * 90, b"y"), packed=False))
    for _ in range(flips):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        files = unpacked(bytes(data), links=Links.KEEP)
    except (ArchiveRefused, ArchiveDamaged):
        return
    assert all(path_fault(file.path) == "" for file in files)
