"""A difference as people read it."""

from __future__ import annotations

import json

from tests.cli.kit import plain
from tests.support.golden import Golden
from trueup.cli.difftext import diff_lines, summary, visible
from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef
from trueup.sync.fielddiff import HIDDEN


def ref(kind: str, name: str, namespace: str = "shop", group: str = "") -> ObjectRef:
    return ObjectRef(group, kind, namespace, name)


def change(action: Action, what: ObjectRef, *fields: FieldChange, **more: object) -> Change:
    return Change(ref=what, version="v1", action=action, fields=fields, **more)  # type: ignore[arg-type]


def field(path: str, before: object = None, after: object = None) -> FieldChange:
    def text(value: object) -> str:
        return "" if value is None else json.dumps(value)

    return FieldChange(path, text(before), text(after))


PAGE = "<h1>Trueup</h1>\n<p>What Git declares\nis what runs.</p>\nend\n"
CHANGES = [
    change(
        Action.CONFIGURED,
        ref("Deployment", "web", group="apps"),
        field("spec.replicas", 2, 3),
        field("spec.template.spec.containers[name=web].image", "web:1", "web:2"),
        field("spec.template.spec.containers[name=web].resources", None, {"limits": {"memory": "64Mi"}}),
        field("metadata.labels.team", "[red]shop[/red]", None),
        origin=Origin("apps/web.yaml", 3),
    ),
    change(
        Action.CONFIGURED,
        ref("ConfigMap", "page"),
        field("data[index.html]", PAGE, PAGE.replace("is what", "is all that")),
    ),
    change(Action.CONFIGURED, ref("Secret", "token"), FieldChange("data.token", HIDDEN, HIDDEN)),
    change(Action.CREATED, ref("ConfigMap", "new"), origin=Origin("apps/new.yaml", 1)),
    change(Action.PRUNED, ref("Service", "old")),
    change(Action.RECREATED, ref("Job", "seed", group="batch"), message="spec.selector cannot be changed in place"),
    change(Action.FAILED, ref("Ingress", "web"), message="spec.rules: must not be empty\n  try: write a rule"),
    change(Action.SKIPPED, ref("ConfigMap", "kept"), reason="OptedOut", message="it says that it is not to be deleted"),
    change(Action.UNCHANGED, ref("Service", "web")),
]
NEW = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}, "data": {"colour": "blue", "n": "1e3"}}


def test_a_difference_is_told_field_by_field(golden: Golden) -> None:
    text = plain(list(diff_lines(CHANGES, {ref("ConfigMap", "new"): NEW})))
    golden("diff.txt", text + "\n" + summary(CHANGES) + "\n")


def test_no_difference_says_so() -> None:
    assert summary([change(Action.UNCHANGED, ref("Service", "web"))]) == "no differences; 1 unchanged"
    assert summary([]) == "no differences"


def test_a_secret_is_shown_by_its_keys_alone() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
        "data": {"password": "aHVudGVyMg=="},
        "stringData": {"other": "hunter2"},
    }
    shown = visible(secret, tainted=False)
    assert shown["data"] == {"password": HIDDEN}
    assert "hunter2" not in str(shown)
    assert "aHVudGVyMg" not in str(shown)


def test_nothing_that_a_secret_went_through_is_shown() -> None:
    shown = visible({**NEW, "data": {"url": "postgres://shop:hunter2@db"}}, tainted=True)
    assert "hunter2" not in str(shown)
    assert shown["metadata"]["name"] == "new"


def test_a_manifest_without_secrets_is_shown_as_it_is() -> None:
    assert visible(NEW, tainted=False) == NEW
