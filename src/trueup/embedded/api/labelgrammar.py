"""The text of a label selector: from `app=web,tier in (a, b),!legacy` to requirements.

Grammar: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors. What is wrong is said in
the words of apimachinery's own reader, for which a NUL ends a token, or the
text where a token would begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from msgspec import Struct

from trueup.embedded.api.names import label_key_problems, label_value_problems
from trueup.embedded.api.refusals import bad_request
from trueup.embedded.api.selectors import LabelSelector, Requirement
from trueup.embedded.gowords import integer64, quoted

_SPACE = " \t\r\n"
_SIGNS = re.compile(r"!=|==|[=!(),<>]")
_WORD = re.compile(r"[^ \t\r\n=!(),<>\x00]*")
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}


class _Kind(Enum):
    WORD = auto()
    SIGN = auto()
    END = auto()


class _Token(Struct, frozen=True):
    kind: _Kind
    text: str = ""

    @property
    def begins_requirement(self) -> bool:
        return self.kind is _Kind.WORD or self.is_sign("!")

    @property
    def ends_requirement(self) -> bool:
        return self.kind is _Kind.END or self.is_sign(",")

    def is_sign(self, text: str) -> bool:
        return self.kind is _Kind.SIGN and self.text == text


class _Wrong(Exception):
    """What is wrong with one requirement."""


def parse_labels(text: str) -> LabelSelector:
    """Raises ApiError 400 with the place."""
    return LabelSelector(tuple(_Reader(text).requirements()))


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text) and text[at] != "\x00":
        if text[at] in _SPACE:
            at += 1
        elif found := _SIGNS.match(text, at):
            yield _Token(_Kind.SIGN, found[0])
            at = _behind(text, found.end())
        else:
            word = _WORD.match(text, at)
            assert word is not None
            yield _Token(_Kind.WORD, word[0])
            at = _behind(text, word.end())
    yield _Token(_Kind.END)


def _behind(text: str, end: int) -> int:
    """Where reading goes on behind a token: a NUL that ends it is read with it."""
    return end + (text[end : end + 1] == "\x00")


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def requirements(self) -> Iterator[Requirement]:
        if self._next.kind is _Kind.END:
            return
        if not self._next.begins_requirement:
            raise bad_request(f"found '{self._next.text}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                yield self._requirement()
            except _Wrong as wrong:
                raise bad_request(f"unable to parse requirement: {wrong}") from None
            token = self._take()
            if token.kind is _Kind.END:
                return
            if not token.is_sign(","):
                raise bad_request(f"found '{token.text}', expected: ',' or 'end of string'")
            if not self._next.begins_requirement:
                raise bad_request(f"found '{self._next.text}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        token = self._take()
        is_absence = token.is_sign("!")
        if is_absence:
            token = self._take()
        if token.kind is not _Kind.WORD:
            raise _Wrong(f"found '{token.text}', expected: identifier")
        key = token.text
        if problems := label_key_problems(key):
            said = "; ".join(problems).replace("a qualified name must", "a valid label key must")
            raise _Wrong(f"<nil>: Invalid value: {quoted(key)}: {said}")
        if is_absence:
            return Requirement(key, "!")
        if self._next.ends_requirement:
            return Requirement(key, "exists")
        sign = self._take()
        operator = _OPERATORS.get(sign.text, "")
        if not operator:
            raise _Wrong(f"found '{sign.text}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if sign.kind is _Kind.WORD else {self._value()}
        _check(key, values, is_number=operator in ("gt", "lt"))
        return Requirement(key, operator, frozenset(values))

    def _value(self) -> str:
        if self._next.ends_requirement:
            return ""
        token = self._take()
        if token.kind is not _Kind.WORD:
            raise _Wrong(f"found '{token.text}', expected: identifier")
        return token.text

    def _values(self) -> set[str]:
        """`(a, b)`; an empty place between commas is the empty value."""
        token = self._take()
        if not token.is_sign("("):
            raise _Wrong(f"found '{token.text}' expected: '('")
        if self._next.is_sign(")"):
            self._take()
            return {""}
        if self._next.kind is not _Kind.WORD and not self._next.is_sign(","):
            raise _Wrong(f"found '{self._next.text}', expected: ',', ')' or identifier")
        values: set[str] = set()
        while True:
            token = self._take()
            if token.kind is _Kind.WORD:
                values.add(token.text)
                if not (self._next.is_sign(",") or self._next.is_sign(")")):
                    raise _Wrong(f"found '{self._next.text}', expected: ',' or ')'")
            elif token.is_sign(","):
                if not values or self._next.is_sign(",") or self._next.is_sign(")"):
                    values.add("")
            else:
                raise _Wrong(f"found '{token.text}', expected: ',', or identifier")
            if self._next.is_sign(")"):
                self._take()
                return values


def _check(key: str, values: Iterable[str], *, is_number: bool) -> None:
    wrong = []
    numbered = list(enumerate(sorted(values, key=str.encode)))
    if is_number:
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        wrong += [
            f"values[{index}]: Invalid value: {quoted(value)}: {detail}"
            for index, value in numbered
            if integer64(value) is None
        ]
    for index, value in numbered:
        if problems := label_value_problems(value):
            wrong.append(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {'; '.join(problems)}")
    if wrong:
        raise _Wrong(wrong[0] if len(wrong) == 1 else f"[{', '.join(dict.fromkeys(wrong))}]")
