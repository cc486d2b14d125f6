"""Label and field selectors: parsed once, matched against manifests.

Grammar of labels: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
Field selectors know `=`, `==` and `!=` over the fields that a kind offers (`api.fieldlabels`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from trueup.embedded.api.names import label_key_problems, label_value_problems
from trueup.embedded.api.refusals import bad_request
from trueup.model.manifest import Manifest, labels_of

_TOKEN = re.compile(r"\s*(?:(!=|==|=|!|\(|\)|,|<|>)|([^\s!=(),<>]+))")

FieldReader: TypeAlias = Callable[[Manifest], str]


class Requirement(Struct, frozen=True):
    """One term. `operator` is one of in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values if value is not None else False
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            have, want = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return have > want if self.operator == "gt" else have < want


class LabelSelector(Struct, frozen=True):
    """All requirements must hold; none match everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        if not self.requirements:
            return True
        labels = labels_of(manifest)
        return all(requirement.matches(labels) for requirement in self.requirements)


class FieldSelector(Struct, frozen=True):
    """Terms of (path, wanted value, whether it must equal) with the reader of each path."""

    terms: tuple[tuple[str, str, bool], ...] = ()
    readers: tuple[FieldReader, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        return all(
            (reader(manifest) == value) is equal
            for (_, value, equal), reader in zip(self.terms, self.readers, strict=True)
        )


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise bad_request(f"unable to parse requirement: unexpected text at {text[position : position + 20]!r}")
        tokens.append(("sign", found[1]) if found[1] else ("word", found[2]))
        position = found.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> tuple[Requirement, ...]:
        requirements: list[Requirement] = []
        kind, text = self._peek()
        while kind != "end":
            if kind != "word" and text != "!":
                raise bad_request(f"found '{text}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self._requirement())
            except ValueError as error:
                raise bad_request(f"unable to parse requirement: {error}") from None
            kind, text = self._take()
            if kind == "end":
                break
            if text != ",":
                raise bad_request(f"found '{text}', expected: ',' or 'end of string'")
            kind, text = self._peek()
            if kind != "word" and text != "!":
                raise bad_request(f"found '{text}', expected: identifier after ','")
        return tuple(requirements)

    def _requirement(self) -> Requirement:
        """Raises ValueError with what is wrong."""
        kind, text = self._take()
        if text == "!" and kind == "sign":
            kind, key = self._take()
            return Requirement(self._key(kind, key), "!")
        key = self._key(kind, text)
        kind, text = self._peek()
        if kind == "end" or text == ",":
            return Requirement(key, "exists")
        self._take()
        match text:
            case "=" | "==":
                return Requirement(key, "in", self._checked(key, {self._value()}))
            case "!=":
                return Requirement(key, "notin", self._checked(key, {self._value()}))
            case "<" | ">":
                value = self._value()
                if not re.fullmatch(r"[+-]?[0-9]+", value):
                    detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise ValueError(f'values[0]: Invalid value: "{value}": {detail}')
                return Requirement(key, "gt" if text == ">" else "lt", frozenset({value}))
            case "in" | "notin":
                return Requirement(key, text, self._checked(key, self._values()))
            case _:
                raise ValueError(f"found '{text}', expected: in, notin, =, ==, !=, gt, lt")

    def _key(self, kind: str, key: str) -> str:
        if kind != "word":
            raise ValueError(f"found '{key}', expected: identifier")
        if problems := label_key_problems(key):
            said = "; ".join(problems).replace("a qualified name must", "a valid label key must")
            raise ValueError(f'<nil>: Invalid value: "{key}": {said}')
        return key

    def _value(self) -> str:
        kind, text = self._peek()
        if kind == "end" or text == ",":
            return ""
        self._take()
        if kind != "word":
            raise ValueError(f"found '{text}', expected: identifier")
        return text

    def _checked(self, key: str, values: set[str]) -> frozenset[str]:
        for index, value in enumerate(sorted(values)):
            if problems := label_value_problems(value):
                raise ValueError(f'values[{index}][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
        return frozenset(values)

    def _values(self) -> set[str]:
        """`(a, b)`; an empty place between commas is the empty value."""
        kind, text = self._take()
        if text != "(":
            raise ValueError(f"found '{text}' expected: '('")
        kind, text = self._peek()
        if kind != "word" and text not in (",", ")"):
            raise ValueError(f"found '{text}', expected: ',', ')' or identifier")
        values: set[str] = set()
        expect_word = True
        while True:
            kind, text = self._take()
            if text == ")" and kind == "sign":
                return values | {""} if expect_word else values
            if text == "," and kind == "sign":
                if expect_word:
                    values.add("")
                expect_word = True
            elif not expect_word:
                raise ValueError(f"found '{text}', expected: ',' or ')'")
            elif kind == "word":
                values.add(text)
                expect_word = False
            else:
                raise ValueError(f"found '{text}', expected: ',', or identifier")


def parse_labels(text: str) -> LabelSelector:
    """`app=web,tier in (a, b),!legacy`; raises 400 with the place."""
    return LabelSelector(_Parser(text).parse()) if text.strip() else LabelSelector()


def parse_fields(
    text: str, readers: Mapping[str, FieldReader], unknown: str = "field label not supported: {path}"
) -> FieldSelector:
    """`metadata.name=web,status.phase!=Failed` over the paths in `readers`; raises 400, saying `unknown`, for any other."""
    terms, chosen = [], []
    for term in filter(None, _split(text, ",")):
        found = re.fullmatch(r"((?:[^\\!=]|\\.|!(?!=))*)(!=|==|=)(.*)", term, re.DOTALL)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        path, sign, value = found.groups()
        value = _unescaped(value)
        if (reader := readers.get(path)) is None:
            raise bad_request(unknown.format(path=path))
        terms.append((path, value, sign != "!="))
        chosen.append(reader)
    return FieldSelector(tuple(terms), tuple(chosen))


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that no backslash escapes."""
    return re.findall(rf"(?:[^\\{separator}]|\\.|\\$)+", text, re.DOTALL)


def _unescaped(value: str) -> str:
    """A value without its backslashes, which may stand before `\\`, `,` and `=`; raises 400."""
    if not any(sign in value for sign in "\\,="):
        return value
    out, escaped = [], False
    for sign in value:
        if escaped:
            if sign not in "\\,=":
                raise bad_request(f"invalid field selector: invalid escape sequence: \\{sign}")
            out.append(sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(sign)}")
        else:
            out.append(sign)
    if escaped:
        raise bad_request("invalid field selector: invalid escape sequence: \\")
    return "".join(out)
