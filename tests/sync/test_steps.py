"""What a sync of several groups does next; and what holds for every sync, whatever its groups and however its hooks end."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from tests.sync.world import ref
from trueup.model.hook import DeletePolicy, HookPhase, HookResult, Phase
from trueup.model.refs import ObjectRef
from trueup.sync.desired import Desired
from trueup.sync.hooktasks import HookTask
from trueup.sync.steps import Board, Done, Fail, Fare, Run, Wait, next_move, next_move_after_failure
from trueup.sync.waves import Group

PHASES = (Phase.PRE_SYNC, Phase.SYNC, Phase.POST_SYNC, Phase.SYNC_FAIL)


def task(name: str, phase: Phase, wave: int) -> HookTask:
    job = ref("Job", name, group="batch")
    desired = Desired(ref=job, version="v1", manifest={}, digest="")
    return HookTask(desired=desired, phase=phase, wave=wave, policies=frozenset({DeletePolicy.BEFORE_CREATION}))


@st.composite
def syncs(draw: st.DrawFn) -> tuple[Group, ...]:
    places = draw(st.lists(st.tuples(st.sampled_from(PHASES), st.integers(-2, 2)), unique=True, max_size=6))
    groups = []
    for number, (phase, wave) in enumerate(places):
        count = draw(st.integers(0, 2)) if phase is Phase.SYNC else 0
        hooks = tuple(task(f"h{number}-{i}", phase, wave) for i in range(draw(st.integers(0 if count else 1, 2))))
        objects = frozenset(ref("ConfigMap", f"o{number}-{i}") for i in range(count))
        groups.append(Group(phase=phase, wave=wave, objects=objects, hooks=hooks))
    return tuple(sorted(groups, key=lambda group: group.at))


class Story:
    """Plays the shell: runs what it is told, and lets hooks end as `ends` says."""

    def __init__(self, groups: tuple[Group, ...], failing: Iterable[ObjectRef], ill: Iterable[ObjectRef] = ()) -> None:
        self.groups = groups
        self.failing, self.ill = set(failing), set(ill)
        self.ran: list[Group] = []
        self.done: set[ObjectRef] = set()
        self.results: dict[tuple[ObjectRef, Phase], HookResult] = {}
        self.problem = ""

    def board(self) -> Board:
        objects = frozenset(each for group in self.groups for each in group.objects)

        def fare(each: ObjectRef) -> tuple[Fare, str]:
            return (Fare.ILL, "broken") if each in self.ill else (Fare.WELL, "")

        return Board(
            groups=self.groups,
            work=objects - self.done,
            done=frozenset(self.done),
            results=self.results,
            going=frozenset(),
            fare=fare,
        )

    def play(self) -> None:
        for _ in range(100):
            move = next_move_after_failure(self.board()) if self.problem else next_move(self.board())
            match move:
                case Run(group):
                    self.ran.append(group)
                    self.done |= group.objects
                    for each in group.hooks:
                        self._set(each, HookPhase.RUNNING)
                case Wait():
                    for group in self.groups:
                        for each in group.hooks:
                            if each.key in self.results and not self.results[each.key].ended:
                                failed = each.ref in self.failing
                                self._set(each, HookPhase.FAILED if failed else HookPhase.SUCCEEDED)
                case Fail(message):
                    self.problem = message
                case Done():
                    return
        raise AssertionError("it never ends")

    def _set(self, each: HookTask, state: HookPhase) -> None:
        self.results[each.key] = HookResult(
            ref=each.ref, version="v1", phase=each.phase, state=state, message="said so"
        )


@given(groups=syncs())
def test_every_group_runs_once_in_order_and_syncfail_hooks_do_not(groups: tuple[Group, ...]) -> None:
    story = Story(groups, ())
    story.play()
    assert not story.problem
    assert story.ran == [group for group in groups if group.phase is not Phase.SYNC_FAIL]


@given(groups=syncs(), data=st.data())
def test_after_a_hook_that_fails_nothing_runs_but_syncfail_hooks(
    groups: tuple[Group, ...], data: st.DataObject
) -> None:
    hooks = [each for group in groups for each in group.hooks if group.phase is not Phase.SYNC_FAIL]
    if not hooks:
        return
    failing = data.draw(st.sampled_from(hooks))
    story = Story(groups, {failing.ref})
    story.play()
    assert "said so" in story.problem
    own = next(group for group in groups if failing in group.hooks)
    later = [group for group in story.ran if group.at > own.at]
    assert later == [group for group in groups if group.phase is Phase.SYNC_FAIL]
    assert not [each for group in groups if own.at < group.at for each in group.objects if each in story.done]


@given(groups=syncs(), data=st.data())
def test_no_later_group_runs_while_an_earlier_object_is_ill(groups: tuple[Group, ...], data: st.DataObject) -> None:
    objects = sorted(each for group in groups for each in group.objects)
    if not objects:
        return
    ill = data.draw(st.sampled_from(objects))
    story = Story(groups, (), {ill})
    story.play()
    own = next(group for group in groups if ill in group.objects)
    later = [group for group in groups if group.at > own.at and group.phase is not Phase.SYNC_FAIL]
    assert bool(story.problem) is bool(later)
    assert not [group for group in story.ran if group in later]
