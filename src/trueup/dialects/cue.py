"""CUE for Apps of both dialects: neither Flux nor Argo CD renders it, so annotations of our own ask for it.

Nothing is detected: a path with .cue files is what it always was until its App says `trueup.dev/render: cue`.
"""

from __future__ import annotations

from trueup.dialects.reading import OWN_ANNOTATIONS
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of
from trueup.model.refs import ObjectRef
from trueup.model.rendering import CueOptions

RENDER = f"{OWN_ANNOTATIONS}render"
PACKAGE = f"{OWN_ANNOTATIONS}cue-package"
EXPRESSIONS = f"{OWN_ANNOTATIONS}cue-expressions"
TAGS = f"{OWN_ANNOTATIONS}cue-tags"
CUE = "cue"


def cue_of(obj: Manifest, ref: ObjectRef) -> CueOptions | None:
    """None: the App does not ask for CUE. Raises InvalidInput for another tool, and for options without it."""
    annotations = annotations_of(obj)
    tool = annotations.get(RENDER)
    if tool is None:
        for name in (PACKAGE, EXPRESSIONS, TAGS):
            if name in annotations:
                raise InvalidInput(
                    f"{name} is for Apps that are rendered by CUE",
                    ref=ref,
                    field=f"metadata.annotations[{name}]",
                    hint=f"add {RENDER}: {CUE}, or remove it",
                )
        return None
    if tool != CUE:
        raise InvalidInput(
            f"{tool!r} is no tool to render with",
            ref=ref,
            field=f"metadata.annotations[{RENDER}]",
            hint=f'write "{CUE}"; everything else is found by the files of the path, or named in the spec',
        )
    return CueOptions(
        package=annotations.get(PACKAGE) or "",
        expressions=_lines(annotations.get(EXPRESSIONS)),
        tags=_lines(annotations.get(TAGS)),
    )


def refuse_with_cue(ref: ObjectRef, fields: dict[str, bool]) -> None:
    """Raises InvalidInput for fields that change what another tool builds: CUE does that itself."""
    if named := [name for name, is_set in fields.items() if is_set]:
        raise InvalidInput(
            f"{', '.join(named)} cannot be used with {RENDER}: {CUE}",
            ref=ref,
            field=named[0],
            hint="say it in CUE; tags and expressions bring in what differs between Apps",
        )


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())
