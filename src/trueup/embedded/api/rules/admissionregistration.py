"""Webhook configurations. Follows pkg/apis/admissionregistration/v1/defaults.go and its validation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from trueup.embedded.api import names
from trueup.embedded.api.refusals import (
    FieldProblem,
    duplicate,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.base import Rules, at, child, default_text, items, set_default
from trueup.embedded.api.rules.selectors import selector_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_MOST_CONDITIONS = 64
_URL_FORM = "desired format: https://host[/path]"


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
    twice: list[FieldProblem] = []
    seen: set[str] = set()
    for index, webhook in enumerate(items(manifest, "webhooks")):
        path, name = f"webhooks[{index}]", webhook.get("name") or ""
        if name.count(".") < 2:
            said = "should be a domain with at least three segments separated by dots"
            problems.append(invalid_value(f"{path}.name", name, said) if name else required(f"{path}.name"))
        elif name in seen:
            twice.append(duplicate(f"{path}.name", name))
        seen.add(name)
        problems += _webhook_problems(webhook, path)
    return problems + twice


def _webhook_problems(webhook: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for index, rule in enumerate(items(webhook, "rules")):
        problems += _rule_problems(rule, f"{path}.rules[{index}]")
    problems += _one_of(webhook, path, "failurePolicy", ("Fail", "Ignore"))
    problems += _one_of(webhook, path, "matchPolicy", ("Equivalent", "Exact"))
    effects = webhook.get("sideEffects")
    if effects is None:
        problems.append(required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
    else:
        problems += _one_of(webhook, path, "sideEffects", ("None", "NoneOnDryRun"))
    seconds = webhook.get("timeoutSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= 30:
        said = "the timeout value must be between 1 and 30 seconds"
        problems.append(invalid_value(f"{path}.timeoutSeconds", seconds, said))
    for field in ("namespaceSelector", "objectSelector"):
        problems += selector_problems(webhook.get(field) or {}, f"{path}.{field}")
    problems += client_problems(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    problems += _one_of(webhook, path, "reinvocationPolicy", ("IfNeeded", "Never"))
    problems += review_version_problems(webhook.get("admissionReviewVersions") or [], f"{path}.admissionReviewVersions")
    return problems + _condition_problems(list(items(webhook, "matchConditions")), f"{path}.matchConditions")


def _condition_problems(conditions: list[dict[str, Any]], path: str) -> list[FieldProblem]:
    """Whether the expressions compile is asked elsewhere (`celrules`)."""
    problems: list[FieldProblem] = []
    if len(conditions) > _MOST_CONDITIONS:
        said = f"Too many: {len(conditions)}: must have at most {_MOST_CONDITIONS} items"
        problems.append(FieldProblem(path, "FieldValueTooMany", said))
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        if not str(condition.get("expression") or "").strip():
            problems.append(required(f"{path}[{index}].expression"))
        place, name = f"{path}[{index}].name", str(condition.get("name") or "")
        if not name:
            problems.append(required(place))
            continue
        problems += [invalid_value(place, name, said) for said in names.label_key_problems(name)]
        if name in seen:
            problems.append(duplicate(place, name))
        seen.add(name)
    return problems


def _one_of(owner: dict[str, Any], path: str, field: str, choices: tuple[str, ...]) -> list[FieldProblem]:
    value = owner.get(field)
    return [not_supported(f"{path}.{field}", value, choices)] if value is not None and value not in choices else []


def _rule_problems(rule: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    alone = {"operations": "operations", "apiGroups": "API groups", "apiVersions": "API versions"}
    for field, said in alone.items():
        values = rule.get(field) or []
        if not values:
            problems.append(required(f"{path}.{field}"))
        elif len(values) > 1 and "*" in values:
            problems.append(
                invalid_value(f"{path}.{field}", values, f"if '*' is present, must not specify other {said}")
            )
        if field == "operations":
            problems += [
                not_supported(f"{path}.{field}[{index}]", value, _OPERATIONS)
                for index, value in enumerate(values)
                if value not in _OPERATIONS
            ]
        else:
            problems += [
                required(f"{path}.{field}[{index}]")
                for index, value in enumerate(values)
                if not value and field == "apiVersions"
            ]
    problems += _resource_problems(rule.get("resources") or [], f"{path}.resources")
    return problems + _one_of(rule, path, "scope", ("*", "Cluster", "Namespaced"))


def _resource_problems(resources: list[str], path: str) -> list[FieldProblem]:
    """`*` stands beside nothing that it covers, and so do `pods/*` and `*/scale`."""
    if not resources:
        return [required(path)]
    if "*/*" in resources and len(resources) > 1:
        return [invalid_value(path, resources, "if '*/*' is present, must not specify other resources")]
    problems = []
    if "*" in resources and any("/" not in each for each in resources if each != "*"):
        said = "if '*' is present, must not specify other resources without subresources"
        problems.append(invalid_value(path, resources, said))
    for index, each in enumerate(resources):
        resource, _, below = each.partition("/")
        if not resource:
            problems.append(invalid_value(f"{path}[{index}]", each, "must not be empty"))
        elif below and below != "*" and f"{resource}/*" in resources:
            said = f"if '{resource}/*' is present, must not specify {each}"
            problems.append(invalid_value(f"{path}[{index}]", each, said))
        elif below and resource != "*" and f"*/{below}" in resources:
            said = f"if '*/{below}' is present, must not specify {each}"
            problems.append(invalid_value(f"{path}[{index}]", each, said))
    return problems


def client_problems(client: dict[str, Any], path: str) -> list[FieldProblem]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    return _url_problems(str(url), f"{path}.url") if url is not None else _service_problems(service or {}, path)


def _url_problems(url: str, path: str) -> list[FieldProblem]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}; {_URL_FORM}")]
    problems = []
    if parts.scheme != "https":
        said = f"'https' is the only allowed URL scheme; {_URL_FORM}"
        problems.append(invalid_value(path, parts.scheme, said))
    if not parts.netloc.rpartition("@")[2]:
        problems.append(invalid_value(path, parts.netloc, f"host must be specified; {_URL_FORM}"))
    if "@" in parts.netloc:
        said = "user information is not permitted in the URL"
        problems.append(invalid_value(path, parts.netloc.rpartition("@")[0], said))
    if parts.fragment:
        problems.append(invalid_value(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        problems.append(invalid_value(path, parts.query, "query parameters are not permitted in the URL"))
    return problems


def _service_problems(service: dict[str, Any], path: str) -> list[FieldProblem]:
    path = f"{path}.service"
    problems = [required(f"{path}.{field}") for field in ("name", "namespace") if not service.get(field)]
    port = service.get("port")
    if isinstance(port, int) and not 1 <= port <= 65535:
        said = "port is not valid: must be between 1 and 65535, inclusive"
        problems.append(invalid_value(f"{path}.port", port, said))
    place = service.get("path")
    if not place or place == "/":
        return problems
    if not place.startswith("/"):
        problems.append(invalid_value(f"{path}.path", place, "must start with a '/'"))
    segments = place[1:].removesuffix("/").split("/")
    problems += [
        invalid_value(f"{path}.path", place, f"segment[{index}] may not be empty")
        for index, segment in enumerate(segments)
        if not segment
    ]
    return problems


def review_version_problems(versions: list[str], path: str) -> list[FieldProblem]:
    if not versions:
        return [required(path, "must specify one of v1, v1beta1")]
    problems = []
    if not {"v1", "v1beta1"} & set(versions):
        problems.append(invalid_value(path, versions, "must include at least one of v1, v1beta1"))
    problems += [
        invalid_value(f"{path}[{index}]", version, "duplicate version")
        for index, version in enumerate(versions)
        if version in versions[:index]
    ]
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
