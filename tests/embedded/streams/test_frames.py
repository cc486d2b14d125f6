"""SPDY frames: written and read, whole and in pieces, good and bad."""

import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.embedded.streams.frames import (
    MAX_CONTROL,
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Headers,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from trueup.embedded.streams.headers import DICTIONARY, Broken, Packer, Unpacker

IDS = st.integers(1, 0x7FFFFFFF)
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1)
TABLES = st.dictionaries(NAMES, st.text(max_size=80), max_size=6)
FRAMES = st.one_of(
    st.builds(SynStream, IDS, TABLES, st.booleans(), st.integers(0, 7)),
    st.builds(SynReply, IDS, TABLES, st.booleans()),
    st.builds(Headers, IDS, TABLES, st.booleans()),
    st.builds(RstStream, IDS, st.integers(1, 11)),
    st.builds(Settings, st.dictionaries(st.integers(1, 8), st.integers(0, 2**32 - 1), max_size=4)),
    st.builds(Ping, st.integers(0, 2**32 - 1)),
    st.builds(GoAway, IDS, st.integers(0, 11)),
    st.builds(WindowUpdate, st.integers(0, 0x7FFFFFFF), st.integers(1, 0x7FFFFFFF)),
    st.builds(Data, IDS, st.binary(max_size=300), st.booleans()),
)


def joined(frames: Sequence[Frame]) -> list[Frame]:
    """Pieces of one data frame put together again."""
    out: list[Frame] = []
    open_ = False
    for frame in frames:
        if isinstance(frame, Data) and open_ and isinstance(out[-1], Data):
            out[-1] = Data(frame.stream_id, out[-1].content + frame.content, frame.fin)
        else:
            out.append(frame)
        open_ = isinstance(frame, Data)
    return out


def test_the_dictionary_is_the_protocols() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.lists(FRAMES, max_size=12))
def test_what_is_encoded_is_decoded(frames: list[Frame]) -> None:
    encoder, decoder = Encoder(), Decoder()
    for frame in frames:
        assert list(decoder.feed(encoder.encode(frame))) == [frame]


@given(st.lists(FRAMES.filter(lambda each: not isinstance(each, Data)), max_size=8), st.integers(1, 9))
def test_frames_may_arrive_in_pieces(frames: list[Frame], size: int) -> None:
    encoder, decoder = Encoder(), Decoder()
    raw = b"".join(encoder.encode(frame) for frame in frames)
    found = [frame for at in range(0, len(raw), size) for frame in decoder.feed(raw[at : at + size])]
    assert found == frames


def test_data_is_passed_on_as_it_comes_and_ends_with_its_last_piece() -> None:
    raw = Encoder().encode(Data(5, b"0123456789", fin=True))
    decoder = Decoder()
    pieces = [frame for byte in raw for frame in decoder.feed(bytes([byte]))]
    assert [piece.fin for piece in pieces if isinstance(piece, Data)] == [False] * 9 + [True]
    assert joined(pieces) == [Data(5, b"0123456789", fin=True)]


def test_kubectls_first_bytes_are_understood() -> None:
    """SYN_STREAM of an error stream, packed by Go's zlib."""
    headers = {"port": "8080", "requestid": "0", "streamtype": "error"}
    block = Packer().pack(headers)
    assert Unpacker().unpack(block) == headers


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01", "version 2"),
        (b"\x80\x03\x00\x06\x00\x00\x00\x02\x00\x01", "wrong length"),
        (b"\x80\x03\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01", "wrong length"),
        (b"\x80\x03\x00\x01\x00\xff\xff\xff", f"longer than {MAX_CONTROL}"),
        (b"\x80\x03\x00\x02\x00\x00\x00\x08\x00\x00\x00\x01abcd", "cannot be unpacked"),
        (b"\x80\x03\x00\x04\x00\x00\x00\x08\x00\x00\x00\x09\x00\x00\x00\x00", "wrong length"),
    ],
)
def test_bytes_that_are_no_spdy_are_refused(raw: bytes, said: str) -> None:
    with pytest.raises(Broken, match=said):
        list(Decoder().feed(raw))


def test_a_header_block_that_unpacks_to_much_is_refused() -> None:
    packed = Packer().pack({"x": "a" * 10_000_000})
    assert len(packed) < MAX_CONTROL
    with pytest.raises(Broken, match="longer than"):
        Unpacker().unpack(packed)


def test_an_unknown_frame_is_passed_over() -> None:
    decoder, ping = Decoder(), Encoder().encode(Ping(7))
    assert list(decoder.feed(b"\x80\x03\x00\x63\x00\x00\x00\x02xx" + ping)) == [Ping(7)]


def test_noise_ends_in_a_refusal_or_in_nothing() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        raw = bytearray(Encoder().encode(SynStream(1, {"port": "80", "streamtype": "data"})) + b"\x00" * 8)
        for _ in range(3):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            list(Decoder().feed(bytes(raw)))
        except Broken:
            continue
