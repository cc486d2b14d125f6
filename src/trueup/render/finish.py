"""The half of a render that may see secrets: variables into texts, common metadata onto objects. Stays in memory.

Flux's order: substitution on each object's YAML text, which is then read again (so `${N}` with 123 becomes a number),
then common metadata, which wins over what manifests say. No value of a variable ever stands in an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from trueup.model.errors import BuildFailed
from trueup.model.manifest import (
    Declared,
    Manifest,
    Origin,
    annotations_of,
    api_version_of,
    kind_of,
    labels_of,
    metadata_of,
    name_of,
    ref_of,
)
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef
from trueup.model.rendering import CommonMetadata, RenderMode, RenderSpec, Substitution
from trueup.render.built import Build, BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.envsubst import VARIABLE_NAME, SubstitutionFailed, substitute
from trueup.render.requests import request_parsed

OPT_OUT = "kustomize.toolkit.fluxcd.io/substitute"


def needs_engine(build: Build, spec: RenderSpec, variables: Mapping[str, str] | None) -> bool:
    """Whether any text has to be read again."""
    return bool(_values(spec.substitution, variables) is not None and any(one.text for one in build.objects))


def finished(
    build: Build, spec: RenderSpec, variables: Mapping[str, str] | None, engine: EngineProcess | None
) -> tuple[tuple[Declared, ...], tuple[Notice, ...]]:
    """The objects as they are to be applied. Raises BuildFailed naming object, file and variable."""
    manifests = [msgspec.json.decode(one.object, type=dict) for one in build.objects]
    values = _values(spec.substitution, variables)
    if values is not None and spec.substitution is not None and engine is not None:
        _substitute(manifests, build.objects, values, spec.substitution.strict, engine)
    if spec.common_metadata is not None:
        manifests = [_with_common(manifest, spec.common_metadata) for manifest in manifests]
    declared = [Declared(manifest, _origin(one)) for manifest, one in zip(manifests, build.objects, strict=True)]
    for one in declared:
        _check(one)
    if spec.mode is RenderMode.ARGOCD:
        return _last_of_each(declared)
    _refuse_duplicates(declared)
    return tuple(declared), ()


def _values(substitution: Substitution | None, variables: Mapping[str, str] | None) -> dict[str, str] | None:
    """None: texts are left alone."""
    if substitution is None:
        return None
    given = substitution.variables if variables is None else variables
    for name in given:
        if not VARIABLE_NAME.fullmatch(name):
            raise BuildFailed(
                f"{name!r} cannot be the name of a variable",
                hint="use letters, digits and _, not beginning with a digit",
            )
    if not given and not substitution.always:
        return None
    return {name: value.replace("\n", "") for name, value in given.items()}


def _substitute(
    manifests: list[Manifest],
    objects: tuple[BuiltObject, ...],
    values: Mapping[str, str],
    strict: bool,
    engine: EngineProcess,
) -> None:
    changed: list[int] = []
    texts: list[str] = []
    for index, one in enumerate(objects):
        if not one.text or _opted_out(manifests[index]):
            continue
        try:
            text = substitute(one.text, values, strict=strict)
        except SubstitutionFailed as error:
            raise BuildFailed(
                f"variable substitution: {error.message}",
                hint=error.hint,
                origin=_origin(one),
                ref=ref_of(manifests[index]),
            ) from None
        if text != one.text:
            changed.append(index)
            texts.append(text)
    for index, parsed in zip(changed, request_parsed(engine, texts) if texts else (), strict=True):
        value = msgspec.json.decode(parsed.object) if parsed.error is None else None
        if not isinstance(value, dict):
            line = f" (line {parsed.error.line} of the object)" if parsed.error and parsed.error.line else ""
            raise BuildFailed(
                f"with its variables filled in, the object is no longer valid YAML{line}",
                hint="quote the variable in the manifest, or look at the values of the variables it uses",
                origin=_origin(objects[index]),
                ref=ref_of(manifests[index]),
            )
        manifests[index] = value


def _opted_out(manifest: Manifest) -> bool:
    marks = (annotations_of(manifest).get(OPT_OUT), labels_of(manifest).get(OPT_OUT))
    return any(isinstance(mark, str) and mark.lower() == "disabled" for mark in marks)


def _with_common(manifest: Manifest, common: CommonMetadata) -> Manifest:
    metadata = dict(metadata_of(manifest))
    if common.labels:
        metadata["labels"] = {**labels_of(manifest), **common.labels}
    if common.annotations:
        metadata["annotations"] = {**annotations_of(manifest), **common.annotations}
    return {**manifest, "metadata": metadata}


def _origin(one: BuiltObject) -> Origin | None:
    return Origin(one.path, one.line) if one.path else None


def _check(one: Declared) -> None:
    missing = [
        what
        for what, value in (
            ("apiVersion", api_version_of(one.manifest)),
            ("kind", kind_of(one.manifest)),
            ("metadata.name", name_of(one.manifest)),
        )
        if not value
    ]
    if missing:
        named = kind_of(one.manifest) or "object"
        hint = ""
        if metadata_of(one.manifest).get("generateName"):
            hint = "give it a name; generateName makes a new object on every apply"
        raise BuildFailed(f"the {named} has no {' and no '.join(missing)}", origin=one.origin, hint=hint)


def _refuse_duplicates(objects: Iterable[Declared]) -> None:
    seen: dict[ObjectRef, Declared] = {}
    for one in objects:
        if (first := seen.setdefault(one.ref, one)) is not one:
            raise BuildFailed(
                f"declared twice: in {first.origin or 'a generated object'} and {one.origin or 'a generated object'}",
                ref=one.ref,
                origin=one.origin,
                hint="remove one of the two",
            )


def _last_of_each(objects: list[Declared]) -> tuple[tuple[Declared, ...], tuple[Notice, ...]]:
    """Argo CD's way: of several declarations of one object the last counts, and a notice says so."""
    places: dict[ObjectRef, list[Declared]] = {}
    for one in objects:
        places.setdefault(one.ref, []).append(one)
    notices = tuple(
        Notice(
            "RepeatedResourceWarning",
            f"{ref} is declared {len(all_of)} times, in {', '.join(str(one.origin) for one in all_of)}; the last counts",
        )
        for ref, all_of in places.items()
        if len(all_of) > 1
    )
    return tuple(all_of[-1] for all_of in places.values()), notices
