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
from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.rendering import REFS, HelmFileValue, HelmValueFile

_COMMA = re.compile(r"([^\\]),")
_IS_VARIABLE = re.compile(r"\$\{?ARGOCD_")
_URL = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
SCHEMES = ("https", "http")
"""What Argo CD fetches value files by unless `helm.valuesFileSchemes` says otherwise."""


def chart_of(
    ref: ObjectRef,
    namespace: str,
    source: Source,
    environment: Mapping[str, str],
    refs: Mapping[str, str],
    field: str,
) -> rendering.HelmOptions:
    """Always given: whether there is a chart is seen only in the path. `refs` are the names of other sources."""
    options = source.helm or HelmOptions()
    texts = [each for each in options.parameters if each.force_string]

    def place(text: str, where: str) -> str:
        if scheme := _URL.match(text):
            if scheme[1].lower() not in SCHEMES:
                hint = f"allowed are {' and '.join(SCHEMES)}"
                raise InvalidInput(f"{text} is of a scheme that is not fetched", ref=ref, field=where, hint=hint)
            return expand(text, environment)
        name, slash, rest = text.partition("/")
        if name.startswith("$") and not _IS_VARIABLE.match(name):
            if name[1:] not in refs or not slash:
                known = ", ".join(f"${each}" for each in sorted(refs)) or "none"
                raise InvalidInput(
                    f"{name} names no source", ref=ref, field=where, hint=f"sources with a ref here: {known}"
                )
            return _from_root(f"{REFS}/{name[1:]}", expand(rest, environment))
        return _from_root(source.path, expand(text, environment))

    return rendering.HelmOptions(
        release_name=options.release_name or ref.name,
        namespace=options.namespace or namespace,
        value_files=tuple(
            HelmValueFile(
                place(each, f"{field}.helm.valueFiles[{number}]"),
                options.ignore_missing_value_files,
                pattern=not _URL.match(each),
            )
            for number, each in enumerate(options.value_files)
        ),
        values=_values(options),
        set=_set([each for each in options.parameters if not each.force_string], environment),
        set_string=_set(texts, environment),
        set_file=tuple(
            HelmFileValue(each.name, place(each.path, f"{field}.helm.fileParameters[{number}].path"))
            for number, each in enumerate(options.file_parameters)
        ),
        kube_version=options.kube_version,
        api_versions=options.api_versions,
        include_crds=not options.skip_crds,
        skip_tests=True,  # a test has no place in a sync: Argo CD leaves such hooks out, too
        skip_schema_validation=options.skip_schema_validation,
    )


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
