"""Our merging gives what the real kube-apiserver gave to the same writes (recorded in `recorded/`)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.embedded.merge.comparing import differences
from tests.embedded.merge.replay import play
from tests.embedded.merge.scenario import Case, load_cases, recorded


def _named(case: Case) -> str:
    return f"{case.file}: {case.title}"


@pytest.mark.parametrize("case", load_cases(), ids=_named)
def test_each_step_does_what_the_real_server_did(case: Case) -> None:
    outcomes = recorded(case.file)[case.title]
    assert len(outcomes) == len(case.steps)
    stored: dict[str, Any] | None = None
    for number, (step, real) in enumerate(zip(case.steps, outcomes, strict=True), 1):
        ours = play(case, step, stored, real.object or None)
        found = differences(case, ours, real)
        assert not found, f"step {number} ({step.verb} by {step.manager}):\n" + "\n".join(found)
        stored = real.object or stored


def test_every_recorded_answer_belongs_to_a_case() -> None:
    titles = {(case.file, case.title) for case in load_cases()}
    files = {case.file for case in load_cases()}
    assert {(file, title) for file in files for title in recorded(file)} == titles


def test_there_are_as_many_cases_as_promised() -> None:
    verbs = [{step.verb for step in case.steps} for case in load_cases()]
    assert sum("apply" in case for case in verbs) >= 40
    assert sum("strategic" in case for case in verbs) >= 20
    assert all(a is not b for a, b in pairwise(load_cases()))
