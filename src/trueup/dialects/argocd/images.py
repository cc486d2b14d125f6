"""Kustomize's text form of an image override, as Argo CD's `kustomize.images` holds it: `[old=]new[:tag][@digest]`.

A name or tag `*` is what the kustomization file says of the image already; the engine, which reads that, puts it in.
"""

from __future__ import annotations

import re

from trueup.model.rendering import ImageOverride

_TAGGED = re.compile(r"^(?P<name>.*):(?P<tag>[A-Za-z0-9._\ue000-]+|\*)$")


def parse_image(text: str) -> ImageOverride | None:
    """None where the text is not of that form. Without `old=`, a tag or digest must be given, for nothing else would change."""
    old, equals, new = text.strip().partition("=")
    place = new if equals else old
    place, at, digest = place.partition("@")
    if at and (not digest or "@" in digest):
        return None
    name, tag = place, ""
    if match := _TAGGED.match(place):
        name, tag = match["name"], match["tag"]
    if equals:
        if not old or not (name or tag or digest):
            return None
        return ImageOverride(name=old, new_name=name, new_tag=tag, digest=digest)
    if not name or not (tag or digest):
        return None
    return ImageOverride(name=name, new_tag=tag, digest=digest)
