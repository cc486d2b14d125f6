"""Sets of fields, as `managedFields` tells them (FieldsV1), and the part of an object that lies in such a set.

The semantics are structured-merge-diff's (`fieldpath.Set`): a set holds *paths*; a path's elements are `f:<field>`,
`k:<keys of a map-list's item, JSON>`, `v:<item of a set, JSON>` and `i:<index>`. A set is kept in the wire's own shape, a
tree of mappings in which `{}` is a member without children and `"."` marks a member that has some. Who owns what after
a write is `embedded.merge`'s work; what a difference means is `sync`'s.

Format: https://kubernetes.io/docs/reference/using-api/server-side-apply/ and k8s.io/api `FieldsV1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from sys import intern
from typing import Any, Final, TypeAlias, cast

import msgspec

from trueup.model.manifest import Manifest, metadata_of

Element: TypeAlias = str
"""One step of a path in its wire form: `f:spec`, `k:{"name":"web"}`, `v:"a"`, `i:0`."""

FieldTree: TypeAlias = dict[Element, Any]
"""The inner form of a set; shared between sets, so never changed in place."""

SELF: Final = "."
_MISSING: Final = object()


class FieldSet:
    """An immutable set of field paths. Equal sets are equal and hash alike whatever the order of their wire form."""

    __slots__ = ("_cutter", "_hash", "_tree")

    def __init__(self, tree: FieldTree) -> None:
        """`tree` must be canonical: made by `from_fields_v1` or by the tree functions of this module."""
        self._tree = tree
        self._cutter: _Cutter | None = None
        self._hash: int | None = None

    @staticmethod
    def from_fields_v1(mapping: Mapping[str, Any]) -> FieldSet:
        """Reads a `fieldsV1` mapping. Raises ValueError for an element that is none of the five forms."""
        tree = _read_tree(mapping)
        tree.pop(SELF, None)
        return FieldSet(tree)

    @staticmethod
    def of_paths(paths: Iterable[Sequence[Element]]) -> FieldSet:
        """The set of exactly these paths."""
        tree: FieldTree = {}
        for path in paths:
            tree = union_trees(tree, _tree_of_path(path), root=True)
        return FieldSet(tree)

    def to_fields_v1(self) -> dict[str, Any]:
        """The wire form, with elements in order; a fresh mapping that the caller may change."""
        return _write_tree(self._tree)

    @property
    def tree(self) -> FieldTree:
        """The inner form, to be read only: what `embedded.merge` walks beside a value."""
        return self._tree

    @property
    def is_empty(self) -> bool:
        return not self._tree

    def union(self, other: FieldSet) -> FieldSet:
        if not self._tree or other is self:
            return other
        return FieldSet(union_trees(self._tree, other._tree, root=True)) if other._tree else self

    def difference(self, other: FieldSet) -> FieldSet:
        """The paths of this set that are not in the other. Paths below the other's members stay."""
        if not self._tree or not other._tree:
            return self
        return FieldSet(difference_trees(self._tree, other._tree, root=True) or {})

    def recursive_difference(self, other: FieldSet) -> FieldSet:
        """As `difference`, and everything below a member of the other goes too."""
        if not self._tree or not other._tree:
            return self
        return FieldSet(recursive_difference_trees(self._tree, other._tree, root=True) or {})

    def intersection(self, other: FieldSet) -> FieldSet:
        if not self._tree or not other._tree:
            return EMPTY
        return FieldSet(intersect_trees(self._tree, other._tree, root=True) or {})

    def paths(self) -> Iterator[tuple[Element, ...]]:
        """Every path of the set, parents before their children, in a fixed order."""
        return _paths(self._tree, (), leaves_only=False)

    def leaves(self) -> Iterator[tuple[Element, ...]]:
        """The paths with nothing below them in the set."""
        return _paths(self._tree, (), leaves_only=True)

    def contains(self, path: Sequence[Element]) -> bool:
        """True when exactly this path is a member."""
        node = self.below(path)
        return bool(path) and node is not None and is_member(node)

    def below(self, path: Sequence[Element]) -> FieldTree | None:
        """The tree under a path, or None when the set holds nothing at or below it."""
        node = self._tree
        for element in path:
            found = node.get(element)
            if found is None:
                return None
            node = found
        return node

    def __contains__(self, path: object) -> bool:
        return isinstance(path, tuple) and self.contains(path)

    def __or__(self, other: FieldSet) -> FieldSet:
        return self.union(other)

    def __sub__(self, other: FieldSet) -> FieldSet:
        return self.difference(other)

    def __and__(self, other: FieldSet) -> FieldSet:
        return self.intersection(other)

    def __bool__(self) -> bool:
        return bool(self._tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self._tree == other._tree

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self.paths()))
        return self._hash

    def __repr__(self) -> str:
        return f"FieldSet({', '.join(format_path(path) for path in self.paths())})"

    @property
    def cutter(self) -> _Cutter:
        if self._cutter is None:
            self._cutter = _Cutter(self._tree, root=True)
        return self._cutter


