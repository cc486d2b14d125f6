"""The real server's answers to the stories, kept one file per case file and one line per step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from tests.conformance.playing import Answer
from tests.conformance.story import RECORDED


@cache
def recorded(file: str) -> dict[str, list[Answer]]:
    """By title. Empty for a file that was never recorded."""
    path = RECORDED / f"{file}.json"
    found: dict[str, list[Answer]] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write(file: str, answers: Mapping[str, list[Answer]]) -> None:
    blocks = []
    for title in sorted(answers):
        lines = ",\n".join(json.dumps(answer, sort_keys=True) for answer in answers[title])
        blocks.append(f"{json.dumps(title)}: [\n{lines}\n]")
    (RECORDED / f"{file}.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    recorded.cache_clear()
