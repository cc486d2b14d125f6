"""Which step a look takes, for every kind of situation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.controllers.decide import Situation, Step, next_step

BOOLS = {name: st.booleans() for name in Situation.__struct_fields__}


@pytest.mark.parametrize(
    ("situation", "step"),
    [
        (Situation(exists=False, deleting=True, has_finalizer=True), Step.FORGET),
        (Situation(deleting=True, has_finalizer=True, suspended=True), Step.FINALIZE),
        (Situation(deleting=True), Step.RELEASE),
        (Situation(suspended=True, spec_changed=True, drifted=True), Step.IDLE),
        (Situation(problem=True, requested=True), Step.STALL),
        (Situation(site_ready=False, requested=True, drifted=True), Step.WAIT_SITE),
        (Situation(site_ready=False, suspended=True), Step.IDLE),
        (Situation(spec_changed=True, source_ready=False), Step.WAIT_SOURCE),
        (Situation(requested=True, dependencies_ready=False), Step.WAIT_DEPENDENCY),
        (Situation(content_changed=True, drifted=True, waiting=True), Step.SYNC),
        (Situation(retry_due=True), Step.SYNC),
        (Situation(retry_due=True, terminated=True, requested=True), Step.TERMINATE),
        (Situation(drifted=True, waiting=True), Step.HEAL),
        (Situation(drifted=True, source_ready=False), Step.HEAL),
        (Situation(waiting=True, revision_moved=True), Step.CHECK_HEALTH),
        (Situation(revision_moved=True), Step.MOVE_REVISION),
        (Situation(), Step.IDLE),
    ],
)
def test_the_most_urgent_step_is_taken(situation: Situation, step: Step) -> None:
    assert next_step(situation) is step


@given(st.builds(Situation, **BOOLS))
def test_nothing_is_written_to_a_cluster_for_what_is_suspended_unreadable_or_going(situation: Situation) -> None:
    if not situation.exists or situation.deleting or situation.suspended or situation.problem:
        assert next_step(situation) not in (Step.SYNC, Step.HEAL, Step.MOVE_REVISION)


@given(st.builds(Situation, **BOOLS))
def test_an_app_is_finalised_only_when_it_is_being_deleted(situation: Situation) -> None:
    if next_step(situation) is Step.FINALIZE:
        assert situation.deleting
        assert situation.has_finalizer
