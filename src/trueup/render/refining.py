"""What only the Snapshot can settle of a spec: files in Git that override it, and texts that name the revision.

A dialect says which files these are and reads the spec anew with what they hold (`Refine`); the looks for them are inputs
like any other, so that a file which appears concerns the App.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.rendering import REVISION_MARKS, RenderSpec
from trueup.model.revision import Revision
from trueup.model.snapshot import Input, InputKind, Snapshot
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import Recorder
from trueup.render.requests import request_parsed

Refine: TypeAlias = Callable[[bytes, tuple[tuple[str, dict[str, Any]], ...]], RenderSpec]
"""From what a spec carries (`overrides`) and the files found, each with its path: the spec to render."""

LARGEST = 1 << 20
_SHORT, _SHORTER = 8, 7


async def settled(
    snapshot: Snapshot, spec: RenderSpec, engines: EnginePool, refine: Refine | None
) -> tuple[RenderSpec, frozenset[Input]]:
    """The spec that is rendered, and the looks that it took to know it. Raises BuildFailed and what `refine` raises."""
    looks: frozenset[Input] = frozenset()
    if spec.override_files:
        recorder = Recorder(snapshot)
        found = await _read(recorder, spec.override_files, engines)
        looks = frozenset(recorder.inputs().items)
        if found and refine is None:
            raise BuildFailed(f"{found[0][0]} overrides parameters, which cannot be carried out here")
        if found and refine is not None:
            spec = refine(spec.overrides, found)
        spec = msgspec.structs.replace(spec, overrides=b"", override_files=())
    if spec.revision_marks:
        looks |= {Input(InputKind.REVISION, "", str(snapshot.revision))}
        spec = with_revision(spec, snapshot.revision)
    return spec, looks


async def _read(
    recorder: Recorder, names: tuple[str, ...], engines: EnginePool
) -> tuple[tuple[str, dict[str, Any]], ...]:
    texts: list[tuple[str, str]] = []
    for name in names:
        at = recorder.look(name)
        if not at.is_file or at.entry is None:
            continue
        if at.entry.size > LARGEST:
            raise BuildFailed(f"the file has more than {LARGEST} bytes", origin=Origin(name))
        texts.append((name, recorder.snapshot.read(at.path).decode(errors="replace")))
    if not texts:
        return ()
    parsed = await engines.use(lambda engine: request_parsed(engine, [text for _, text in texts]))
    found: list[tuple[str, dict[str, Any]]] = []
    for (name, _), one in zip(texts, parsed, strict=True):
        if one.error is not None:
            raise BuildFailed(f"cannot be read: {one.error.message}", origin=Origin(name, one.error.line))
        value = msgspec.json.decode(one.object)
        if not isinstance(value, dict):
            raise BuildFailed("must be a mapping, as a source of an Application is", origin=Origin(name))
        found.append((name, value))
    return tuple(found)


def with_revision(spec: RenderSpec, revision: Revision) -> RenderSpec:
    """The spec with its marks filled in."""
    text = msgspec.json.encode(spec).decode()
    value = revision.digest or revision.name
    lengths = {"": len(value), "_SHORT": _SHORTER, "_SHORT_8": _SHORT}
    for name, mark in REVISION_MARKS.items():
        quoted = msgspec.json.encode(value[: lengths[name]]).decode()[1:-1]
        text = text.replace(mark, quoted)
    filled = msgspec.json.decode(text.encode(), type=RenderSpec)
    return msgspec.structs.replace(filled, revision_marks=False)
