"""How often one object may be healed: so many times a minute, then with growing pauses, and the fight is reported.

A value and a pure function: time is passed in (any monotonic seconds), the caller keeps one state per object.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.model.change import FieldChange
from trueup.model.refs import ObjectRef

WINDOW = 60.0


class HealState(Struct, frozen=True, gc=False):
    """What is remembered of one object: the heals of the last minute, and the pause once it became a fight."""

    heals: tuple[float, ...] = ()
    pause: float = 0.0
    """Seconds between heals during a fight; 0: there is none."""


class HealDecision(Struct, frozen=True):
    """`allowed`: heal now, and keep `state`. Otherwise ask again in `retry_after` seconds."""

    state: HealState
    allowed: bool
    retry_after: float = 0.0
    fighting: bool = False
    new_fight: bool = False
    """It became a fight just now: the moment to tell people, once."""


class HealLimiter(Struct, frozen=True):
    """`per_minute` heals are free. From then on pauses double from `first_pause` to `longest_pause` seconds.

    A fight ends when nothing had to be healed for twice the current pause.
    """

    per_minute: int = 5
    first_pause: float = 15.0
    longest_pause: float = 900.0

    def ask(self, state: HealState, now: float) -> HealDecision:
        """May the object be healed at `now`? The returned state already counts the heal that is allowed."""
        last = state.heals[-1] if state.heals else None
        # A clock that went back would forbid heals for as long as it jumped.
        if last is not None and last > now:
            state, last = HealState(pause=state.pause), None
        if state.pause and (last is None or now - last >= 2 * state.pause):
            state = HealState()
        if state.pause:
            assert last is not None
            left = last + state.pause - now
            if left > 0:
                return HealDecision(state, allowed=False, retry_after=left, fighting=True)
            pause = min(state.pause * 2, self.longest_pause)
            return HealDecision(HealState((now,), pause), allowed=True, fighting=True)
        recent = tuple(time for time in state.heals if now - time < WINDOW)
        if len(recent) < self.per_minute:
            return HealDecision(HealState((*recent, now)), allowed=True)
        fight = HealState((recent[-1],), self.first_pause)
        left = recent[-1] + self.first_pause - now
        if left > 0:
            return HealDecision(fight, allowed=False, retry_after=left, fighting=True, new_fight=True)
        return HealDecision(
            HealState((now,), min(self.first_pause * 2, self.longest_pause)),
            allowed=True,
            fighting=True,
            new_fight=True,
        )


def fight_message(ref: ObjectRef, meddlers: tuple[str, ...], fields: tuple[FieldChange, ...]) -> str:
    """`Deployment/shop/web is fought over: kubectl-edit keeps changing spec.replicas (5 -> 2)`."""
    who = ", ".join(meddlers) or "another writer"
    shown = ", ".join(
        f"{change.path} ({change.before or 'unset'} -> {change.after or 'unset'})" for change in fields[:3]
    )
    more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
    what = f"{shown}{more}" if shown else "it"
    return f"{ref} is fought over: {who} keeps changing {what}"
