"""YAML that somebody else wrote, read within bounds.

The C reader recurses as deep as the text is nested, which ends the process; aliases can make a text of some lines into
more than any memory; and a number in base 60 takes quadratic time. So the text is first looked through event by event.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

DEEPEST = 100
FEW_NODES = 1000
"""So many may aliases make of the shortest text; of a longer one as many as it has characters."""
LONGEST_NUMBER = 1000
_NUMBER = re.compile(r"[-+.:_0-9]+")


def load_yaml(text: str) -> Any:
    """One document. Raises yaml.YAMLError, also for what is beyond the bounds."""
    _check(text)
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (the C safe loader)


def _check(text: str) -> None:
    most = max(len(text), FEW_NODES)
    nodes = 0
    known: dict[str, tuple[int, int]] = {}
    """By anchor: nodes and levels of what it names."""
    opened: list[tuple[str | None, int]] = []
    levels: list[int] = [0]
    for event in yaml.parse(text, Loader=_Loader):
        below = 0
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in known:
                raise _beyond("an alias names nothing that ended before it", event)
            size, below = known[event.anchor]
            nodes += size
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.implicit[0] and len(event.value) > LONGEST_NUMBER and _NUMBER.fullmatch(event.value):
                raise _beyond("a number is too long", event)
            if event.anchor:
                known[event.anchor] = 1, 0
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, nodes))
            levels.append(0)
            nodes += 1
            known.pop(event.anchor or "", None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            below = levels.pop() + 1
            if anchor:
                known[anchor] = nodes - before, below
        levels[-1] = max(levels[-1], below)
        if len(opened) + below > DEEPEST:
            raise _beyond("it is nested too deep", event)
        if nodes > most:
            raise _beyond("its aliases make too much of it", event)


def _beyond(problem: str, event: yaml.Event) -> ComposerError:
    mark: Any = event.start_mark  # the C reader's own, which serves as well
    return ComposerError(None, None, problem, mark)
