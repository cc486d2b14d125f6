"""The builds of several sources as one: objects in the order of the sources, looks at the whole Snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trueup.model.snapshot import Inputs
from trueup.render.built import Asked, Build, BuiltObject
from trueup.render.parts import PartSnapshot


def within(build: Build, view: PartSnapshot, root: str) -> Build:
    """A part's build with its places and looks as they are in the whole."""
    objects = tuple(
        BuiltObject(one.object, f"{root}/{one.path}" if one.path else "", one.line, one.text) for one in build.objects
    )
    looks = [look for item in build.inputs.items if (look := view.look_of(item)) is not None]
    return msgspec.structs.replace(build, objects=objects, inputs=Inputs.of(view.id, looks))


def joined(builds: Sequence[Build], snapshot_id: str) -> Build:
    """`source_type` names the tool of each, with commas."""
    kube_versions = [build.asked.kube_version for build in builds if build.asked.kube_version]
    everything = [build.asked.everything for build in builds if build.asked.everything]
    return Build(
        objects=tuple(one for build in builds for one in build.objects),
        inputs=Inputs.of(snapshot_id, (item for build in builds for item in build.inputs.items)),
        source_type=",".join(build.source_type for build in builds),
        asked=Asked(
            kube_version=kube_versions[0] if kube_versions else "",
            api_versions={name: said for build in builds for name, said in build.asked.api_versions.items()},
            everything=everything[0] if everything else "",
        ),
        notices=tuple(notice for build in builds for notice in build.notices),
    )
