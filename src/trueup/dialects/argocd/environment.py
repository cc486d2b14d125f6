"""The build environment of a source: variables that parameters and values may name.

`$NAME` and `${NAME}` stand for the value, `$$` is a dollar sign, and an unknown variable is empty, as Go's os.Expand has it. The
revision is not among them yet: each commit would be another question to the render.
https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.shared import DEFAULT_PROJECT
from trueup.dialects.argocd.source_resource import Source
from trueup.model.refs import ObjectRef

_NAME = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")
_REVISION = "ARGOCD_APP_REVISION"


def build_environment(ref: ObjectRef, spec: ApplicationSpec, source: Source) -> dict[str, str]:
    """What is known without the revision."""
    return {
        "ARGOCD_APP_NAME": ref.name,
        "ARGOCD_APP_NAMESPACE": spec.destination.namespace,
        "ARGOCD_APP_PROJECT_NAME": spec.project or DEFAULT_PROJECT,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.target_revision,
    }


def name_revision(texts: Iterable[str]) -> bool:
    """Whether one of them depends on the revision."""
    names = (match[1] or match[2] or "" for text in texts for match in _NAME.finditer(text))
    return any(name.startswith(_REVISION) for name in names)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`"$A-${B}"` with the values of A and B."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        return "$" if name == "$" else environment.get(name, "")

    return _NAME.sub(value, text)
