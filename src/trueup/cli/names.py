"""What a person typed for an App or a source, and which resource that means. Pure.

`web`, `shop/web` (namespace), `ks/web` (kind), `ks/shop/web`, and `Kustomization/shop/web`, the text of every log line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind, ObjectRef

KindWords = Mapping[str, frozenset[GroupKind]]
"""Every word by which a kind may be called, in lower case."""


class Selector(Struct, frozen=True):
    """One reading of a text; an empty `kinds` or `namespace` matches any."""

    kinds: frozenset[GroupKind]
    namespace: str
    name: str

    def matches(self, ref: ObjectRef) -> bool:
        return (
            ref.name == self.name
            and (not self.kinds or ref.group_kind in self.kinds)
            and (not self.namespace or ref.namespace == self.namespace)
        )


def read_selectors(text: str, words: KindWords) -> tuple[Selector, ...]:
    """The readings of a text, the likelier first. Raises InvalidInput for what cannot be a name."""
    parts = text.split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidInput(f"{text!r} is not a name", hint="write NAME, NAMESPACE/NAME or kind/name, such as ks/web")
    *before, name = parts
    if not before:
        return (Selector(frozenset(), "", name),)
    kinds = words.get(before[0].lower())
    if len(before) == 2:
        if kinds is None:
            raise InvalidInput(
                f"{text!r}: there is no kind {before[0]!r}", hint=f"kinds are {', '.join(sorted(words))}"
            )
        return (Selector(kinds, before[1], name),)
    by_namespace = Selector(frozenset(), before[0], name)
    return (by_namespace,) if kinds is None else (Selector(kinds, "", name), by_namespace)


def choose(text: str, selectors: Sequence[Selector], refs: Iterable[ObjectRef]) -> ObjectRef | None:
    """The one resource that is meant; None when there is none. Raises InvalidInput when several are."""
    known = sorted(set(refs))
    for selector in selectors:
        found = [ref for ref in known if selector.matches(ref)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(ref) for ref in found)
            raise InvalidInput(f"{text!r} is the name of {len(found)} resources: {names}", hint=f"write {found[0]}")
    return None


def not_found(text: str, selectors: Sequence[Selector], refs: Iterable[ObjectRef], *, what: str) -> InvalidInput:
    """The error for a name that is nobody's, with the nearest names that are somebody's."""
    known = sorted(set(refs))
    if not known:
        return InvalidInput(f"there is no {what} {text!r}; there are none at all", hint="trueup create --help")
    name = selectors[0].name
    same = [ref for ref in known if ref.name == name]
    near = difflib.get_close_matches(name, sorted({ref.name for ref in known}), 3, 0.6)
    close = same or [ref for ref in known if ref.name in near]
    hint = f"did you mean {' or '.join(str(ref) for ref in close[:3])}?" if close else "`trueup get all` lists them"
    return InvalidInput(f"there is no {what} {text!r}", hint=hint)
