"""Charts, rendered as `helm template` does: the library's values, templates and order, then the Go reader's JSON.

What a chart asks of the cluster (`.Capabilities`) is remembered name by name, so that a new kind in the cluster concerns only the
charts that asked for it. No cluster is spoken to: `lookup` finds nothing, as in Argo CD.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.remote import RemoteContent
from trueup.model.rendering import Capabilities, HelmOptions, RenderSpec
from trueup.render.built import Asked, BuiltObject
from trueup.render.engine.process import EngineProcess, Refused
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits
from trueup.render.remotes import engine_charts
from trueup.render.requests import as_error_or_needs, request_parsed
from trueup.render.valuefiles import expanded


class _Document(Struct, frozen=True):
    text: str
    path: str


class _Asked(Struct, frozen=True, rename="camel"):
    kube_version: bool = False
    api_versions: dict[str, bool] = msgspec.field(default_factory=dict, name="apiVersions")
    all: bool = False


class Templated(Struct, frozen=True, rename="camel"):
    """The documents of a chart in the order of an install: CRDs, manifests, hooks."""

    documents: tuple[_Document, ...]
    asked: _Asked = _Asked()
    notes: str = ""


class _Items(Struct, frozen=True):
    kind: str = ""
    items: tuple[msgspec.Raw, ...] = ()


_templated = msgspec.json.Decoder(Templated)
_items = msgspec.json.Decoder(_Items)


def template(
    engine: EngineProcess,
    recorder: Recorder,
    path: str,
    options: HelmOptions,
    capabilities: Capabilities,
    limits: RenderLimits,
    remotes: Sequence[RemoteContent] = (),
) -> Templated:
    """With a process of the helm engine; blocks. Raises BuildFailed with file and line, or RemotesNeeded: dependencies that are
    not in `charts`, to render again with once they are among the Recorder's files.
    """
    files = SnapshotFiles(recorder, limits)
    params: dict[str, object] = {
        "path": path,
        "releaseName": options.release_name,
        "namespace": options.namespace,
        "valueFiles": [
            {"path": each.path, "optional": each.optional} for each in expanded(recorder, options.value_files, limits)
        ],
        "values": options.values,
        "set": options.set,
        "setString": options.set_string,
        "setFile": [{"name": each.name, "path": each.path} for each in options.set_file],
        "kubeVersion": options.kube_version or capabilities.kube_version,
        "apiVersions": sorted(options.api_versions or capabilities.api_versions),
        "includeCRDs": options.include_crds,
        "skipTests": options.skip_tests,
        "skipSchemaValidation": options.skip_schema_validation,
        "maxBytes": limits.output_bytes,
        "dependencies": list(engine_charts(remotes)),
    }
    try:
        raw = engine.call("template", params, files, *files.tree(path, _asked_for(path, options)))
    except Refused as refused:
        raise as_error_or_needs(refused.problem) from refused
    return _templated.decode(raw)


def _asked_for(path: str, options: HelmOptions) -> tuple[str, ...]:
    """What the engine reads beside the chart's own files."""
    values = tuple(each.path for each in options.value_files)
    return (join(path, ".helmignore"), *values, *(each.path for each in options.set_file))


def read(engine: EngineProcess, templated: Templated, limits: RenderLimits) -> tuple[BuiltObject, ...]:
    """The objects of the documents, with a process of the engine that reads manifests; blocks."""
    objects: list[BuiltObject] = []
    parsed = request_parsed(engine, [document.text for document in templated.documents])
    for document, one in zip(templated.documents, parsed, strict=True):
        if one.error is not None:
            raise BuildFailed(
                f"the template gives YAML that cannot be read: {one.error.message}",
                origin=Origin(document.path),
                hint="look at it with: helm template --debug",
            )
        if bytes(one.object) == b"null":
            continue
        text = document.text if "$" in document.text else ""
        objects.extend(_inlined(one.object, document.path, text))
        if len(objects) > limits.objects:
            raise BuildFailed(f"the chart gives more than {limits.objects} objects", origin=Origin(document.path))
    return tuple(objects)


def answers(templated: Templated, options: HelmOptions, capabilities: Capabilities) -> Asked:
    """What the build depends on of the cluster; what the App's resource sets itself is no question to the cluster."""
    asked = templated.asked
    ours = not options.api_versions
    return Asked(
        kube_version=capabilities.kube_version if asked.kube_version and not options.kube_version else "",
        api_versions=asked.api_versions if ours else {},
        everything=digest_of(capabilities) if asked.all and ours else "",
    )


def question(options: HelmOptions) -> str:
    """What a chart is rendered with beside its files: other Apps on the same path may ask otherwise."""
    return hashlib.sha256(msgspec.msgpack.encode(options, order="deterministic")).hexdigest()


class Told(Protocol):
    """As much of a kept build as says which release it was made for, and what it was told of the cluster."""

    @property
    def question(self) -> str: ...

    @property
    def asked(self) -> Asked: ...


def holds_for(kept: Told, spec: RenderSpec, capabilities: Capabilities) -> bool:
    """Whether a kept build of the same path and files is the answer to this spec in this cluster today."""
    if kept.question and (spec.helm is None or kept.question != question(spec.helm)):
        return False
    return still_answered(kept.asked, capabilities)


def still_answered(asked: Asked, capabilities: Capabilities) -> bool:
    """Whether the cluster would say the same today."""
    if asked.kube_version and asked.kube_version != capabilities.kube_version:
        return False
    if asked.everything and asked.everything != digest_of(capabilities):
        return False
    return all((name in capabilities.api_versions) == said for name, said in asked.api_versions.items())


def has_gained(asked: Asked, capabilities: Capabilities) -> bool:
    """Whether the cluster now serves what a chart was told is missing, or is of another version.

    A kind that seems to be gone is no reason to render anew: discovery has gaps while a server starts, and what the chart would
    leave out for it would be pruned.
    """
    if asked.kube_version and asked.kube_version != capabilities.kube_version:
        return True
    if asked.everything and asked.everything != digest_of(capabilities):
        return True
    return any(name in capabilities.api_versions for name, said in asked.api_versions.items() if not said)


def asks_for_group(asked: Asked, group: str) -> bool:
    """Whether a kind of this group that comes may change an answer."""
    return bool(asked.everything) or any(name.startswith(f"{group}/") for name in asked.api_versions)


def digest_of(capabilities: Capabilities) -> str:
    return hashlib.sha256("\n".join(sorted(capabilities.api_versions)).encode()).hexdigest()


def _inlined(raw: msgspec.Raw, path: str, text: str) -> list[BuiltObject]:
    head = _items.decode(raw)
    if head.kind.endswith("List") and head.items:
        return [one for item in head.items for one in _inlined(item, path, text)]
    return [BuiltObject(raw.copy(), path, 0, text)]
