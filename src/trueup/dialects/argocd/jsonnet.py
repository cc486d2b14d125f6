"""The Jsonnet block of a directory source: its variables, with the build environment put in.

Values may name variables of the build environment (`$ARGOCD_APP_NAME`, `${ARGOCD_APP_NAMESPACE}`), `$$` is a dollar sign
and an unknown variable is empty, as Go's os.Expand has it.
https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trueup.dialects.argocd.source_resource import JsonnetOptions, JsonnetVariable
from trueup.model import rendering

_NAME = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")
_REVISION = "ARGOCD_APP_REVISION"


def jsonnet_of(options: JsonnetOptions, environment: Mapping[str, str]) -> rendering.JsonnetOptions:
    """The same in our words, with the environment put into the values."""
    return rendering.JsonnetOptions(
        ext_vars=_variables(options.ext_vars, environment),
        top_level=_variables(options.tlas, environment),
        libraries=options.libs,
    )


def names_revision(options: JsonnetOptions) -> bool:
    """Whether a value depends on the revision, so that each commit would be another question to the render."""
    values = (variable.value for variable in (*options.ext_vars, *options.tlas))
    names = (match[1] or match[2] or "" for value in values for match in _NAME.finditer(value))
    return any(name.startswith(_REVISION) for name in names)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`"$A-${B}"` with the values of A and B."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        return "$" if name == "$" else environment.get(name, "")

    return _NAME.sub(value, text)


def _variables(
    variables: tuple[JsonnetVariable, ...], environment: Mapping[str, str]
) -> tuple[rendering.JsonnetVariable, ...]:
    return tuple(rendering.JsonnetVariable(each.name, expand(each.value, environment), each.code) for each in variables)
