"""YAML as Go's reader has it: the first document of a body, as JSON.

Values, keys and tags are resolved by the rules of go-yaml 2, on libyaml's events: `y` is true, `0o12` a number, an unknown
tag a text; aliases and merge keys are followed, within the bounds of that reader and one more, on memory. Further
documents are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from trueup.embedded.api.jsonbody import Document, as_written, go_text
from trueup.embedded.gowords import go_json_number, go_key, go_literal

MEMORY = 16 * 1024 * 1024
"""Bytes of text that aliases may write once more."""
_PREFIX = "tag:yaml.org,2002:"
_STR, _BINARY, _NULL, _BOOL, _INT, _FLOAT, _MERGE = (
    _PREFIX + name for name in ("str", "binary", "null", "bool", "int", "float", "merge")
)
_RESOLVED = frozenset({"", _STR, _BOOL, _INT, _FLOAT, _NULL, f"{_PREFIX}timestamp"})
_WORDS: dict[str, Any] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT64 = 1 << 63


class NotYaml(Exception):
    """The message is Go's."""


class YamlDocument(Document, frozen=True):
    """`twice` are the keys that stand twice in one map: `line 3: key "a" already set in map`."""

    twice: tuple[str, ...] = ()


class _Node:
    """What stands in the text: a scalar, a list of nodes, a map as keys and values in turn, or an alias."""

    __slots__ = ("children", "implicit", "line", "tag", "target", "value")

    def __init__(self, line: int, value: str = "", tag: str = "", *, implicit: bool = False) -> None:
        self.line = line
        self.value = value
        self.tag = tag
        self.implicit = implicit
        self.children: list[_Node] | None = None
        self.target: _Node | None = None

    @property
    def is_map(self) -> bool:
        return self.children is not None and self.value == "{"

    @property
    def is_merge(self) -> bool:
        return self.children is None and self.value == "<<" and (self.implicit or self.tag == _MERGE)


def read_yaml(raw: bytes) -> YamlDocument:
    """Raises NotYaml."""
    try:
        root = _composed(yaml.parse(raw, Loader=yaml.CSafeLoader))
        reader = _Reader()
        value = reader.read(root) if root is not None else None
        return YamlDocument(_as_json(value, reader.literals), reader.literals, twice=tuple(reader.twice))
    except yaml.MarkedYAMLError as error:
        raise NotYaml(f"yaml: {_problem(error)}") from error
    except yaml.reader.ReaderError as error:
        raise NotYaml(f"yaml: {error.reason}") from error
    except RecursionError as error:
        raise NotYaml("yaml: exceeded max depth of 10000") from error


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The problem with its line; the first line is not told, and scanners count from one."""
    problem = error.problem_mark.line if error.problem_mark is not None else 0
    context = error.context_mark.line if error.context_mark is not None else 0
    line = problem or context
    if problem and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"line {line}: {error.problem}" if line else str(error.problem)


def _composed(events: Iterator[yaml.Event]) -> _Node | None:
    """The first document; None when there is none."""
    anchors: dict[str, _Node] = {}
    root = _Node(0)
    root.children = []
    open_nodes = [root]
    for event in events:
        line = event.start_mark.line if event.start_mark is not None else 0
        match event:
            case yaml.DocumentStartEvent(version=version) if version and tuple(version) != (1, 1):
                raise NotYaml("yaml: found incompatible YAML document")
            case yaml.DocumentEndEvent() | yaml.StreamEndEvent():
                break
            case yaml.AliasEvent(anchor=name):
                node = _Node(line, str(name))
                if name not in anchors:
                    raise NotYaml(f"yaml: unknown anchor '{name}' referenced")
                node.target = anchors[name]
            case yaml.ScalarEvent():
                node = _Node(line, event.value, event.tag or "", implicit=event.implicit[0])
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                node = _Node(line, "{" if isinstance(event, yaml.MappingStartEvent) else "[", event.tag or "")
                node.children = []
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                open_nodes.pop()
                continue
            case _:
                continue
        _child_of(open_nodes[-1]).append(node)
        if not isinstance(event, yaml.AliasEvent) and event.anchor:
            anchors[event.anchor] = node
        if node.children is not None:
            open_nodes.append(node)
    return root.children[0] if root.children else None


def _child_of(node: _Node) -> list[_Node]:
    assert node.children is not None
    return node.children


class _Reader:
    """Values of nodes. Maps keep the keys that Go's reader gives them, until `_as_json`."""

    def __init__(self) -> None:
        self.twice: list[str] = []
        self.literals: dict[float, str] = {}
        self._inside: set[int] = set()
        self._depth = self._all = self._repeated = self._text = 0

    def read(self, node: _Node) -> Any:
        self._count(node)
        if node.target is not None:
            return self._alias(node, node.target)
        if node.children is None:
            return _scalar(node)
        if not node.is_map:
            return [self.read(child) for child in node.children]
        found: dict[Any, Any] = {}
        self._fill(node, found)
        return found

    def _count(self, node: _Node) -> None:
        self._all += 1
        if not self._depth:
            return
        self._repeated += 1
        self._text += len(node.value)
        much = self._repeated > 100 and self._all > 1000 and self._repeated / self._all > _allowed(self._all)
        if much or self._text > MEMORY:
            raise NotYaml("yaml: document contains excessive aliasing")

    def _alias(self, node: _Node, target: _Node) -> Any:
        with self._followed(node):
            return self.read(target)

    def _followed(self, node: _Node) -> _Followed:
        if id(node) in self._inside:
            raise NotYaml(f"yaml: anchor '{node.value}' value contains itself")
        return _Followed(self, node)

    def enter(self, node: _Node) -> None:
        self._inside.add(id(node))
        self._depth += 1

    def leave(self, node: _Node) -> None:
        self._inside.discard(id(node))
        self._depth -= 1

    def _fill(self, node: _Node, found: dict[Any, Any]) -> None:
        children = _child_of(node)
        for key_node, value_node in zip(children[::2], children[1::2], strict=True):
            if key_node.is_merge:
                self._merge(value_node, found)
                continue
            key = self.read(key_node)
            if isinstance(key, dict | list):
                raise NotYaml(f"yaml: invalid map key: {go_literal(_plain(key), key='interface {}')}")
            value = self.read(value_node)
            own = (type(key), key)
            if own in found:
                self.twice.append(f"line {value_node.line + 1}: key {go_key(key)} already set in map")
            found[own] = value

    def _merge(self, node: _Node, found: dict[Any, Any]) -> None:
        """What `<<` brings: a map, or a list of them of which the first count most."""
        if node.target is not None:
            if not node.target.is_map:
                _refuse_merge()
            with self._followed(node):
                self._fill(node.target, found)
        elif node.is_map:
            self._fill(node, found)
        elif node.children is not None and not node.is_map:
            for child in reversed(node.children):
                if not (child.target or child).is_map:
                    _refuse_merge()
                self._merge(child, found)
        else:
            _refuse_merge()


