"""`pods/log`: what of a container's log is asked for, and following it until the container ends.

What simulated containers say is `workloads.logs`; the choice of lines follows the kubelet, the errors apiserver and kubelet.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from trueup.embedded.api import containers, reads, refusals
from trueup.embedded.api.http import Answer, Request, Stream
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.refusals import FieldProblem, GroupKind
from trueup.embedded.api.target import is_true
from trueup.embedded.storage.history import EventType, HistoryLost
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, name_of, spec_of, uid_of

_INTEGER = re.compile(r"[+-]?\d+")


class Line(Struct, frozen=True):
    """One line: when it was said (RFC 3339), and what, without the line's end."""

    time: str
    text: str


class Said(Struct, frozen=True):
    """The log of one container instance so far. `ended`: nothing will follow. `problem`: why there is no log at all."""

    lines: Sequence[Line] = ()
    ended: bool = False
    instance: str = ""
    problem: str = ""


class Logs(Protocol):
    """Where simulated pods' logs come from."""

    def said(self, pod: Manifest, container: str, *, previous: bool) -> Said: ...


class LogOptions(Struct, frozen=True, kw_only=True):
    """The query of a log request."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since_seconds: int | None = None
    since_time: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None

    def since(self, now: datetime) -> datetime | None:
        return now - timedelta(seconds=self.since_seconds) if self.since_seconds is not None else self.since_time


def log_options(query: Mapping[str, str], name: str) -> LogOptions:
    """Raises 400 for what cannot be read, 422 for what makes no sense."""
    options = LogOptions(
        container=query.get("container", ""),
        follow=is_true(query.get("follow")),
        previous=is_true(query.get("previous")),
        timestamps=is_true(query.get("timestamps")),
        since_seconds=_integer(query, "sinceSeconds"),
        since_time=_time(query.get("sinceTime", "")),
        tail_lines=_integer(query, "tailLines"),
        limit_bytes=_integer(query, "limitBytes"),
    )
    problems: list[FieldProblem] = []
    if options.tail_lines is not None and options.tail_lines < 0:
        said = "must be greater than or equal to 0"
        problems.append(refusals.invalid_value("tailLines", options.tail_lines, said))
    if options.limit_bytes is not None and options.limit_bytes < 1:
        problems.append(refusals.invalid_value("limitBytes", options.limit_bytes, "must be greater than 0"))
    if options.since_seconds is not None and options.since_time is not None:
        problems.append(refusals.forbidden_field("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif options.since_seconds is not None and options.since_seconds < 1:
        problems.append(refusals.invalid_value("sinceSeconds", options.since_seconds, "must be greater than 0"))
    if "stream" in query:
        problems.append(refusals.forbidden_field("stream", "may not be specified"))
    if problems:
        raise refusals.invalid(GroupKind("", "PodLogOptions"), name, problems)
    return options


class PodLogs:
    """Answers the subresource. `source` is set by whoever simulates the pods."""

    def __init__(self, store: Store, now: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self.source: Logs | None = None

    def respond(self, pods: Kind, request: Request) -> Answer | Stream:
        """Raises ApiError before the first byte; the rest streams."""
        options = log_options(request.query, request.target.name)
        record = reads.get(self._store, pods, request.target.namespace, request.target.name)
        pod = record.manifest
        container = containers.chosen(pod, options.container)
        if not spec_of(pod).get("nodeName"):
            return Answer(b"", 204, "text/plain")  # no node, so nobody to ask yet
        if self.source is None:
            raise refusals.internal("no logs: the simulated workloads are not running")
        said = self.source.said(pod, container, previous=options.previous)
        if said.problem:
            raise refusals.bad_request(said.problem)
        return Stream(self._stream(pods, pod, container, options, said), "text/plain")

    async def _stream(
        self, pods: Kind, pod: Manifest, container: str, options: LogOptions, said: Said
    ) -> AsyncIterator[bytes]:
        watch = self._store.watch(pods.storage, int(pod["metadata"]["resourceVersion"])) if options.follow else None
        budget = _Budget(options.limit_bytes)
        since = options.since(datetime.fromisoformat(self._now()))
        lines = _tail(said.lines, options.tail_lines)
        shown = len(said.lines)
        if first := budget.cut(b"".join(_written(line, options) for line in lines if _is_after(line, since))):
            yield first
        if watch is None or said.ended or budget.is_spent:
            return
        assert self.source is not None
        try:
            async for event in watch:
                if event.record.key.name != name_of(pod) or event.record.uid != uid_of(pod):
                    continue
                now = self.source.said(event.record.manifest, container, previous=False)
                ended = now.ended or now.instance != said.instance or event.type is EventType.DELETED
                if now.instance == said.instance:
                    new = b"".join(_written(line, options) for line in now.lines[shown:])
                    shown = max(shown, len(now.lines))
                    if part := budget.cut(new):
                        yield part
                if ended or budget.is_spent:
                    return
        except HistoryLost:
            return  # so far behind that the pod's story cannot be told on; the client may ask again


class _Budget:
    """How many bytes may still be shown."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    @property
    def is_spent(self) -> bool:
        return self._left == 0

    def cut(self, content: bytes) -> bytes:
        if self._left is None:
            return content
        content = content[: self._left]
        self._left -= len(content)
        return content


def _tail(lines: Sequence[Line], count: int | None) -> Sequence[Line]:
    if count is None:
        return lines
    return lines[-count:] if count else ()


def _is_after(line: Line, since: datetime | None) -> bool:
    if since is None:
        return True
    try:
        # Times of objects have whole seconds: what was said in the second asked for was said in time.
        return datetime.fromisoformat(line.time) >= since.replace(microsecond=0)
    except (ValueError, TypeError):
        return True


def _written(line: Line, options: LogOptions) -> bytes:
    return f"{_with_nanoseconds(line.time)} {line.text}\n".encode() if options.timestamps else f"{line.text}\n".encode()


def _with_nanoseconds(time: str) -> str:
    """As the kubelet writes it, always nine digits wide; times of objects have whole seconds."""
    return time.removesuffix("Z") + ".000000000Z" if time.endswith("Z") and "." not in time else time


def _integer(query: Mapping[str, str], name: str) -> int | None:
    if not (text := query.get(name, "")):
        return None
    if _INTEGER.fullmatch(text) is None:
        raise refusals.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not -(1 << 63) <= (number := int(text)) < 1 << 63:
        raise refusals.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None and "T" in text:
            return found
    except ValueError:
        pass
    raise refusals.bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')
