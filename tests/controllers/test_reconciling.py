"""The small decisions around a sync."""

from __future__ import annotations

from trueup.controllers.reconciling import move_delay


def test_waiting_for_a_possible_move_begins_quickly_and_ends_at_a_look_a_minute() -> None:
    delays = [move_delay(waits) for waits in range(12)]
    assert delays[:3] == [0.3, 0.6, 1.2]
    assert delays == sorted(delays)
    assert delays[-1] == 60.0