class _Followed:
    """While an alias is read."""

    def __init__(self, reader: _Reader, node: _Node) -> None:
        self._reader = reader
        self._node = node

    def __enter__(self) -> None:
        self._reader.enter(self._node)

    def __exit__(self, *_: object) -> None:
        self._reader.leave(self._node)


def _refuse_merge() -> NoReturn:
    raise NotYaml("yaml: map merge requires map or sequence of maps as the value")


def _allowed(count: int) -> float:
    """How large a part of what is read aliases may be: nearly all of a small document, a tenth of a large one."""
    if count <= 400_000:
        return 0.99
    return 0.10 if count >= 4_000_000 else 0.99 - 0.89 * (count - 400_000) / 3_600_000


def _scalar(node: _Node) -> Any:
    if not node.tag and not node.implicit:
        return node.value
    if node.tag == _BINARY:
        try:
            return go_text(base64.b64decode(node.value, validate=True))
        except (binascii.Error, ValueError):
            raise NotYaml("yaml: !!binary value contains invalid base64 data") from None
    if node.tag not in _RESOLVED or node.tag == _STR:
        return node.value
    value = _resolved(node.value)
    found = _tag_of(value)
    if node.tag == _FLOAT and found == _INT:
        return float(value)
    if node.tag in ("", found) or node.tag.endswith("timestamp"):
        return value
    short = node.tag.replace(_PREFIX, "!!")
    raise NotYaml(f"yaml: cannot decode {found.replace(_PREFIX, '!!')} `{node.value}` as a {short}")


def _resolved(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if found := _INTEGER.fullmatch(plain):
        sign, *digits = found.groups()
        base, number = next((base, each) for base, each in zip((16, 2, 8, 10), digits, strict=True) if each)
        value = int(sign + number, base) if len(number) < 80 else _INT64 * 4
        if -_INT64 <= value < 2 * _INT64 and not (sign == "+" and value >= _INT64):
            return value
    if _NUMBER.fullmatch(plain) and math.isfinite(number := float(plain)):
        return number
    return text


def _tag_of(value: Any) -> str:
    kinds = {bool: _BOOL, int: _INT, float: _FLOAT, str: _STR}
    return kinds.get(type(value), _NULL)


def _as_json(value: Any, literals: dict[float, str]) -> Any:
    """With the keys and numbers that the value has once it was written as JSON and read again."""
    if isinstance(value, list):
        return [_as_json(item, literals) for item in value]
    if isinstance(value, dict):
        made = {_json_key(key, item): _as_json(item, literals) for (_, key), item in value.items()}
        return {key: made[key] for key in sorted(made, key=str.encode)}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise NotYaml(f"json: unsupported value: {'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'}")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(go_json_number(value))
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    literals.setdefault(float(value), go_json_number(value))
    return as_written(float(value))


def _json_key(key: Any, value: Any) -> str:
    match key:
        case bool():
            return "true" if key else "false"
        case str():
            return key
        case int() if key < _INT64:
            return str(key)
        case float():
            return {math.inf: ".inf", -math.inf: "-.inf"}.get(key) or (".nan" if math.isnan(key) else f"{key:.8g}")
    kind, shown = ("%!s(<nil>)", "<nil>") if key is None else ("uint64", f"{key:#x}")
    said = go_literal(_plain(value), key="interface {}")
    raise NotYaml(f"unsupported map key of type: {kind}, key: {shown}, value: {said}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for (_, key), item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
