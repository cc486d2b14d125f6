"""Logs of several pods as one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from trueup.apps.objects.podlogs import (
    AT_ONCE_SIZE,
    LONGEST,
    WAITING,
    WAITING_SIZE,
    LogLine,
    LogOptions,
    LogSource,
    chooser,
    merged,
    query_of,
    read_line,
)
from trueup.cluster.wire import split_texts
from trueup.model.errors import InvalidInput, Transient

WEB = LogSource(pod="web-1", container="main", path="/web-1/log")
API = LogSource(pod="api-1", container="main", path="/api-1/log")


class Pods:
    """Gives lines by path; counts what was read, and what was closed."""

    def __init__(self, lines: dict[str, list[bytes]], broken: str = "") -> None:
        self._broken = broken
        self._lines = lines
        self.read = 0
        self.open = 0
        self.queries: list[dict[str, str]] = []

    async def lines(self, path: str, *, query: dict[str, str] | None = None) -> AsyncGenerator[bytes, None]:
        self.queries.append(query or {})
        self.open += 1
        if path == self._broken:
            raise RuntimeError("a mistake of ours")
        try:
            for line in self._lines[path]:
                if line == b"!":
                    raise Transient("the pod has gone")
                self.read += 1
                yield line
                await asyncio.sleep(0)
            if (query or {}).get("follow"):
                await asyncio.Event().wait()
        finally:
            self.open -= 1


async def all_of(pods: Pods, options: LogOptions, *sources: LogSource) -> list[LogLine]:
    return [line async for lines in merged(pods, sources, options) for line in lines]


async def test_lines_say_whose_they_are_and_when() -> None:
    pods = Pods({WEB.path: [b"2026-03-01T12:00:00.123456789Z hello"], API.path: [b"no time"]})
    found = {line.pod: line for line in await all_of(pods, LogOptions(), WEB, API)}
    assert found["web-1"].text == "hello"
    assert found["web-1"].at is not None
    assert (found["api-1"].text, found["api-1"].at) == ("no time", None)


async def test_one_pod_that_cannot_be_read_does_not_end_the_others() -> None:
    pods = Pods({WEB.path: [b"a", b"!"], API.path: [b"b", b"c"]})
    found = await all_of(pods, LogOptions(), WEB, API)
    assert sorted(line.text for line in found) == ["a", "b", "c", "the pod has gone"]
    assert [line.text for line in found if line.error] == ["the pod has gone"]


async def test_a_reader_who_does_not_read_stops_the_pods_from_being_read() -> None:
    pods = Pods({WEB.path: [b"x"] * (WAITING * 5)})
    stream = merged(pods, [WEB], LogOptions(follow=True))
    await anext(stream)
    for _ in range(WAITING * 10):
        await asyncio.sleep(0)
    assert pods.read <= WAITING + 202
    await stream.aclose()
    assert pods.open == 0


def test_what_is_asked_of_kubernetes() -> None:
    assert query_of(LogOptions(follow=True, tail=5), "c") == {
        "container": "c",
        "timestamps": "true",
        "follow": "true",
        "tailLines": "5",
    }
    assert "tailLines" not in query_of(LogOptions(pattern="x"), "c"), "the tail is of what is shown"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (LogOptions(pattern="err"), ["an ERROR"]),
        (LogOptions(pattern="err", match_case=True), []),
        (LogOptions(pattern="err", invert=True), ["fine"]),
        (LogOptions(), ["an ERROR", "fine"]),
    ],
)
def test_lines_are_chosen_by_a_pattern(options: LogOptions, wanted: list[str]) -> None:
    shown = chooser(options)
    assert [text for text in ("an ERROR", "fine") if shown(text)] == wanted


def test_a_pattern_that_is_none_is_refused_and_an_evil_one_is_harmless() -> None:
    with pytest.raises(InvalidInput, match="no pattern"):
        chooser(LogOptions(pattern="("))
    assert chooser(LogOptions(pattern="(a+)+$"))("a" * 50_000 + "b") is False


def test_an_endless_line_is_cut() -> None:
    assert len(read_line(b"x" * 1_000_000, WEB).text) == 64 * 1024


async def test_a_log_that_nobody_foresaw_to_fail_does_not_leave_its_reader_waiting() -> None:
    pods = Pods({WEB.path: [b"a"], API.path: []}, broken=API.path)
    async with asyncio.timeout(20):
        found = await all_of(pods, LogOptions(), WEB, API)
    assert {(line.pod, line.error) for line in found} == {("web-1", False), ("api-1", True)}


async def test_with_a_pattern_the_tail_is_of_the_lines_that_match() -> None:
    pods = Pods({WEB.path: [b"error 1", b"fine", b"error 2", b"fine", b"error 3"], API.path: [b"error 4", b"fine"]})
    found = await all_of(pods, LogOptions(pattern="error", tail=2), WEB, API)
    assert sorted(line.text for line in found) == ["error 2", "error 3", "error 4"]


async def test_of_matching_lines_only_so_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.apps.objects.podlogs.LARGEST_TAIL", 20)
    pods = Pods({WEB.path: [b"x%08d" % number for number in range(100)]})
    found = await all_of(pods, LogOptions(pattern="x", tail=50), WEB)
    assert [line.text for line in found] == ["x00000098", "x00000099"]


async def chunks(*given: bytes) -> AsyncGenerator[bytes, None]:
    for one in given:
        yield one


async def test_the_last_words_of_a_program_are_shown_though_it_did_not_end_the_line() -> None:
    found = [line async for line in split_texts(chunks(b"a\n  b", b"b\n\npanic: ", b"oh no"))]
    assert found == [b"a", b"  bb", b"", b"panic: oh no"]


async def test_a_program_that_never_ends_a_line_fills_no_memory() -> None:
    found = [line async for line in split_texts(chunks(*[b"x" * 100] * 100, b"\nshort\n"), longest=250)]
    assert found == [b"x" * 250, b"short"]


async def test_few_lines_that_are_long_are_not_kept_without_end_either() -> None:
    pods = Pods({WEB.path: [b"x" * LONGEST] * 200})
    stream = merged(pods, [WEB], LogOptions(follow=True))
    first = await anext(stream)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert sum(len(line.text) for line in first) <= AT_ONCE_SIZE + LONGEST
    assert pods.read * LONGEST <= WAITING_SIZE + AT_ONCE_SIZE + 3 * LONGEST
    await stream.aclose()


async def test_none_is_lost_however_many_pods_talk_at_once() -> None:
    sources = [LogSource(pod=f"p{number}", container="main", path=f"/{number}") for number in range(20)]
    pods = Pods({one.path: [b"x"] * (WAITING // 5) for one in sources})
    assert len(await all_of(pods, LogOptions(), *sources)) == 20 * (WAITING // 5)
