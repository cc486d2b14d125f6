"""The environment of a plugin's commands: what Argo CD documents, a path, a home, and nothing else of ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from trueup.model.rendering import CLUSTER_MARKS, REVISION_MARKS, Capabilities, PluginCall, PluginParameter
from trueup.model.revision import Revision

_NO_NAME = re.compile(r"[^A-Z0-9_]")


def environment(
    call: PluginCall, revision: Revision, capabilities: Capabilities, *, path: str, home: str
) -> dict[str, str]:
    """What an Application says itself comes with a prefix, so that it can never be PATH or LD_PRELOAD."""
    commit = revision.digest or revision.name
    found = {
        "PATH": path,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        **call.environment,
        "ARGOCD_APP_REVISION": commit,
        "ARGOCD_APP_REVISION_SHORT": commit[:7],
        "ARGOCD_APP_REVISION_SHORT_8": commit[:8],
        "KUBE_VERSION": capabilities.kube_version.removeprefix("v"),
        "KUBE_API_VERSIONS": ",".join(sorted(capabilities.api_versions)),
        "ARGOCD_APP_PARAMETERS": msgspec.json.encode([_documented(each) for each in call.parameters]).decode(),
    }
    marks = {mark: found[f"ARGOCD_APP_REVISION{ending}"] for ending, mark in REVISION_MARKS.items()}
    marks |= {mark: found[name] for name, mark in CLUSTER_MARKS.items()}
    for name, value in call.env.items():
        for mark, known in marks.items():
            value = value.replace(mark, known)
        found[f"ARGOCD_ENV_{name}"] = value
    for parameter in call.parameters:
        found.update(parameter_variables(parameter))
    return {name: value for name, value in found.items() if "\0" not in name + value and "=" not in name}


def parameter_variables(parameter: PluginParameter) -> dict[str, str]:
    """`PARAM_IMAGES_0` for the items of an array, `PARAM_IMAGES_WEB` for those of a map."""
    name = f"PARAM_{_escaped(parameter.name)}"
    found: dict[str, str] = {}
    if parameter.string is not None:
        found[name] = parameter.string
    for index, value in enumerate(parameter.array or ()):
        found[f"{name}_{index}"] = value
    for key, value in (parameter.map or {}).items():
        found[f"{name}_{_escaped(key)}"] = value
    return found


def _escaped(name: str) -> str:
    return _NO_NAME.sub("_", name.upper())


def _documented(parameter: PluginParameter) -> Mapping[str, object]:
    rows = {"name": parameter.name, "string": parameter.string, "array": parameter.array, "map": parameter.map}
    return {key: value for key, value in rows.items() if value is not None}
