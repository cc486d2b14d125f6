"""The engine's answers in our types: objects with their places, and refusals as errors for a person."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from trueup.model.errors import BuildFailed, NotBuiltYet, TrueupError
from trueup.model.manifest import Origin
from trueup.model.remote import RemoteNeed
from trueup.render.built import BuiltObject
from trueup.render.engine.frames import File, Need, Problem
from trueup.render.engine.process import EngineProcess, FileServer, Refused
from trueup.render.remotes import RemotesNeeded
from trueup.sources.giturl import mask_url

_NOT_BUILT_YET = frozenset({"NotBuiltYet"})


class _Object(Struct, frozen=True):
    object: Raw
    path: str = ""
    line: int = 0
    text: str = ""


class Skipped(Struct, frozen=True):
    """A file that was left out because it is no manifest."""

    path: str
    why: str


class _Answer(Struct, frozen=True):
    objects: tuple[_Object, ...]
    skipped: tuple[Skipped, ...] = ()


class Objects(Struct, frozen=True):
    objects: tuple[BuiltObject, ...]
    skipped: tuple[Skipped, ...] = ()


class Parsed(Struct, frozen=True):
    """One text as JSON, or what is wrong with it."""

    object: Raw = Raw(b"null")
    error: Problem | None = None


class _ParsedAnswer(Struct, frozen=True):
    objects: tuple[Parsed, ...]


_objects = msgspec.json.Decoder(_Answer)
_parsed = msgspec.json.Decoder(_ParsedAnswer)


def request_objects(
    engine: EngineProcess,
    kind: str,
    params: dict[str, object],
    files: FileServer,
    along: tuple[tuple[File, ...], tuple[bytes, ...]],
) -> Objects:
    """One request whose answer is objects. Raises BuildFailed or NotBuiltYet with file, line and what to try.

    Or RemotesNeeded, where it may have failed for something that has to be fetched.
    """
    try:
        raw = engine.call(kind, params, files, *along)
    except Refused as refused:
        if refused.problem.code == "Empty":
            return Objects(())
        raise as_error_or_needs(refused.problem) from refused
    answer = _objects.decode(raw)
    # Copies, so that one small object does not keep the whole answer in memory.
    objects = tuple(BuiltObject(one.object.copy(), one.path, one.line, one.text) for one in answer.objects)
    return Objects(objects, answer.skipped)


def as_error_or_needs(problem: Problem) -> TrueupError | RemotesNeeded:
    """RemotesNeeded where the request may have failed for something that has to be fetched."""
    error = as_error(problem)
    return RemotesNeeded(tuple(map(_need, problem.needs)), error) if problem.needs else error


def _need(need: Need) -> RemoteNeed:
    origin = Origin(need.path, need.line) if need.path else None
    return RemoteNeed(need.text, origin, need.directory, chart=need.chart)


def request_parsed(engine: EngineProcess, texts: list[str]) -> tuple[Parsed, ...]:
    """The JSON of single YAML documents, in their order."""
    return _parsed.decode(engine.call("parse", {"texts": texts})).objects


def as_error(problem: Problem) -> TrueupError:
    """Terminal: only another revision or spec can help."""
    origin = Origin(problem.path, problem.line, problem.column) if problem.path else None
    if problem.code == "RemoteRefused":
        return BuildFailed(mask_url(problem.message), reason="RemoteRefused", hint=problem.hint, origin=origin)
    kind = NotBuiltYet if problem.code in _NOT_BUILT_YET else BuildFailed
    return kind(mask_url(problem.message), hint=problem.hint, origin=origin)
