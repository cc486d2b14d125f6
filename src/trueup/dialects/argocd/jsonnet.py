"""The Jsonnet block of a directory source, with the build environment put into its values.

https://argo-cd.readthedocs.io/en/stable/user-guide/jsonnet/
"""

from __future__ import annotations

from collections.abc import Mapping

from trueup.dialects.argocd.environment import expand
from trueup.dialects.argocd.source_resource import JsonnetOptions, JsonnetVariable
from trueup.model import rendering


def jsonnet_of(options: JsonnetOptions, environment: Mapping[str, str]) -> rendering.JsonnetOptions:
    """The same in our words."""
    return rendering.JsonnetOptions(
        ext_vars=_variables(options.ext_vars, environment),
        top_level=_variables(options.tlas, environment),
        libraries=options.libs,
    )


def _variables(
    variables: tuple[JsonnetVariable, ...], environment: Mapping[str, str]
) -> tuple[rendering.JsonnetVariable, ...]:
    return tuple(rendering.JsonnetVariable(each.name, expand(each.value, environment), each.code) for each in variables)
