"""The helm block of a source: what Argo CD would tell `helm template` about a chart in the path.

Value files are relative to the chart, or from the repository's root with a leading `/`. Parameters win over values, values over
value files. https://argo-cd.readthedocs.io/en/stable/user-guide/helm/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

import msgspec

from trueup.dialects.argocd.environment import expand
from trueup.dialects.argocd.source_resource import HelmOptions, HelmParameter, Source
from trueup.model import rendering
from trueup.model.rendering import HelmFileValue, HelmValueFile

_COMMA = re.compile(r"([^\\]),")
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")


def chart_of(name: str, namespace: str, source: Source, environment: Mapping[str, str]) -> rendering.HelmOptions:
    """Always given: whether there is a chart is seen only in the path."""
    options = source.helm or HelmOptions()
    texts = [each for each in options.parameters if each.force_string]
    return rendering.HelmOptions(
        release_name=options.release_name or name,
        namespace=options.namespace or namespace,
        value_files=tuple(
            HelmValueFile(_from_root(source.path, expand(each, environment)), options.ignore_missing_value_files)
            for each in options.value_files
        ),
        values=_values(options),
        set=_set([each for each in options.parameters if not each.force_string], environment),
        set_string=_set(texts, environment),
        set_file=tuple(
            HelmFileValue(each.name, _from_root(source.path, expand(each.path, environment)))
            for each in options.file_parameters
        ),
        kube_version=options.kube_version,
        api_versions=options.api_versions,
        include_crds=not options.skip_crds,
        skip_tests=True,  # a test has no place in a sync: Argo CD leaves such hooks out, too
        skip_schema_validation=options.skip_schema_validation,
    )


def unbuilt_of(options: HelmOptions) -> dict[str, bool]:
    """What of the block has a meaning that is not built yet."""
    texts = (*options.value_files, *(each.path for each in options.file_parameters))
    return {
        f"spec.source.helm.version={options.version}": options.version not in ("", "v3"),
        "spec.source.helm.valueFiles with $ref": any(re.match(r"\$(?!ARGOCD_|\{?ARGOCD_)", each) for each in texts),
        "spec.source.helm.valueFiles with a URL": any(_URL.match(each) for each in texts),
        "spec.source.helm.valueFiles with a pattern": any(set("*?[") & set(each) for each in options.value_files),
    }


def _values(options: HelmOptions) -> str:
    """The object wins over the text; JSON is YAML."""
    if options.values_object is not None:
        return msgspec.json.encode(options.values_object).decode()
    return options.values


def _set(parameters: list[HelmParameter], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The last of equal names counts."""
    by_name = {each.name: expand(each.value, environment) for each in parameters}
    return tuple(f"{name}={_with_escaped_commas(value)}" for name, value in by_name.items())


def _with_escaped_commas(value: str) -> str:
    """A comma would begin another parameter; in `{a,b}` it parts the items of a list."""
    if value.startswith("{") and value.endswith("}"):
        return value
    return _COMMA.sub(r"\1\\,", value)


def _from_root(path: str, name: str) -> str:
    """`values.yaml` beside the chart, `/env/prod.yaml` from the root; what leads out stays, to be refused by the render."""
    joined = posixpath.normpath(name.lstrip("/") if name.startswith("/") else posixpath.join(path, name))
    return joined.removeprefix("./")
