"""A topic: command lines of real clients, one after another in one namespace, as a file of `cases/` has them.

`run` is a command line (kubectl or helm), split as a shell would, run without one, in a folder that holds `files`. `start`
begins one that goes on (`get -w`), `finish` ends it once it has said `has`, or waits until it ends by itself when there is
no `has`. `through` is the text of a begun `port-forward`: a connection is made to what it listens on for `port`, and asks
for an HTTP path (`get`) or says something (`say`); the answer is compared. `$NAMESPACE` and `$NODE` are the topic's
namespace and the cluster's node. What a command says is compared whole, unless `show` asks for less:

| show | compared |
|---|---|
| all | exit code, output, errors, line by line |
| set | the same, as a set of lines: events and watches, whose order and number hang on time |
| last | exit code and the last line: how a rollout came to its end |
| code | the exit code: a step that only prepares the next |

`until` repeats the command until its output holds that text, and compares that answer.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import yaml

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases"
RECORDED = FOLDER / "recorded"


class Show(StrEnum):
    """How much of an answer is compared."""

    ALL = "all"
    SET = "set"
    LAST = "last"
    CODE = "code"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command line, or one connection. Exactly one of `run`, `start`, `finish` and `through` is given; the last two
    repeat the text of their `start`."""

    run: str = ""
    start: str = ""
    finish: str = ""
    through: str = ""
    port: int = 0
    get: str = ""
    say: str = ""
    has: str = ""
    until: str = ""
    stdin: str = ""
    env: dict[str, str] = {}
    show: Show = Show.ALL
    differs: str = ""
    """Why ours answers otherwise, where it is meant or not yet done; the test fails when it no longer does."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.run, self.start, self.finish, self.through))) != 1:
            raise ValueError("a step is one of `run`, `start`, `finish` and `through`")
        if bool(self.through) != bool(self.port and (self.get or self.say)):
            raise ValueError("`through` goes with `port` and one of `get` and `say`")

    @property
    def command(self) -> str:
        if self.through:
            asked = f"GET {self.get}" if self.get else f"say {self.say}"
            return f"{asked} at {self.port} through {self.through}"
        return self.run or self.start or self.finish


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of `cases/`; its name is the topic's, and its namespace is called after it."""

    title: str
    steps: list[Step]
    files: dict[str, str] = {}
    alone: bool = False
    """Whether it changes what others stand on, the node: then it is played after them."""
    name: str = ""

    @property
    def namespace(self) -> str:
        return f"shop-{self.name}"


class Answer(msgspec.Struct, frozen=True):
    """What a command said, without what must differ from run to run."""

    run: str
    code: int
    stdout: list[str] = []
    stderr: list[str] = []


def load_topics() -> list[Topic]:
    """All of `cases/`, by name; raises msgspec.ValidationError with the place of what is wrong."""
    return [_load(path) for path in sorted(CASES.glob("*.yaml"))]


def _load(path: Path) -> Topic:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return msgspec.convert({**found, "name": path.stem}, Topic)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{path.name}: {error}") from error


def recorded(name: str) -> list[Answer]:
    """What the real control plane said to a topic, or to a story of the Python client."""
    path = RECORDED / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=list[Answer]) if path.exists() else []


def record(name: str, answers: list[Answer]) -> None:
    """Keeps what the real control plane said."""
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(answers), indent=1) + b"\n")