EMPTY: Final = FieldSet({})


# --- trees --------------------------------------------------------------------------------------------------------


def is_member(node: FieldTree) -> bool:
    """Whether the path that leads to this node is itself in the set."""
    return not node or SELF in node


def union_trees(a: FieldTree, b: FieldTree, *, root: bool = False) -> FieldTree:
    if not a and not b:
        return a
    out = dict(a)
    for element, theirs in b.items():
        ours = out.get(element)
        out[element] = theirs if ours is None or ours is theirs else union_trees(ours, theirs)
    if not root and (not a or not b):
        out[SELF] = {}
    return out


def difference_trees(a: FieldTree, b: FieldTree, *, root: bool = False) -> FieldTree | None:
    """None: nothing is left."""
    out: FieldTree = {}
    for element, ours in a.items():
        theirs = b.get(element)
        if theirs is None:
            if element != SELF:
                out[element] = ours
        elif element != SELF and ours != theirs and (left := difference_trees(ours, theirs)) is not None:
            out[element] = left
    return _with_membership(out, not root and is_member(a) and not is_member(b), root)


def recursive_difference_trees(a: FieldTree, b: FieldTree, *, root: bool = False) -> FieldTree | None:
    """None: nothing is left."""
    if not root and is_member(b):
        return None
    out: FieldTree = {}
    for element, ours in a.items():
        theirs = b.get(element)
        if theirs is None:
            if element != SELF:
                out[element] = ours
        elif (left := recursive_difference_trees(ours, theirs)) is not None:
            out[element] = left
    return _with_membership(out, not root and is_member(a), root)


def intersect_trees(a: FieldTree, b: FieldTree, *, root: bool = False) -> FieldTree | None:
    """None: nothing is in both."""
    out: FieldTree = {}
    for element, ours in a.items():
        if element == SELF:
            continue
        theirs = b.get(element)
        if theirs is not None and (both := intersect_trees(ours, theirs)) is not None:
            out[element] = both
    return _with_membership(out, not root and is_member(a) and is_member(b), root)


def _with_membership(children: FieldTree, member: bool, root: bool) -> FieldTree | None:
    if not children:
        return {} if member or root else None
    if member:
        children[SELF] = {}
    return children


def _tree_of_path(path: Sequence[Element]) -> FieldTree:
    node: FieldTree = {}
    for element in reversed(path):
        node = {canonical_element(element): node}
    return node


def _read_tree(mapping: Mapping[str, Any]) -> FieldTree:
    out: FieldTree = {}
    for element, below in mapping.items():
        if not isinstance(below, dict):
            raise ValueError(f"fieldsV1: {element!r} must hold a mapping, found {type(below).__name__}")
        out[canonical_element(element)] = _read_tree(below)
    if len(out) == 1 and SELF in out:
        return {}
    return out


def _write_tree(node: FieldTree) -> dict[str, Any]:
    return {element: _write_tree(node[element]) for element in sorted(node)}


def _paths(node: FieldTree, prefix: tuple[Element, ...], *, leaves_only: bool) -> Iterator[tuple[Element, ...]]:
    for element in sorted(node):
        if element == SELF:
            continue
        below, path = node[element], (*prefix, element)
        if not below or (SELF in below and not leaves_only):
            yield path
        yield from _paths(below, path, leaves_only=leaves_only)


