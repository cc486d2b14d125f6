"""How a simulated container fares, by rule: annotations of the pod, or the tag of an image. Pure.

| rule | container |
|---|---|
| `simulate.trueup.dev/outcome: crash`, image tag `crash` | exits with 1, again and again |
| `oom`, tag `oom` | is killed for its memory |
| `unready`, tag `unready` | runs and never becomes ready |
| `pull-error`, tag `broken` | has an image that cannot be pulled |

A tag may also end in `-crash` and so on. `simulate.trueup.dev/after: 5s` lets it run well for that long first, `.../share: 50%`
concerns that share of the pods,
`.../indexes: 0,2-4` those of an indexed Job, `.../container: NAME` another container than the first, `.../duration: 3s` is how long a pod
works that is to end (of a Job), `.../startup: 2s` how long it takes until it runs, `.../ready-after: 5s` how much
longer until its containers are ready, and `.../exit-code: 3` how it crashes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.objects import fnv32a, rows_of
from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, uid_of

PREFIX = "simulate.trueup.dev/"
STARTUP = timedelta(milliseconds=200)
DURATION = timedelta(seconds=1)


_INDEX = "batch.kubernetes.io/job-completion-index"
_INDEXES = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?(,[0-9]{1,9}(-[0-9]{1,9})?)*")


class Outcome(StrEnum):
    """What becomes of a container."""

    RUN = "run"
    CRASH = "crash"
    OOM = "oom"
    UNREADY = "unready"
    PULL_ERROR = "pull-error"


_TAGS = {
    "crash": Outcome.CRASH,
    "oom": Outcome.OOM,
    "unready": Outcome.UNREADY,
    "broken": Outcome.PULL_ERROR,
}


class Fate(Struct, frozen=True):
    """One container's future. `after` is how long it runs well first, `exit_code` with what it crashes."""

    outcome: Outcome = Outcome.RUN
    after: timedelta = timedelta()
    exit_code: int = 1


class Plan(Struct, frozen=True):
    """A pod's future. `problems` says which rules could not be read; those count as not written."""

    fates: Mapping[str, Fate]
    startup: timedelta = STARTUP
    duration: timedelta = DURATION
    ready_after: timedelta = timedelta()
    problems: tuple[str, ...] = ()

    def fate_of(self, container: str) -> Fate:
        return self.fates.get(container, Fate())


def plan_of(pod: Manifest) -> Plan:
    """What the pod's annotations and images say."""
    annotations = annotations_of(pod)
    problems: list[str] = []
    after = _duration(annotations, "after", timedelta(), problems)
    startup = _duration(annotations, "startup", STARTUP, problems)
    duration = _duration(annotations, "duration", DURATION, problems)
    ready_after = _duration(annotations, "ready-after", timedelta(), problems)
    exit_code = _exit_code(annotations, problems)
    fates = {
        str(each.get("name")): Fate(outcome, after, exit_code)
        for part in ("initContainers", "containers")
        for each in rows_of(pod, "spec", part)
        if (outcome := _of_image(str(each.get("image") or ""))) is not Outcome.RUN
    }
    asked = annotations.get(f"{PREFIX}outcome", "")
    if asked in list(Outcome):
        main = rows_of(pod, "spec", "containers")
        first = str(main[0].get("name")) if main else ""
        fates[annotations.get(f"{PREFIX}container", first)] = Fate(Outcome(asked), after, exit_code)
    elif asked:
        problems.append(f"{PREFIX}outcome: {asked!r} is none of {', '.join(Outcome)}")
    chosen = _is_chosen(pod, annotations.get(f"{PREFIX}share", ""), problems)
    if not chosen or not _is_of_index(annotations, problems):
        fates = {}
    return Plan(fates, startup, duration, ready_after, tuple(problems))


def _of_image(image: str) -> Outcome:
    """The part behind the last `:` of the last path segment; a digest has no say."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return _TAGS.get(tag.rpartition("-")[2], Outcome.RUN)


def _duration(annotations: Mapping[str, Any], name: str, default: timedelta, problems: list[str]) -> timedelta:
    text = annotations.get(PREFIX + name)
    if not text:
        return default
    try:
        return max(parse_duration(text), timedelta())
    except InvalidInput as error:
        problems.append(f"{PREFIX}{name}: {error.message}")
        return default


def _exit_code(annotations: Mapping[str, Any], problems: list[str]) -> int:
    text = annotations.get(f"{PREFIX}exit-code", "")
    if not text:
        return 1
    if text.isdigit() and 1 <= int(text) <= 255:
        return int(text)
    problems.append(f"{PREFIX}exit-code: {text!r} is not a number from 1 to 255")
    return 1


def _is_of_index(annotations: Mapping[str, Any], problems: list[str]) -> bool:
    """Whether the rule is meant for this pod of an indexed Job."""
    wanted = annotations.get(f"{PREFIX}indexes", "")
    if not wanted:
        return True
    if not _INDEXES.fullmatch(wanted):
        problems.append(f"{PREFIX}indexes: {wanted!r} is no list of numbers such as 0,2-4")
        return True
    ranges = (part.partition("-") for part in wanted.split(","))
    index = annotations.get(_INDEX, "")
    return index.isdigit() and any(int(low) <= int(index) <= int(high or low) for low, _, high in ranges)


def _is_chosen(pod: Manifest, share: str, problems: list[str]) -> bool:
    """Whether this pod belongs to the share; the same pod always does or never does."""
    if not share:
        return True
    number = share.removesuffix("%")
    if not number.isdigit():
        problems.append(f"{PREFIX}share: {share!r} is not a percentage such as 50%")
        return True
    return fnv32a(uid_of(pod).encode()) % 100 < int(number)
