"""What to do next about a release: tables of how it stands, what was tried, and what the rules allow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from tests.sync.releases.releases import release_spec, snapshot
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.refs import ObjectRef
from trueup.model.release import InstallRules, ReleaseSpec, Remediation, Remedy, UpgradeRules
from trueup.model.releaserecord import ChartMetadata, ReleaseStatus, ReleaseTest
from trueup.model.releasestate import Attempt, ReleaseAction, ReleaseState
from trueup.sync.releases.decide import Next, has_begun, is_last_try, must_reset, next_action, target_changed
from trueup.sync.releases.standing import Judged, Seen, Standing, Wanted, judge_release

CHART = ChartMetadata(name="web", version="1.0.0")
WANTED = Wanted(chart=CHART, config_digest="sha256:c1")
A = ReleaseAction


def seen(**fields: Any) -> Seen:
    return Seen(
        **{
            "name": "web", "namespace": "shop", "version": 1, "status": ReleaseStatus.DEPLOYED, "digest": "sha256:d1",
            "config_digest": "sha256:c1", "chart": CHART, **fields,
        }
    )  # fmt: skip


def known(**fields: Any) -> ReleaseState:
    return ReleaseState(history=(snapshot(1, digest="sha256:d1"),), **fields)


FAILED_TEST = (ReleaseTest(name="t", phase="Failed"),)
GOOD_TEST = (ReleaseTest(name="t", phase="Succeeded"),)


@pytest.mark.parametrize(
    ("record", "state", "wanted", "standing"),
    [
        pytest.param(None, ReleaseState(), WANTED, Standing.ABSENT, id="nothing is there"),
        pytest.param(None, known(), WANTED, Standing.ABSENT, id="its record was deleted"),
        pytest.param(seen(version=0), known(), WANTED, Standing.BROKEN, id="its record cannot be read"),
        pytest.param(seen(status=ReleaseStatus.PENDING_INSTALL), ReleaseState(), WANTED, Standing.LOCKED, id="install cut off"),
        pytest.param(seen(status=ReleaseStatus.PENDING_UPGRADE), known(), WANTED, Standing.LOCKED, id="upgrade cut off"),
        pytest.param(seen(status=ReleaseStatus.PENDING_ROLLBACK), known(), WANTED, Standing.LOCKED, id="rollback cut off"),
        pytest.param(seen(), ReleaseState(), WANTED, Standing.UNMANAGED, id="helm install made it"),
        pytest.param(seen(status=ReleaseStatus.FAILED), ReleaseState(), WANTED, Standing.UNMANAGED, id="and failed"),
        pytest.param(seen(status=ReleaseStatus.UNINSTALLED), ReleaseState(), WANTED, Standing.ABSENT, id="uninstalled, kept"),
        pytest.param(seen(status=ReleaseStatus.UNINSTALLED), known(), WANTED, Standing.ABSENT, id="uninstalled by us"),
        pytest.param(seen(digest="sha256:other"), known(), WANTED, Standing.UNMANAGED, id="its record was changed"),
        pytest.param(seen(version=2), known(), WANTED, Standing.UNMANAGED, id="helm upgraded it"),
        pytest.param(seen(status=ReleaseStatus.FAILED), known(), WANTED, Standing.FAILED, id="the last action failed"),
        pytest.param(seen(status=ReleaseStatus.UNINSTALLING), known(), WANTED, Standing.FAILED, id="uninstall cut off"),
        pytest.param(seen(), known(), WANTED, Standing.IN_SYNC, id="as it should be"),
        pytest.param(
            seen(), known(), structs.replace(WANTED, chart=ChartMetadata(name="web", version="1.1.0")),
            Standing.OUT_OF_SYNC, id="another version of the chart",
        ),
        pytest.param(seen(), known(), structs.replace(WANTED, config_digest="x"), Standing.OUT_OF_SYNC, id="other values"),
        pytest.param(
            seen(), known(post_render_digest="a"), structs.replace(WANTED, post_render_digest="b", generation=2),
            Standing.OUT_OF_SYNC, id="other post-rendering",
        ),
        pytest.param(
            seen(), known(), structs.replace(WANTED, post_render_digest="b", generation=2), Standing.OUT_OF_SYNC,
            id="post-rendering that is new",
        ),
        pytest.param(
            seen(), known(post_render_digest="a"), structs.replace(WANTED, generation=2), Standing.OUT_OF_SYNC,
            id="post-rendering that is gone",
        ),
        pytest.param(
            seen(), known(post_render_digest="of flux"), structs.replace(WANTED, post_render_digest="b"),
            Standing.IN_SYNC, id="post-rendering of the same spec",
        ),
        pytest.param(seen(), known(), structs.replace(WANTED, test=True), Standing.UNTESTED, id="not tested yet"),
        pytest.param(
            seen(), ReleaseState(history=(snapshot(1, digest="sha256:d1", tests=GOOD_TEST),)),
            structs.replace(WANTED, test=True), Standing.IN_SYNC, id="tested",
        ),
        pytest.param(
            seen(), ReleaseState(history=(snapshot(1, digest="sha256:d1", tests=()),)),
            structs.replace(WANTED, test=True), Standing.IN_SYNC, id="tested, and there are no tests",
        ),
        pytest.param(
            seen(), ReleaseState(history=(snapshot(1, digest="sha256:d1", tests=FAILED_TEST),)),
            structs.replace(WANTED, test=True), Standing.FAILED, id="a test failed",
        ),
        pytest.param(
            seen(), ReleaseState(history=(snapshot(1, digest="sha256:d1", tests=FAILED_TEST),)),
            structs.replace(WANTED, test=True, ignore_test_failures=True), Standing.IN_SYNC, id="a failure that is ignored",
        ),
        pytest.param(
            seen(config_digest="more"), known(attempt=Attempt(config_digest="sha256:c1")),
            structs.replace(WANTED, preserve_values=True), Standing.IN_SYNC, id="kept values are no difference",
        ),
    ],
)  # fmt: skip
def test_how_a_release_stands(record: Seen | None, state: ReleaseState, wanted: Wanted, standing: Standing) -> None:
    assert judge_release(record, state, wanted).standing is standing


NO_RETRY = Remediation()
ROLL_BACK = Remediation(remedy=Remedy.ROLLBACK)


def spec(install: Remediation = NO_RETRY, upgrade: Remediation = ROLL_BACK) -> ReleaseSpec:
    return release_spec(
        install=InstallRules(timeout=timedelta(minutes=5), remediation=install),
        upgrade=UpgradeRules(timeout=timedelta(minutes=5), remediation=upgrade),
    )


def after(action: str, install: int = 0, upgrade: int = 0) -> ReleaseState:
    return known(attempt=Attempt(action=action), install_failures=install, upgrade_failures=upgrade)


RETRY = Remediation(retries=2)
ROLL = Remediation(retries=2, remedy=Remedy.ROLLBACK, remediate_last_failure=True)
AGAIN = Remediation(retry_interval=timedelta(minutes=2), remedy=Remedy.ROLLBACK)
FOREVER = Remediation(retries=-1)


@pytest.mark.parametrize(
    ("standing", "rules", "state", "wanted"),
    [
        pytest.param(Standing.ABSENT, spec(), ReleaseState(), A.INSTALL, id="install what is absent"),
        pytest.param(Standing.ABSENT, spec(), after("install", install=1), "1 attempt", id="a failed install is final"),
        pytest.param(Standing.ABSENT, spec(RETRY), after("install", install=2), A.INSTALL, id="with a retry left"),
        pytest.param(Standing.ABSENT, spec(RETRY), after("install", install=3), "3 attempt", id="and none left"),
        pytest.param(Standing.ABSENT, spec(FOREVER), after("install", install=99), A.INSTALL, id="retries without end"),
        pytest.param(Standing.UNMANAGED, spec(), ReleaseState(), A.UPGRADE, id="adopt by an upgrade"),
        pytest.param(Standing.LOCKED, spec(), known(), A.UNLOCK, id="unlock first"),
        pytest.param(Standing.OUT_OF_SYNC, spec(), known(), A.UPGRADE, id="upgrade what differs"),
        pytest.param(Standing.OUT_OF_SYNC, spec(), after("upgrade", upgrade=1), "1 attempt", id="not once it failed"),
        pytest.param(Standing.OUT_OF_SYNC, spec(upgrade=ROLL), after("upgrade", upgrade=2), A.UPGRADE, id="after a rollback"),
        pytest.param(Standing.OUT_OF_SYNC, spec(upgrade=AGAIN), after("upgrade", upgrade=9), A.UPGRADE, id="RetryOnFailure"),
        pytest.param(Standing.UNTESTED, spec(), known(), A.TEST, id="test"),
        pytest.param(Standing.IN_SYNC, spec(), known(), None, id="nothing to do"),
        pytest.param(Standing.FAILED, spec(), after("install", install=1), "1 attempt", id="no remedy by default"),
        pytest.param(Standing.FAILED, spec(RETRY), after("install", install=1), A.UNINSTALL, id="uninstall and retry"),
        pytest.param(Standing.FAILED, spec(RETRY), after("install", install=3), "3 attempt", id="the last one is left"),
        pytest.param(
            Standing.FAILED, spec(structs.replace(RETRY, remediate_last_failure=True)), after("install", install=3),
            A.UNINSTALL, id="or not",
        ),
        pytest.param(Standing.FAILED, spec(), after("upgrade", upgrade=1), "1 attempt", id="no rollback by default"),
        pytest.param(Standing.FAILED, spec(upgrade=ROLL), after("upgrade", upgrade=1), A.ROLLBACK, id="roll back"),
        pytest.param(Standing.FAILED, spec(upgrade=ROLL), after("upgrade", upgrade=3), A.ROLLBACK, id="also the last one"),
        pytest.param(
            Standing.FAILED, spec(upgrade=structs.replace(ROLL, remedy=Remedy.UNINSTALL)), after("upgrade", upgrade=1),
            A.UNINSTALL, id="uninstall instead",
        ),
        pytest.param(Standing.FAILED, spec(upgrade=ROLL), after("upgrade"), A.UPGRADE, id="failures of another spec"),
        pytest.param(Standing.FAILED, spec(), known(), A.UPGRADE, id="whose failure it is is not known"),
        pytest.param(Standing.FAILED, spec(AGAIN), after("install", install=4), A.UPGRADE, id="RetryOnFailure upgrades"),
        pytest.param(Standing.BROKEN, spec(), known(), "why", id="a record that cannot be read"),
    ],
)  # fmt: skip
def test_what_comes_next(
    standing: Standing, rules: ReleaseSpec, state: ReleaseState, wanted: ReleaseAction | str | None
) -> None:
    found = next_action(Judged(standing, "why"), rules, state)
    if isinstance(wanted, ReleaseAction) or wanted is None:
        assert (found.action, found.stall) == (wanted, "")
    else:
        assert found.action is None
        assert wanted in found.stall


def test_a_rollback_without_a_target_is_an_upgrade_while_tries_are_left_and_an_end_after() -> None:
    failed = Judged(Standing.FAILED)
    again = next_action(failed, spec(upgrade=ROLL), after("upgrade", upgrade=1), rollback_possible=False)
    assert again.action is A.UPGRADE
    end = next_action(failed, spec(upgrade=ROLL), after("upgrade", upgrade=3), rollback_possible=False)
    assert end.action is None
    assert "roll back" in end.stall


def test_an_unmanaged_release_makes_the_history_forgotten() -> None:
    assert next_action(Judged(Standing.UNMANAGED), spec(), known()).forget


@pytest.mark.parametrize("standing", [Standing.IN_SYNC, Standing.FAILED, Standing.OUT_OF_SYNC])
def test_a_client_may_force_an_upgrade_whatever_failed_before(standing: Standing) -> None:
    found = next_action(Judged(standing), spec(), after("upgrade", upgrade=5), forced=True)
    assert found.action is A.UPGRADE


def test_a_client_may_force_an_install_whatever_failed_before() -> None:
    assert next_action(Judged(Standing.ABSENT), spec(), after("install", install=5), forced=True).action is A.INSTALL


@pytest.mark.parametrize(
    ("standing", "done", "action"),
    [
        (Standing.OUT_OF_SYNC, [A.UNLOCK], A.UPGRADE),
        (Standing.OUT_OF_SYNC, [A.UPGRADE], None),
        (Standing.OUT_OF_SYNC, [A.UPGRADE, A.ROLLBACK], None),
        (Standing.ABSENT, [A.INSTALL, A.UNINSTALL], None),
        (Standing.UNTESTED, [A.UPGRADE], A.TEST),
        (Standing.FAILED, [A.UPGRADE], A.ROLLBACK),
        (Standing.FAILED, [A.UPGRADE, A.ROLLBACK], None),
    ],
)
def test_one_look_makes_one_release_and_at_most_one_remedy(
    standing: Standing, done: list[ReleaseAction], action: ReleaseAction | None
) -> None:
    state = after("upgrade", upgrade=1)
    found = next_action(Judged(standing), spec(Remediation(retries=3), ROLL), state, done=done)
    assert found.action is action
    assert found.later is (action is None)


def test_nothing_is_left_for_later_when_all_is_well() -> None:
    assert next_action(Judged(Standing.IN_SYNC), spec(), known(), done=[A.UPGRADE, A.TEST]) == Next()


def test_which_try_is_the_last() -> None:
    assert is_last_try(spec(RETRY), after("install", install=3))
    assert not is_last_try(spec(RETRY), after("install", install=2))
    assert not is_last_try(spec(FOREVER), after("install", install=99))
    assert not is_last_try(spec(upgrade=AGAIN), after("upgrade", upgrade=9))
    assert not is_last_try(spec(), known())


LAST = Attempt(generation=2, revision="1.0.0", artifact_digest="sha256:a", config_digest="sha256:c", action="upgrade")
SAME: dict[str, Any] = {"generation": 2, "revision": "1.0.0", "artifact": "sha256:a", "config": "sha256:c", "reset": ""}


@pytest.mark.parametrize(
    ("change", "resets"),
    [
        ({}, False),
        ({"generation": 3}, True),
        ({"revision": "1.1.0"}, True),
        ({"artifact": "sha256:b"}, True),
        ({"config": "sha256:d"}, True),
        ({"reset": "now"}, True),
    ],
)
def test_failures_count_as_long_as_the_same_is_tried(change: dict[str, Any], resets: bool) -> None:
    assert bool(must_reset(ReleaseState(attempt=LAST), **SAME | change)) is resets
    assert not must_reset(ReleaseState(), **SAME | change), "nothing was tried yet"


@pytest.mark.parametrize(
    ("change", "state", "moved"),
    [
        ({}, {}, False),
        ({"name": "other"}, {}, True),
        ({"namespace": "other"}, {}, True),
        ({"storage_namespace": "other"}, {"storage_namespace": "shop"}, True),
        ({"storage_namespace": "other"}, {}, False),
    ],
)
def test_another_name_or_namespace_is_another_release(
    change: dict[str, Any], state: dict[str, Any], moved: bool
) -> None:
    wanted = structs.replace(spec(), **change)
    assert bool(target_changed(wanted, known(**state), "web")) is moved
    assert not target_changed(wanted, ReleaseState(**state), "web"), "nothing was released yet"


def test_another_charts_name_is_another_release_unless_it_is_to_be_updated_in_place() -> None:
    assert target_changed(spec(), known(), "api")
    in_place = structs.replace(spec(), upgrade=structs.replace(spec().upgrade, reinstall_on_rename=False))
    assert not target_changed(in_place, known(), "api")


def test_only_a_release_that_was_made_or_begun_is_uninstalled() -> None:
    objects = Inventory.of([InventoryEntry(ObjectRef("", "ConfigMap", "shop", "web"), "v1")])
    assert not has_begun(ReleaseState(), Inventory())
    assert has_begun(known(), Inventory())
    assert has_begun(ReleaseState(attempt=Attempt(action="install")), Inventory())
    assert has_begun(ReleaseState(), objects)
