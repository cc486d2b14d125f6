"""One container's next state: waiting, running, terminated, back-off, as kubelet's container statuses tell it. Pure.

What is known of a container is its status row alone; `Step.again_at` says when it will move by time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.clock import read_time, stamp
from trueup.embedded.workloads.objects import count_of, dig, mapping_of
from trueup.embedded.workloads.pods.outcome import Fate, Outcome, Plan
from trueup.embedded.workloads.writes import earliest
from trueup.model.manifest import Manifest, name_of, namespace_of, uid_of

FIRST_BACK_OFF = timedelta(seconds=10)
LAST_BACK_OFF = timedelta(minutes=5)
SHOWN = timedelta(seconds=1)
"""How long a death, or a failed pull, is seen before the back-off."""

_EXITS = (Outcome.CRASH, Outcome.OOM)


class Known(Struct, frozen=True):
    """A pod, its plan, the time, and since when its status is as it is (API times are too coarse for short delays)."""

    pod: Manifest
    plan: Plan
    began: datetime
    now: datetime


class Role(StrEnum):
    """What is expected of a container."""

    SERVE = "serve"  # runs for ever, is restarted whenever it ends
    WORK = "work"  # ends, is restarted only if it failed
    ONCE = "once"  # ends, is never restarted
    PREPARE = "prepare"  # an init container: ends at once, is restarted if it failed
    PREPARE_ONCE = "prepare-once"  # an init container whose failure is the pod's


class Step(Struct, frozen=True):
    """The next status row, when it will change by time, and what is told about it: (type, reason, message) each."""

    row: dict[str, Any]
    again_at: datetime | None = None
    said: tuple[tuple[str, str, str], ...] = ()


def waiting(container: dict[str, Any], reason: str, message: str = "") -> dict[str, Any]:
    """The row of a container that has never run."""
    detail = {"reason": reason} | ({"message": message} if message else {})
    return {
        "name": container.get("name"),
        "state": {"waiting": detail},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container.get("image"),
        "imageID": "",
        "started": False,
    }


def step(known: Known, container: dict[str, Any], row: dict[str, Any], role: Role) -> Step:
    """The row after `known.now`, from the row before: at most one move. `row` is of a container that may start."""
    now, fate = known.now, known.plan.fate_of(str(container.get("name")))
    duration = known.plan.duration
    state = mapping_of(row, "state")
    if "running" in state:
        return _unready(known, row, role, fate) or _running(row, role, fate, duration, now)
    if "terminated" in state:
        return _terminated(known.pod, row, role, now)
    match dig(state, "waiting", "reason"):
        case "ImagePullBackOff":
            return Step(row)
        case "ErrImagePull":
            return _pull_failed(container, row, known.began, now)
        case "CrashLoopBackOff":
            due = _ended(row) + back_off(count_of(row, "restartCount"))
            return Step(row, due) if now < due else _begin(known, container, row, role, fate)
        case _:
            if fate.outcome is Outcome.PULL_ERROR:
                message = _pull_message(container)
                return Step(waiting(container, "ErrImagePull", message), now + SHOWN, (("Warning", "Failed", message),))
            return _begin(known, container, row, role, fate)


def _begin(known: Known, container: dict[str, Any], row: dict[str, Any], role: Role, fate: Fate) -> Step:
    """A start; with a delay of readiness, one that is not ready yet."""
    begun = _start(container, row, role, fate, known.now)
    if not known.plan.ready_after or not begun.row.get("ready"):
        return begun
    ready_at = known.now + known.plan.ready_after
    return Step({**begun.row, "ready": False}, earliest(begun.again_at, ready_at), begun.said)


def _unready(known: Known, row: dict[str, Any], role: Role, fate: Fate) -> Step | None:
    """The move of a container that runs and is to become ready; None: readiness is not what moves it next."""
    turns = fate.after if fate.outcome in (Outcome.UNREADY, *_EXITS) else None
    if role is not Role.SERVE or not known.plan.ready_after or row.get("ready") or turns == timedelta():
        return None
    since = read_time(dig(row, "state", "running", "startedAt")) or known.now
    ready_at = since + known.plan.ready_after
    if turns is not None and since + turns <= max(ready_at, known.now):
        return None  # it fails before
    return Step(row, ready_at) if known.now < ready_at else Step({**row, "ready": True}, known.now)


def _start(container: dict[str, Any], row: dict[str, Any], role: Role, fate: Fate, now: datetime) -> Step:
    begun = {
        **row,
        "state": {"running": {"startedAt": stamp(now)}},
        "imageID": f"simulated://{sha256(str(container.get('image')).encode()).hexdigest()}",
        "containerID": f"simulated://{_id_of(container, row, now)}",
        "started": True,
        "ready": role is Role.SERVE and fate.outcome in (Outcome.RUN, Outcome.PULL_ERROR),
    }
    said = (
        ("Normal", "Pulled", f'Container image "{container.get("image")}" already present on machine'),
        ("Normal", "Created", f"Created container: {row['name']}"),
        ("Normal", "Started", f"Started container {row['name']}"),
    )
    if fate.after and fate.outcome in (Outcome.UNREADY, *_EXITS):
        begun["ready"] = role is Role.SERVE
        return Step(begun, now + fate.after, said)
    if fate.outcome in _EXITS:
        return Step(_ending(begun, now, *_exit_of(fate)), now + SHOWN, said)
    if role in (Role.PREPARE, Role.PREPARE_ONCE):
        return Step(_ending(begun, now, 0, "Completed"), None, said)
    return Step(begun, now, said)


def _running(row: dict[str, Any], role: Role, fate: Fate, duration: timedelta, now: datetime) -> Step:
    since = read_time(dig(row, "state", "running", "startedAt")) or now
    ends = since + duration if role in (Role.WORK, Role.ONCE) else None
    turns = since + fate.after
    if fate.outcome in _EXITS and (ends is None or turns <= ends):
        if now < turns:
            return Step(row, turns)
        return Step(_ending(row, now, *_exit_of(fate)), now + SHOWN)
    if fate.outcome is Outcome.UNREADY and row.get("ready"):
        if now < turns:
            return Step(row, turns)
        return Step({**row, "ready": False}, None, (("Warning", "Unhealthy", "Readiness probe failed: simulated"),))
    if ends is not None:
        return Step(row, ends) if now < ends else Step(_ending(row, now, 0, "Completed"))
    return Step(row)


def _exit_of(fate: Fate) -> tuple[int, str]:
    """Exit code and reason of a container that fails by rule."""
    return (137, "OOMKilled") if fate.outcome is Outcome.OOM else (fate.exit_code, "Error")


def _terminated(pod: Manifest, row: dict[str, Any], role: Role, now: datetime) -> Step:
    ended = mapping_of(row, "state", "terminated")
    if role in (Role.ONCE, Role.PREPARE_ONCE) or (ended.get("exitCode") == 0 and role is not Role.SERVE):
        return Step(row)
    due = _ended(row) + SHOWN
    if now < due:
        return Step(row, due)
    restarts = count_of(row, "restartCount") + 1
    named = f"container={row['name']} pod={name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    message = f"back-off {_text(back_off(restarts))} restarting failed {named}"
    again = {
        **row,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        "lastState": {"terminated": ended},
        "restartCount": restarts,
        "started": False,
        "ready": False,
    }
    said = (
        f"Back-off restarting failed container {row['name']} in pod {name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    )
    return Step(again, _ended(again) + back_off(restarts), (("Warning", "BackOff", said),))


def _ending(row: dict[str, Any], now: datetime, code: int, reason: str) -> dict[str, Any]:
    since = dig(row, "state", "running", "startedAt") or stamp(now)
    ended = {
        "exitCode": code,
        "reason": reason,
        "startedAt": since,
        "finishedAt": stamp(now),
        "containerID": row.get("containerID") or "",
    }
    return {**row, "state": {"terminated": ended}, "ready": False, "started": False}


def killed(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The row after the pod was told to end: SIGTERM ends a process with 143."""
    if "running" in mapping_of(row, "state"):
        return _ending(row, now, 143, "Error")
    return {**row, "ready": False, "started": False}


