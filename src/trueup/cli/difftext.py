"""A difference as a person reads it: per object its fields with both values, line by line where values have lines. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from rich.text import Text

from trueup.cli.yamltext import dump
from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.canonical import MASK, Masking, masked, masking_of
from trueup.sync.fielddiff import HIDDEN

_SIGNS = {
    Action.CREATED: ("+", "green"),
    Action.CONFIGURED: ("~", "cyan"),
    Action.PRUNED: ("-", "red"),
    Action.RECREATED: ("±", "yellow"),
    Action.FAILED: ("!", "red"),
    Action.SKIPPED: ("·", "dim"),
    Action.UNCHANGED: ("=", "dim"),
}
CONTEXT = 2
DIFFERENT = frozenset({Action.CREATED, Action.CONFIGURED, Action.PRUNED, Action.RECREATED})


def visible(manifest: Manifest, *, tainted: bool) -> Manifest:
    """A manifest as it may be shown: the values of Secrets, and whatever a Secret went through, are hidden."""
    masking = masking_of(manifest, tainted=tainted)
    if masking is Masking.NONE:
        return manifest
    hidden: Manifest = _hidden(masked(manifest, masking, b"shown to nobody"))
    return hidden


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hidden(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return HIDDEN if isinstance(value, str) and value.startswith(MASK) else value


def diff_lines(changes: Iterable[Change], desired: Mapping[ObjectRef, Manifest]) -> Iterator[Text]:
    """The whole difference. `desired` are the manifests (as they may be shown) of objects to be created."""
    for change in changes:
        if change.action is Action.UNCHANGED or (change.action is Action.SKIPPED and not change.fields):
            continue
        yield headline(change)
        yield from _body(change, desired.get(change.ref))


def headline(change: Change) -> Text:
    """`~ Deployment/shop/web  apps/web.yaml:1`."""
    sign, style = _SIGNS[change.action]
    text = Text(f"{sign} {change.ref}", style=f"bold {style}")
    if change.action is Action.PRUNED:
        text.append("  no longer in Git: it is deleted", style=style)
    if change.origin is not None:
        text.append(f"  {change.origin}", style="dim not bold")
    return text


def _body(change: Change, manifest: Manifest | None) -> Iterator[Text]:
    if change.message:
        style = "red" if change.action is Action.FAILED else "yellow"
        yield from (Text(f"    {line}", style=style) for line in change.message.splitlines())
    if change.action is Action.CREATED and manifest is not None:
        yield from (Text(f"    + {line}", style="green") for line in dump(manifest).splitlines())
        return
    for field in change.fields:
        yield Text(f"    {field.path}", style="bold")
        yield from _field(field)


def _field(field: FieldChange) -> Iterator[Text]:
    before, after = _value_lines(field.before), _value_lines(field.after)
    if HIDDEN in (*before, *after) and before == after:
        yield Text(f"      ~ {HIDDEN}", style="cyan")
        return
    if len(before) <= 1 or len(after) <= 1:
        yield from (Text(f"      - {line}", style="red") for line in before)
        yield from (Text(f"      + {line}", style="green") for line in after)
        return
    for line in list(difflib.unified_diff(before, after, n=CONTEXT, lineterm=""))[2:]:
        style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
        yield Text(f"      {line[:1]} {line[1:]}".rstrip() if line[:1] in "+- " else f"      {line}", style=style)


def _value_lines(text: str) -> list[str]:
    """A JSON text as the lines of its YAML; one that was cut short stays as it is."""
    if not text:
        return []
    if text == HIDDEN:
        return [HIDDEN]
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [text]
    if isinstance(value, str):
        return value.splitlines() or ['""']
    return dump(value).splitlines() if isinstance(value, (dict, list)) else [text]


def summary(changes: Iterable[Change]) -> str:
    """`2 to create, 1 to configure, 1 to prune; 12 unchanged`."""
    changes = list(changes)
    verbs = {
        Action.CREATED: "to create",
        Action.CONFIGURED: "to configure",
        Action.RECREATED: "to recreate",
        Action.PRUNED: "to prune",
        Action.FAILED: "refused",
    }
    counts = [
        f"{count} {verb}"
        for action, verb in verbs.items()
        if (count := sum(1 for change in changes if change.action is action))
    ]
    same = sum(1 for change in changes if change.action is Action.UNCHANGED)
    left = sum(1 for change in changes if change.action is Action.SKIPPED)
    rest = [f"{same} unchanged"] if same else []
    rest += [f"{left} left alone"] if left else []
    return "; ".join(part for part in (", ".join(counts) or "no differences", ", ".join(rest)) if part)
