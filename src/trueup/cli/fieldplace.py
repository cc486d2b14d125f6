"""Where in a file a field of a resource stands: line and column, for whoever has to mend it.

The marks of a YAML parser, which the engines' reader does not hand out. It is asked only when something is wrong already, and
what it cannot find stays at the beginning of its document. Event by event, so that no text can be too deep or too large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import yaml
from msgspec import Struct

from trueup.model.manifest import Origin

Steps: TypeAlias = tuple[str | int, ...]
DEEPEST = 100
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def place_of_field(origin: Origin, field: str, read: Callable[[str], bytes | None]) -> Origin:
    """`field` as errors name it: `spec.images[0].name`. The deepest part of it that is there counts."""
    wanted: Steps = tuple(name or int(number) for name, number in _STEP.findall(field))
    data = read(origin.path) if wanted and origin.line else None
    if data is None:
        return origin
    best, found = 0, origin
    try:
        for start, steps, mark in _places(data, len(wanted)):
            if start > origin.line:
                break
            if start == origin.line and len(steps) > best and steps == wanted[: len(steps)]:
                best, found = len(steps), Origin(origin.path, mark.line + 1, mark.column + 1)
    except yaml.YAMLError:
        return origin
    return found


class _Frame(Struct):
    """An open collection. `step` is the key or number of what is inside it now; `is_key`: the next node is a key."""

    mapping: bool
    step: str | int = -1
    is_key: bool = True


def _places(data: bytes, deepest: int) -> Iterator[tuple[int, Steps, Any]]:
    """Each key and list item: the line its document begins in, the way to it, and its mark. Raises yaml.YAMLError."""
    frames: list[_Frame] = []
    start = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            frames.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        if frames:
            if _enter(frames[-1], event) and len(frames) <= deepest:
                yield start, tuple(frame.step for frame in frames), event.start_mark
        else:
            start = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.CollectionStartEvent):
            if len(frames) == DEEPEST:
                return  # each level costs the parser time for all above it
            frames.append(_Frame(mapping=isinstance(event, yaml.MappingStartEvent)))


def _enter(frame: _Frame, event: Any) -> bool:
    """Whether this node is a place of its own: a key, or an item of a list."""
    if not frame.mapping:
        assert isinstance(frame.step, int)
        frame.step += 1
        return True
    key = frame.is_key
    frame.is_key = not key
    if key:
        frame.step = event.value if isinstance(event, yaml.ScalarEvent) else -1
    return key
