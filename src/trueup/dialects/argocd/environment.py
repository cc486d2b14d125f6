"""The build environment of a source: variables that parameters and values may name.

`$NAME` and `${NAME}` stand for the value, `$$` is a dollar sign, and an unknown variable is empty, as Go's os.Expand has it.
https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trueup.dialects.argocd.shared import DEFAULT_PROJECT
from trueup.dialects.argocd.source_resource import Source
from trueup.model.refs import ObjectRef
from trueup.model.rendering import REVISION_MARKS

_NAME = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")
_UNCLOSED = re.compile(r"\$(?:\{()|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")
"""Where no brace closes any more: looking for one at each that opens would take for ever. What opens is eaten, as in Go."""
_REVISION = "ARGOCD_APP_REVISION"


def build_environment(ref: ObjectRef, project: str, namespace: str, source: Source) -> dict[str, str]:
    """The revision is a mark, which the render fills in: whoever names it is another question at every commit."""
    return {
        **{f"{_REVISION}{ending}": mark for ending, mark in REVISION_MARKS.items()},
        "ARGOCD_APP_NAME": ref.name,
        "ARGOCD_APP_NAMESPACE": namespace,
        "ARGOCD_APP_PROJECT_NAME": project or DEFAULT_PROJECT,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.target_revision,
    }


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`"$A-${B}"` with the values of A and B."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        return "$" if name == "$" else environment.get(name, "")

    closed = text.rfind("}") + 1
    return _NAME.sub(value, text[:closed]) + _UNCLOSED.sub(value, text[closed:])