# --- path elements ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def canonical_element(element: Element) -> Element:
    """The one spelling of a path element: JSON compact, keys in order. Raises ValueError when it is none."""
    if element.startswith("f:") or element == SELF:
        return intern(element)
    form, _, text = element.partition(":")
    try:
        if form == "k":
            keys = msgspec.json.decode(text, type=dict[str, Any])
            return intern("k:" + to_json(keys))
        if form == "v":
            return intern("v:" + to_json(msgspec.json.decode(text)))
        if form == "i":
            return intern(f"i:{int(text)}")
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"fieldsV1: {element!r} is not a path element: {error}") from error
    raise ValueError(f'fieldsV1: {element!r} is not a path element; expected "f:", "k:", "v:", "i:" or "."')


def field_element(name: str) -> Element:
    return f"f:{name}"


def key_element(keys: Mapping[str, Any]) -> Element:
    """`{"name": "web"}` -> `k:{"name":"web"}`."""
    return "k:" + to_json(keys)


def value_element(value: Any) -> Element:
    return "v:" + to_json(value)


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


_MARKS: Final = re.compile("[<>&\u2028\u2029]")
_ESCAPED: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def to_json(value: Any) -> str:
    """Compact, keys in order, and with the marks escaped that Go's encoder escapes: what the API server writes."""
    text = _ENCODER.encode(value).decode()
    return text.translate(_ESCAPED) if _MARKS.search(text) else text


@lru_cache(maxsize=65536)
def key_values(element: Element) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """`k:{"name":"web"}` -> `(("name",), ("web",))`, in the order of the names."""
    keys = msgspec.json.decode(element[2:], type=dict[str, Any])
    names = tuple(sorted(keys))
    return names, tuple(keys[name] for name in names)


def format_path(elements: Sequence[Element]) -> str:
    """For people: `spec.template.spec.containers[name=web].image`, `metadata.annotations[example.com/a]`."""
    out: list[str] = []
    for element in elements:
        form, _, text = element.partition(":")
        if form == "f" and not any(mark in text for mark in "./[]"):
            out.append(f".{text}")
        elif form == "k":
            names, values = key_values(element)
            pairs = zip(names, values, strict=True)
            out.append("[" + ",".join(f"{name}={_plain(value)}" for name, value in pairs) + "]")
        elif form == "v":
            out.append(f"[={_plain(msgspec.json.decode(text))}]")
        elif element != SELF:
            out.append(f"[{text}]")
    return "".join(out).removeprefix(".")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _ENCODER.encode(value).decode()


# --- cutting ------------------------------------------------------------------------------------------------------


def cut(obj: Mapping[str, Any], fields: FieldSet, *, others: FieldSet | None = None) -> Manifest:
    """The part of an object that lies in the set; what is missing in the object is missing in the cut.

    Maps keep the named fields, map-lists the named items (with their keys, in the order of the keys, whatever the order in
    the object), sets the named values. A leaf gives its whole value. Only with `others`, the fields of all other
    managers, can a leaf that is an empty map or list which others filled be told from an atomic one: theirs are left out.
    The values are shared with `obj`; treat both as immutable.
    """
    found = fields.cutter.cut(obj, others.tree if others is not None else None)
    return {} if found is _MISSING else cast(Manifest, found)


