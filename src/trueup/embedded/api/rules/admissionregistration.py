"""Webhook configurations. Follows pkg/apis/admissionregistration/v1/defaults.go and its validation."""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.refusals import FieldProblem, invalid_value, required
from trueup.embedded.api.rules.base import Rules, at, child, default_text, items, set_default
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


def _default(manifest: Manifest) -> None:
    for webhook in items(manifest, "webhooks"):
        default_text(webhook, failurePolicy="Fail", matchPolicy="Equivalent")
        set_default(webhook, timeoutSeconds=10)
        child(webhook, "namespaceSelector")
        child(webhook, "objectSelector")
        if manifest.get("kind") == "MutatingWebhookConfiguration":
            default_text(webhook, reinvocationPolicy="Never")
        for rule in items(webhook, "rules"):
            default_text(rule, scope="*")
        if isinstance(service := at(webhook, "clientConfig", "service"), dict):
            set_default(service, port=443)


def _validate(manifest: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    seen: set[str] = set()
    for index, webhook in enumerate(items(manifest, "webhooks")):
        path = f"webhooks[{index}]"
        name = webhook.get("name") or ""
        if name.count(".") < 2:
            said = "should be a domain with at least three segments separated by dots"
            problems.append(invalid_value(f"{path}.name", name, said) if name else required(f"{path}.name"))
        if name in seen:
            problems.append(FieldProblem(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"'))
        seen.add(name)
        problems += _webhook_problems(webhook, path)
    return problems


def _webhook_problems(webhook: dict[str, Any], path: str) -> list[FieldProblem]:
    problems = []
    effects = webhook.get("sideEffects")
    if effects not in ("None", "NoneOnDryRun"):
        said = "must specify one of None, NoneOnDryRun"
        problems.append(required(f"{path}.sideEffects", said))
    if not webhook.get("admissionReviewVersions"):
        problems.append(required(f"{path}.admissionReviewVersions", "must specify one of v1, v1beta1"))
    client = webhook.get("clientConfig") or {}
    if bool(client.get("url")) == bool(client.get("service")):
        problems.append(required(f"{path}.clientConfig", "exactly one of url or service is required"))
    seconds = webhook.get("timeoutSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= 30:
        said = "the timeout value must be between 1 and 30 seconds"
        problems.append(invalid_value(f"{path}.timeoutSeconds", seconds, said))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("admissionregistration.k8s.io", name): Rules(default=_default, validate=_validate, counts_generation=True)
    for name in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
} | {
    Resource("admissionregistration.k8s.io", name): Rules(counts_generation=True)
    for name in (
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    )
}
