"""Who waits for whom: ready means synced as asked, and on a shared source at the same revision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from trueup.controllers.dependencies import Dependencies
from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory, Saved
from trueup.controllers.wishes import app_digest, with_ignore
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.app import App, Dependency
from trueup.model.outcome import State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.source import GitReference, GitSource

OLD, NEW = Revision("main", "sha1", "a" * 40), Revision("main", "sha1", "b" * 40)
SOURCE = ObjectRef("source.toolkit.fluxcd.io", "GitRepository", "shop", "repo")


def app(name: str, needs: tuple[str, ...] = (), source: str = "repo") -> App:
    return FluxDialect().read_app(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "shop", "generation": 1},
            "spec": {
                "interval": "1m",
                "prune": True,
                "sourceRef": {"kind": "GitRepository", "name": source},
                "dependsOn": [{"name": need} for need in needs],
            },
        }
    )


class Shop:
    """Two Apps: `web` needs `db`."""

    def __init__(self, db_source: str = "repo") -> None:
        self.db, self.web = app("db", source=db_source), app("web", ("db",))
        self.memory = AppMemory(
            self.db.ref,
            Saved(state=State.READY, spec_digest=app_digest(self.db), revision=NEW),
            app=self.db,
            app_digest=app_digest(self.db),
        )
        snapshot: Any = SimpleNamespace(revision=NEW)
        self.feed = Feed(SOURCE, snapshot=snapshot)
        self.found: dict[ObjectRef, AppMemory] = {self.db.ref: self.memory}
        self.dependencies = Dependencies(self.found.get, lambda _: self.feed)
        self.dependencies.note(self.web)

    @property
    def is_held(self) -> bool:
        return bool(self.dependencies.unready(self.web))


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_ready_dependency_holds_nobody_up(shop: Shop) -> None:
    assert not shop.is_held
    assert shop.dependencies.waiting_for(shop.db.ref) == {shop.web.ref}


def test_a_dependency_that_is_not_there_is_waited_for(shop: Shop) -> None:
    shop.found.clear()
    assert shop.dependencies.unready(shop.web) == (shop.db.ref,)


@pytest.mark.parametrize("state", [state for state in State if state is not State.READY])
def test_a_dependency_in_any_other_state_is_waited_for(shop: Shop, state: State) -> None:
    shop.memory.saved.state = state
    assert shop.is_held


def test_a_dependency_whose_new_spec_was_not_synced_yet_is_waited_for(shop: Shop) -> None:
    shop.memory.app_digest = "another"
    assert shop.is_held


def test_on_the_same_source_the_dependency_must_have_the_newest_revision(shop: Shop) -> None:
    shop.memory.saved.revision = OLD
    assert shop.is_held


def test_on_another_source_its_revision_plays_no_part() -> None:
    shop = Shop(db_source="other")
    shop.memory.saved.revision = OLD
    assert not shop.is_held


def test_a_dependency_that_is_dropped_wakes_nobody(shop: Shop) -> None:
    shop.dependencies.note(app("web"))
    assert shop.dependencies.waiting_for(shop.db.ref) == frozenset()


def test_what_the_source_leaves_out_is_part_of_what_is_asked_for() -> None:
    plain = app("web")
    source = GitSource(url="https://example.com/r.git", reference=GitReference(branch="main"))
    assert with_ignore(plain, Feed(SOURCE, source=source)) is plain
    asked = with_ignore(plain, Feed(SOURCE, source=structs.replace(source, ignore="*.md")))
    assert asked.render.ignore == "*.md"


def test_an_expression_stands_in_place_of_the_usual_judgement() -> None:
    shop = Shop()
    shop.memory.saved.state = State.STALLED
    web = structs.replace(
        shop.web,
        rules=structs.replace(shop.web.rules, depends_on=(Dependency(shop.db.ref, "dep.status.ok"),)),
    )
    own = AppMemory(web.ref, app=web)
    memories = {shop.db.ref: shop.memory, web.ref: own}
    dependencies = Dependencies(memories.get, lambda _: None)
    assert dependencies.unready(web) == (shop.db.ref,), "it has said nothing yet"
    own.ready_by_expression = {shop.db.ref: True}
    assert dependencies.unready(web) == ()
    shop.memory.saved.state = State.READY
    own.ready_by_expression = {shop.db.ref: False}
    assert dependencies.unready(web) == (shop.db.ref,)
