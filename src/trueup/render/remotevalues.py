"""Value files of a chart that are named by a URL: fetched like remote bases, and read from where these are mounted."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from trueup.model.errors import BuildFailed
from trueup.model.remote import RemoteContent, RemoteNeed
from trueup.model.rendering import HelmFileValue, HelmOptions, HelmValueFile
from trueup.render.remotes import PLACE, RemotesNeeded
from trueup.sources.remotetext import is_remote_file


def with_fetched(options: HelmOptions, remotes: Iterable[RemoteContent]) -> HelmOptions:
    """The options with every URL replaced by its place in the Snapshot. Raises RemotesNeeded for those that are not there."""
    places = {content.text: f"{PLACE}/{content.key}/{content.path}" for content in remotes if content.is_file}
    named = (*(file.path for file in options.value_files), *(value.path for value in options.set_file))
    if missing := [text for text in dict.fromkeys(named) if is_remote_file(text) and text not in places]:
        needs = tuple(RemoteNeed(text) for text in missing)
        raise RemotesNeeded(needs, BuildFailed(f"{missing[0]} is no file that can be fetched"))
    return structs.replace(
        options,
        value_files=tuple(
            HelmValueFile(places.get(file.path, file.path), file.optional, file.pattern) for file in options.value_files
        ),
        set_file=tuple(HelmFileValue(value.name, places.get(value.path, value.path)) for value in options.set_file),
    )
