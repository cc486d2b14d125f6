"""Names of releases, what is remembered of their records, which are dropped, and which hooks run when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.sync.releases.releases import snapshot
from trueup.model.release import NamedTest
from trueup.model.releaserecord import Hook, HookPhase, HookRun, Release, ReleaseInfo, ReleaseStatus, ReleaseTest
from trueup.model.releasestate import ReleaseState
from trueup.sync.releases.hookorder import DeletePolicy, HookEvent, hooks_at, is_chosen, is_deleted_at
from trueup.sync.releases.naming import LONGEST, parse_record_name, record_name, release_name, shortened
from trueup.sync.releases.records import snapshot_of, to_drop, truncated, with_snapshot


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"name": "web"}, "web"),
        ({"name": "web", "target_namespace": "shop"}, "shop-web"),
        ({"name": "web", "target_namespace": "shop", "release": "mine"}, "mine"),
    ],
)
def test_a_release_has_its_own_name_or_one_made_of_where_it_goes(arguments: dict[str, str], wanted: str) -> None:
    assert release_name(**arguments) == wanted


def test_a_long_name_is_shortened_as_flux_does() -> None:
    """The hash is that of the example in Flux's documentation."""
    long = "a-very-lengthy-target-namespace-with-a-nice-object-name"
    assert shortened(long) == "a-very-lengthy-target-namespace-with-a-n-97af5d7f41f3"
    assert shortened("x" * LONGEST) == "x" * LONGEST


@given(st.text(alphabet="abc-", min_size=1, max_size=200))
def test_a_name_always_fits(name: str) -> None:
    assert len(shortened(name)) <= LONGEST


@given(st.text(alphabet="abcv.-0", min_size=1, max_size=30), st.integers(min_value=1, max_value=10**6))
def test_a_records_name_is_read_back(name: str, version: int) -> None:
    assert parse_record_name(record_name(name, version)) == (name, version)


@pytest.mark.parametrize(
    "name", ["web", "sh.helm.release.v1.web", "sh.helm.release.v1.web.v", "sh.helm.release.v2.web.v1"]
)
def test_other_secrets_are_no_records(name: str) -> None:
    assert parse_record_name(name) is None


def test_the_history_goes_back_to_the_last_release_that_succeeded() -> None:
    failed = [snapshot(4, status="failed"), snapshot(3, status="failed")]
    assert truncated([*failed, snapshot(2, status="superseded"), snapshot(1)]) == (
        *failed,
        snapshot(2, status="superseded"),
    )
    bad_tests = snapshot(2, tests=(ReleaseTest(name="t", phase="Failed"),))
    assert truncated([snapshot(3), bad_tests, snapshot(1)]) == (snapshot(3), bad_tests, snapshot(1))


def test_the_newest_word_on_a_release_replaces_the_one_before_and_keeps_its_tests() -> None:
    tests = (ReleaseTest(name="t", phase="Succeeded"),)
    history = (snapshot(2, tests=tests), snapshot(1, status="superseded"))
    found = with_snapshot(history, snapshot(2, status="superseded"))
    assert found == (snapshot(2, status="superseded", tests=tests), snapshot(1, status="superseded"))
    assert [each.version for each in with_snapshot(found, snapshot(3))] == [3, 2]


def test_a_rollback_goes_to_the_last_release_that_succeeded() -> None:
    bad = (ReleaseTest(name="t", phase="Failed"),)
    state = ReleaseState(
        history=(snapshot(3, status="failed"), snapshot(2, tests=bad), snapshot(1, status="superseded"))
    )
    found = state.previous(ignore_tests=False)
    assert found is not None
    assert found.version == 1
    ignoring = state.previous(ignore_tests=True)
    assert ignoring is not None
    assert ignoring.version == 2
    assert ReleaseState(history=(snapshot(1),)).previous(ignore_tests=True) is None


@pytest.mark.parametrize(
    ("rows", "limit", "dropped"),
    [
        ([(1, "deployed")], 5, ()),
        ([(n, "superseded") for n in range(1, 5)], 5, ()),
        ([(n, "superseded") for n in range(1, 6)], 5, (1,)),
        ([(1, "deployed"), *((n, "failed") for n in range(2, 7))], 5, (2, 3)),
        ([(n, "superseded") for n in range(1, 20)], 0, ()),
        ([(1, "superseded"), (2, "deployed")], 1, (1,)),
    ],
)
def test_room_is_made_for_one_more_record_but_never_of_the_deployed_one(
    rows: list[tuple[int, str]], limit: int, dropped: tuple[int, ...]
) -> None:
    assert to_drop(rows, limit) == dropped


def test_a_snapshot_shows_tests_only_once_they_were_run() -> None:
    hook = Hook(
        name="probe", events=("test",), last_run=HookRun(started_at="2026-01-01T00:00:00Z", phase=HookPhase.FAILED)
    )
    other = Hook(name="migrate", events=("pre-upgrade",))
    release = Release(
        name="web", namespace="shop", version=2, hooks=(hook, other), info=ReleaseInfo(status=ReleaseStatus.DEPLOYED)
    )
    plain = snapshot_of(release, digest="d", config_digest="c", action="upgrade")
    assert plain.tests is None
    assert not plain.tests_failed
    tested = snapshot_of(release, digest="d", config_digest="c", action="upgrade", tested=True)
    assert tested.tests == (ReleaseTest(name="probe", started_at="2026-01-01T00:00:00Z", phase="Failed"),)
    assert tested.tests_failed
    assert (tested.full_name, tested.status) == ("shop/web.v2", "deployed")


def test_hooks_run_by_weight_then_by_name() -> None:
    hooks = [
        Hook(name=n, weight=w, events=("pre-install", "post-install"))
        for n, w in (("b", 0), ("c", -5), ("a", 0), ("d", 10))
    ]
    hooks.append(Hook(name="other", weight=-99, events=("test",)))
    assert [hook.name for hook in hooks_at(hooks, HookEvent.PRE_INSTALL)] == ["c", "a", "b", "d"]


def test_a_hook_is_deleted_by_its_policies_and_without_any_before_the_next_one() -> None:
    plain = Hook(name="a", kind="Job")
    assert is_deleted_at(plain, DeletePolicy.BEFORE_CREATION)
    assert not is_deleted_at(plain, DeletePolicy.SUCCEEDED)
    kept = structs.replace(plain, delete_policies=("hook-succeeded",))
    assert is_deleted_at(kept, DeletePolicy.SUCCEEDED)
    assert not is_deleted_at(kept, DeletePolicy.BEFORE_CREATION)
    definition = Hook(
        name="a", kind="CustomResourceDefinition", delete_policies=("hook-succeeded", "before-hook-creation")
    )
    assert not any(is_deleted_at(definition, policy) for policy in DeletePolicy)


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ((), True),
        ((NamedTest("probe"),), True),
        ((NamedTest("other"),), False),
        ((NamedTest("probe", exclude=True),), False),
        ((NamedTest("other", exclude=True),), True),
        ((NamedTest("probe"), NamedTest("probe", exclude=True)), False),
    ],
)
def test_which_tests_run(filters: tuple[NamedTest, ...], chosen: bool) -> None:
    assert is_chosen(Hook(name="probe"), filters) is chosen