class _Cutter:
    """A set prepared for cutting: names and keys parsed once, so that 4,000 objects of one shape pay for it once each."""

    __slots__ = ("fields", "indexes", "keyed", "member", "values", "whole")

    def __init__(self, node: FieldTree, *, root: bool = False) -> None:
        self.whole = not node and not root
        self.member = root or is_member(node)
        fields: list[tuple[Element, str, _Cutter]] = []
        keyed: dict[tuple[str, ...], list[tuple[Element, tuple[Any, ...], _Cutter]]] = {}
        values: list[tuple[Element, Any]] = []
        indexes: list[tuple[Element, int, _Cutter]] = []
        for element in sorted(node):
            match element[:2]:
                case "f:":
                    fields.append((element, intern(element[2:]), _cutter(node[element])))
                case "k:":
                    names, wanted = key_values(element)
                    keyed.setdefault(names, []).append((element, wanted, _cutter(node[element])))
                case "v:":
                    values.append((element, msgspec.json.decode(element[2:])))
                case "i:":
                    indexes.append((element, int(element[2:]), _cutter(node[element])))
        self.fields, self.values = tuple(fields), tuple(values)
        self.keyed = tuple((names, tuple(items)) for names, items in keyed.items())
        self.indexes = tuple(sorted(indexes, key=lambda item: item[1]))

    def cut(self, value: Any, others: FieldTree | None) -> Any:
        if self.whole:
            return _without(value, others) if others else value
        if isinstance(value, dict):
            out: dict[str, Any] = {}
            for element, name, cutter in self.fields:
                if name not in value:
                    continue
                below = value[name]
                if not (cutter.whole and others is None):
                    below = cutter.cut(below, others.get(element) if others else None)
                if below is not _MISSING:
                    out[name] = below
            return out if out or self.member else _MISSING
        if isinstance(value, list):
            return self._cut_list(value, others)
        # Another type stands where the set names fields below: it shows itself, so that the difference is seen.
        return _MISSING if value is None and not self.member else value

    def _cut_list(self, value: list[Any], others: FieldTree | None) -> Any:
        out: list[Any] = []
        for names, wanted_items in self.keyed:
            live = {_identity(item, names): item for item in value if isinstance(item, dict)}
            for element, wanted, cutter in wanted_items:
                item = live.get(_hashable(wanted))
                if item is None:
                    continue
                below = cutter.cut(item, others.get(element) if others else None)
                if below is _MISSING or (isinstance(below, dict) and below is not item):
                    keys: dict[str, Any] = dict(zip(names, wanted, strict=True))
                    below = {**keys, **below} if isinstance(below, dict) else keys
                out.append(below)
        out.extend(wanted for _, wanted in self.values if _holds(value, wanted))
        for element, index, cutter in self.indexes:
            if index < len(value):
                below = cutter.cut(value[index], others.get(element) if others else None)
                if below is not _MISSING:
                    out.append(below)
        return out if out or self.member else _MISSING


_LEAF: Final = _Cutter({})


def _cutter(node: FieldTree) -> _Cutter:
    return _Cutter(node) if node else _LEAF


def _identity(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return _hashable(tuple(item.get(name) for name in names))


def _hashable(values: tuple[Any, ...]) -> Any:
    """Key values are scalars; True must not meet 1."""
    return tuple((value, value is True or value is False) if value.__hash__ else to_json(value) for value in values)


def _holds(items: list[Any], wanted: Any) -> bool:
    return any(item == wanted and isinstance(item, bool) == isinstance(wanted, bool) for item in items)


def _without(value: Any, others: FieldTree) -> Any:
    """A leaf's value less the children that other managers own, which only a granular map or list can have."""
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if f"f:{name}" not in others}
    if isinstance(value, list) and len(others) > (SELF in others):
        keyed = [key_values(element) for element in others if element.startswith("k:")]
        return [item for item in value if not _is_theirs(item, keyed, others)]
    return value


def _is_theirs(item: Any, keyed: list[tuple[tuple[str, ...], tuple[Any, ...]]], others: FieldTree) -> bool:
    if isinstance(item, dict):
        return any(_identity(item, names) == _hashable(values) for names, values in keyed)
    return value_element(item) in others


# --- managedFields ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ManagedEntry:
    """One row of `metadata.managedFields`. `operation` is `Apply` or `Update`; `time` is RFC 3339 text, or empty."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields_v1: Mapping[str, Any]
    fields_type: str = "FieldsV1"

    @cached_property
    def fields(self) -> FieldSet:
        """Parsed when first asked for."""
        return FieldSet.from_fields_v1(self.fields_v1)


def managed_entries(obj: Mapping[str, Any]) -> list[ManagedEntry]:
    """The rows of an object's `metadata.managedFields`; none when it has none."""
    rows = metadata_of(obj).get("managedFields")
    if not isinstance(rows, list):
        return []
    return [
        ManagedEntry(
            manager=str(row.get("manager") or ""),
            operation=str(row.get("operation") or ""),
            api_version=str(row.get("apiVersion") or ""),
            subresource=str(row.get("subresource") or ""),
            time=str(row.get("time") or ""),
            fields_v1=row.get("fieldsV1") or {},
            fields_type=str(row.get("fieldsType") or ""),
        )
        for row in rows
        if isinstance(row, dict)
    ]
