"""Results in the forms that scripts read: JSON, YAML, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trueup.cli.console import out
from trueup.cli.options import Output
from trueup.cli.yamltext import dump
from trueup.model.manifest import Manifest, metadata_of
from trueup.model.refs import ObjectRef

NOISE = ("managedFields",)


def write(text: str) -> None:
    """Exactly this text on standard output: no markup, no wrapping, no colour."""
    out.out(text, end="" if text.endswith("\n") else "\n", highlight=False)


def as_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def write_json(value: Any) -> None:
    write(as_json(value))


def write_data(value: Any, form: Output) -> None:
    """Structs and plain values as JSON or YAML."""
    if form is Output.YAML:
        write(dump(msgspec.to_builtins(value)))
    else:
        write_json(value)


def write_objects(objects: Sequence[Manifest], form: Output, *, single: bool) -> None:
    """Resources as kubectl writes them: one as itself, several as a List; managedFields say nothing to people."""
    shown = [without_noise(obj) for obj in objects]
    value: Any = shown[0] if single and len(shown) == 1 else {"apiVersion": "v1", "kind": "List", "items": shown}
    write_data(value, form)


def write_names(refs: Iterable[ObjectRef]) -> None:
    """`Kustomization/shop/web`, one per line: what every command takes as a name."""
    for ref in refs:
        write(str(ref))


def without_noise(obj: Manifest) -> Manifest:
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in NOISE}
    return obj | {"metadata": metadata} if metadata else obj
