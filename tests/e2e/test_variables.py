"""postBuild: variables from ConfigMaps and Secrets, and what happens when these change."""

from __future__ import annotations

from tests.e2e.manifests import config, manifest
from tests.e2e.stack import Stack, until

TEMPLATE = (
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {text: "${greeting} from ${place:=nowhere}"}\n'
)
WATCHED = {"reconcile.fluxcd.io/watch": "Enabled"}


def text_of(stack: Stack, namespace: str) -> str:
    return ((stack.get("configmap", "settings", namespace) or {}).get("data") or {}).get("text", "")


def test_variables_come_from_config_maps_and_secrets_and_a_watched_change_is_heard(
    stack: Stack, namespace: str
) -> None:
    repo = stack.repository(namespace, {"settings.yaml": TEMPLATE})
    values = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "labels": WATCHED}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden", "namespace": namespace}}
    stack.apply({**values, "metadata": {**values["metadata"], "namespace": namespace}, "data": {"greeting": "hello"}})
    sources = [
        {"kind": "ConfigMap", "name": "values"},
        {"kind": "Secret", "name": "hidden"},
        {"kind": "ConfigMap", "name": "not-there", "optional": True},
    ]
    stack.kustomization(namespace, repo.url, postBuild={"substituteFrom": sources}, retryInterval="1s")
    stack.until_failed(namespace, f"Secret/{namespace}/hidden", "is not there", "optional: true")
    assert stack.get("configmap", "settings", namespace) is None
    stack.apply({**secret, "stringData": {"place": "Bangkok"}})
    stack.until_applied(namespace)
    assert text_of(stack, namespace) == "hello from Bangkok"
    stack.merge("configmap", "values", namespace, {"data": {"greeting": "good morning"}})
    until(lambda: text_of(stack, namespace) == "good morning from Bangkok", within=10)


def test_a_variable_that_is_not_set_is_an_error_that_names_it(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": TEMPLATE})
    stack.kustomization(namespace, repo.url, postBuild={"substitute": {"place": "here"}})
    row = stack.until_failed(namespace, "greeting", "settings.yaml")
    assert row["reason"] == "BuildFailed"
    assert stack.get("configmap", "settings", namespace) is None
    stack.merge("kustomization", "app", namespace, {"spec": {"postBuild": {"substitute": {"greeting": "hi"}}}})
    stack.until_applied(namespace)
    assert text_of(stack, namespace) == "hi from here"


def test_a_secret_never_shows_in_status_or_events(stack: Stack, namespace: str) -> None:
    word = "correct-horse-battery"
    bad = manifest("v1", "Secret", "wrong", data={"password": "${word}"})
    repo = stack.repository(namespace, {"wrong.yaml": bad, "settings.yaml": config()})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden", "namespace": namespace}}
    stack.apply({**secret, "stringData": {"word": word}})
    stack.kustomization(namespace, repo.url, postBuild={"substituteFrom": [{"kind": "Secret", "name": "hidden"}]})
    stack.until_failed(namespace, "wrong")
    said = str(stack.get("kustomization", "app", namespace)) + str(stack.api.list("event", namespace))
    assert word not in said
    assert word not in stack.controller.log


def test_what_no_watch_tells_of_is_looked_at_every_interval(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": TEMPLATE})
    stack.kubectl("create", "configmap", "values", "-n", namespace, "--from-literal=greeting=hello")
    source = {"substituteFrom": [{"kind": "ConfigMap", "name": "values"}]}
    stack.kustomization(namespace, repo.url, postBuild=source, interval="2s")
    until(lambda: text_of(stack, namespace) == "hello from nowhere")
    stack.merge("configmap", "values", namespace, {"data": {"greeting": "bye"}})
    until(lambda: text_of(stack, namespace) == "bye from nowhere", within=10)
