"""APIServices. Follows pkg/apis/apiregistration/validation of kube-aggregator."""

from __future__ import annotations

from trueup.embedded.api import names
from trueup.embedded.api.refusals import FieldProblem, invalid_value, required
from trueup.embedded.api.rules.base import Rules, at, child, set_default
from trueup.embedded.gowords import quoted
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, name_of


def _default(manifest: Manifest) -> None:
    if isinstance(service := at(manifest, "spec", "service"), dict):
        set_default(service, port=443)


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec, name = child(manifest, "spec"), name_of(manifest)
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    wrong = names.path_segment_problems(name)
    if not wrong and name != (wanted := f"{version}.{group}"):
        wrong = [f'must be `spec.version+"."+spec.group`: {quoted(wanted)}']
    problems = [invalid_value("metadata.name", name, said) for said in wrong]
    if not group and version != "v1":
        problems.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        problems += [invalid_value("spec.group", group, said) for said in names.subdomain_problems(group)]
    problems += [invalid_value("spec.version", version, said) for said in names.dns1035_problems(version)]
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        if not 0 < (number := spec.get(field) or 0) <= most:
            problems.append(invalid_value(f"spec.{field}", number, f"must be positive and less than {most}"))
    return problems + (_service_problems(spec) if spec.get("service") else _local_problems(spec))


def _local_problems(spec: Manifest) -> list[FieldProblem]:
    if not spec.get("insecureSkipTLSVerify"):
        return []
    said = "local APIServices may not have insecureSkipTLSVerify"
    return [invalid_value("spec.insecureSkipTLSVerify", True, said)]


def _service_problems(spec: Manifest) -> list[FieldProblem]:
    service = spec["service"]
    problems = [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    if not 0 < (port := service.get("port") or 0) < 65536:
        said = "port is not valid: must be between 1 and 65535, inclusive"
        problems.append(invalid_value("spec.service.port", port, said))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        said = "may not be true if caBundle is present"
        problems.append(invalid_value("spec.insecureSkipTLSVerify", True, said))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("apiregistration.k8s.io", "apiservices"): Rules(default=_default, validate=_validate),
}
