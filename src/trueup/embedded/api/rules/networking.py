"""Ingresses, IngressClasses and NetworkPolicies. Follows pkg/apis/networking/v1/defaults.go and its validation."""

from __future__ import annotations

import ipaddress
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, items
from trueup.embedded.api.rules.networkpolicies import policy_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def _validate_ingress(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems: list[FieldProblem] = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        said = "either `defaultBackend` or `rules` must be specified"
        problems.append(FieldProblem("spec", "FieldValueInvalid", f"Invalid value: null: {said}"))
    if spec.get("ingressClassName") is not None:
        name = spec["ingressClassName"]
        problems += [invalid_value("spec.ingressClassName", name, said) for said in names.subdomain_problems(name)]
    if spec.get("defaultBackend"):
        problems += _backend_problems(spec["defaultBackend"], "spec.defaultBackend")
    for index, tls in enumerate(items(spec, "tls")):
        path = f"spec.tls[{index}]"
        for place, host in enumerate(tls.get("hosts") or ()):
            wrong = names.wildcard_problems(host) if host.startswith("*") else names.subdomain_problems(host)
            problems += [invalid_value(f"{path}.hosts[{place}]", host, said) for said in wrong]
        if secret := tls.get("secretName"):
            problems += [invalid_value(f"{path}.secretName", secret, said) for said in names.subdomain_problems(secret)]
    for index, rule in enumerate(items(spec, "rules")):
        path, host = f"spec.rules[{index}]", rule.get("host") or ""
        if _is_address(host):
            problems.append(invalid_value(f"{path}.host", host, "must be a DNS name, not an IP address"))
        if host.startswith("*"):
            problems += [invalid_value(f"{path}.host", host, said) for said in names.wildcard_problems(host)]
        elif host and (wrong := names.subdomain_problems(host)):
            problems.append(invalid_value(f"{path}.host", host, wrong[0]))
        if "http" in rule and not at(rule, "http", "paths"):
            problems.append(required(f"{path}.http.paths"))
        for place, entry in enumerate(items(rule, "http", "paths")):
            problems += _path_problems(entry, f"{path}.http.paths[{place}]")
    return problems


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _path_problems(entry: dict[str, Any], path: str) -> list[FieldProblem]:
    problems = []
    type_, text = entry.get("pathType"), entry.get("path") or ""
    if not type_:
        return [required(f"{path}.pathType", "pathType must be specified")]
    if type_ not in _PATH_TYPES:
        problems.append(not_supported(f"{path}.pathType", type_, _PATH_TYPES))
    elif type_ in ("Exact", "Prefix") and not text.startswith("/"):
        problems.append(invalid_value(f"{path}.path", text, "must be an absolute path"))
    elif type_ in ("Exact", "Prefix"):
        problems += [
            invalid_value(f"{path}.path", text, f"must not contain '{sign}'")
            for sign in ("//", "/./", "/../", "%2f", "%2F")
            if sign in text
        ]
    return problems + _backend_problems(entry.get("backend") or {}, f"{path}.backend")


def _backend_problems(backend: dict[str, Any], path: str) -> list[FieldProblem]:
    service = backend.get("service")
    if service is not None and backend.get("resource"):
        return [invalid_value(path, "", "cannot set both resource and service backends")]
    if service is None:
        return [] if backend.get("resource") else [invalid_value(path, "", "resource or service backend is required")]
    problems = []
    name = service.get("name") or ""
    if not name:
        problems.append(required(f"{path}.service.name"))
    else:
        problems += [invalid_value(f"{path}.service.name", name, said) for said in names.label_problems(name)]
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        problems.append(invalid_value(path, "", "cannot set both port name & port number"))
    if not port.get("name") and not port.get("number"):
        problems.append(required(f"{path}", "port name or number is required"))
    return problems


def _default_policy(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        for rule in items(spec, direction):
            for port in items(rule, "ports"):
                default_text(port, protocol="TCP")


def _class_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    return immutable("spec.controller", at(new, "spec", "controller"), at(old, "spec", "controller"))


def _resource(name: str) -> Resource:
    return Resource("networking.k8s.io", name)


RULES: dict[Resource, Rules] = {
    _resource("ingresses"): Rules(validate=_validate_ingress, counts_generation=True),
    _resource("ingressclasses"): Rules(validate_update=_class_update, counts_generation=True),
    _resource("networkpolicies"): Rules(default=_default_policy, validate=policy_problems, counts_generation=True),
}