def _pull_failed(container: dict[str, Any], row: dict[str, Any], began: datetime, now: datetime) -> Step:
    if now < began + SHOWN:
        return Step(row, began + SHOWN)
    image = container.get("image")
    message = f'Back-off pulling image "{image}": ErrImagePull: {_pull_message(container)}'
    backing = waiting(container, "ImagePullBackOff", message)
    return Step(backing, None, (("Warning", "BackOff", f'Back-off pulling image "{image}"'),))


def _pull_message(container: dict[str, Any]) -> str:
    image = container.get("image")
    return f'failed to pull and unpack image "{image}": not found (simulated by its tag or an annotation)'


def back_off(restarts: int) -> timedelta:
    """10 s, 20 s, 40 s, ... 5 min."""
    return min(FIRST_BACK_OFF * (1 << min(max(restarts - 1, 0), 10)), LAST_BACK_OFF)


def _text(delay: timedelta) -> str:
    minutes, seconds = divmod(int(delay.total_seconds()), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _ended(row: dict[str, Any]) -> datetime:
    found = read_time(
        dig(row, "state", "terminated", "finishedAt") or dig(row, "lastState", "terminated", "finishedAt")
    )
    assert found is not None
    return found


def _id_of(container: dict[str, Any], row: dict[str, Any], now: datetime) -> str:
    what = f"{container.get('name')}/{row.get('restartCount')}/{now.isoformat()}"
    return sha256(what.encode()).hexdigest()
