"""Variables in text, in the dialect of Flux's postBuild substitution (fluxcd/pkg envsubst).

`${name}` and its functions: defaults, length, case, substring, prefix and suffix, replacement. `$name` without braces
stays; `$${name}` gives `${name}`. Pure; grammar and oddities follow github.com/fluxcd/pkg/envsubst (defaults also for
`:?` and `:+`, no `${name-default}`, lengths in bytes), so that a text gives here what it gives there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.linear import Linear, PatternError

VARIABLE_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")


class SubstitutionFailed(InvalidInput):
    """The text cannot be substituted; `line` is 1-based in it, `variable` the one that is not set, if that is it."""

    reason = "BuildFailed"

    def __init__(self, message: str, *, line: int, variable: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.variable = variable


class Call(Struct, frozen=True):
    """`${name<operator>args}`; `at` is its position in the text."""

    name: str
    operator: str
    args: tuple[Part, ...]
    at: int


Part: TypeAlias = str | Call

_DEFAULTS = frozenset({"=", ":=", ":-", ":?", ":+"})
DEEPEST = 50
"""So many variables may stand one in the default of another."""
_ESCAPE_HINT = "write $${...} for text that is not a variable"


def substitute(text: str, variables: Mapping[str, str], *, strict: bool = True) -> str:
    """Raises SubstitutionFailed. With `strict`, a variable that is not set and has no default is an error; otherwise it
    is empty. Nothing in a value is looked at again."""
    if "$" not in text:
        return text
    return "".join(_value(part, variables, text, strict) for part in _Parser(text).parse())


def variables_in(text: str) -> frozenset[str]:
    """Every name that the text mentions."""

    def names(parts: tuple[Part, ...]) -> frozenset[str]:
        calls = [part for part in parts if isinstance(part, Call)]
        return frozenset({call.name for call in calls}).union(*(names(call.args) for call in calls))

    return names(tuple(_Parser(text).parse()))


def _value(part: Part, variables: Mapping[str, str], text: str, strict: bool) -> str:
    if isinstance(part, str):
        return part
    args = [_value(arg, variables, text, strict) for arg in part.args]
    value = variables.get(part.name)
    if value is None and strict and part.operator not in _DEFAULTS:
        raise SubstitutionFailed(
            f"the variable {part.name} is not set",
            line=_line(text, part.at),
            variable=part.name,
            hint=f"set it, give it a default (${{{part.name}:=value}}), or {_ESCAPE_HINT}",
        )
    try:
        return _FUNCTIONS.get(part.operator, _default)(value or "", args)
    except UnicodeDecodeError as error:
        raise SubstitutionFailed(
            f"the substring of {part.name} cuts a character in two", line=_line(text, part.at)
        ) from error


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


class _Parser:
    """Recursive descent over the text; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def parse(self) -> list[Part]:
        parts: list[Part] = []
        while self.at < len(self.text):
            if self._begins_call():
                parts.append(self._call())
            else:
                parts.append(self._text(lambda _: True, escapes="$"))
        return parts

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _begins_call(self) -> bool:
        return self.text.startswith("${", self.at)

    def _text(self, accept: Callable[[str], bool], escapes: str = "") -> str:
        """Plain text up to `${` or the first character that is not accepted. `$$` is one `$` where that is escaped."""
        out: list[str] = []
        while self.at < len(self.text) and not self._begins_call():
            char, following = self.text[self.at], self.text[self.at + 1 : self.at + 2]
            if char == "$" and following == "$" and "$" in escapes:
                out.append("$")
                self.at += 2
            elif char == "\\" and following in {"/", "\\"} and "\\" in escapes:
                out.append(following)
                self.at += 2
            elif accept(char):
                out.append(char)
                self.at += 1
            else:
                break
        return "".join(out)

    def _call(self) -> Call:
        start = self.at
        self.at += 2
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._bad(start, "variables are nested too deep")
        operator: str = "#"
        args: tuple[Part, ...] = ()
        if is_length := self._peek() == "#":
            self.at += 1
        name = self._name(start)
        if not is_length:
            operator, args = self._function(start)
        self._close(start)
        self.depth -= 1
        return Call(name, operator, args, start)

    def _name(self, start: int) -> str:
        begin = self.at
        while self.at < len(self.text) and (
            self.text[self.at].isalpha() or self.text[self.at].isdecimal() or self._peek() == "_"
        ):
            self.at += 1
        if begin == self.at:
            raise self._bad(start, "there is no variable name")
        return self.text[begin : self.at]

    def _function(self, start: int) -> tuple[str, tuple[Part, ...]]:
        first = self._peek()
        second = self.text[self.at + 1 : self.at + 2]
        if first == "=" or (first == ":" and second and second in "=-?+"):
            return self._take(1 if first == "=" else 2), self._default_args(start)
        match first:
            case ":":
                return self._take(1), self._substring_args(start)
            case "," | "^":
                return self._take(2 if second and second in ",^" else 1), ()
            case "#" | "%":
                operator = self._take(2 if second == first else 1)
                return operator, (self._arg(start, lambda char: char != "}"),)
            case "/":
                return self._take(2 if second and second in "/#%" else 1), self._replace_args(start)
        return "", ()

    def _take(self, length: int) -> str:
        taken = self.text[self.at : self.at + length]
        self.at += length
        return taken

    def _default_args(self, start: int) -> tuple[Part, ...]:
        args: list[Part] = []
        while self._peek() != "}":
            args.append(self._arg(start, lambda char: char != "}"))
        return tuple(args)

    def _substring_args(self, start: int) -> tuple[Part, ...]:
        offset = self._arg(start, lambda char: char not in ":}")
        if self._peek() != ":":
            return (offset,)
        self._skip(":")
        return offset, self._arg(start, lambda char: char != "}")

    def _replace_args(self, start: int) -> tuple[Part, ...]:
        pattern: Part = "" if self._peek() == "/" else self._arg(start, lambda char: char != "/", escapes="$\\")
        if self._peek() != "/":
            raise self._bad(start, "the replacement is missing")
        self._skip("/")
        if self._peek() == "}":
            return (pattern,)
        return pattern, self._arg(start, lambda char: char != "}", escapes="$\\")

    def _skip(self, char: str) -> None:
        while self._peek() == char:
            self.at += 1

    def _arg(self, start: int, accept: Callable[[str], bool], escapes: str = "") -> Part:
        if self._begins_call():
            return self._call()
        begin = self.at
        text = self._text(accept, escapes)
        if begin == self.at:
            raise self._bad(start, "an argument is missing")
        return text

    def _close(self, start: int) -> None:
        if self._peek() != "}":
            raise self._bad(start, "the closing brace is missing")
        self.at += 1

    def _bad(self, start: int, why: str) -> SubstitutionFailed:
        shown = self.text[start : start + 40].split("\n")[0]
        return SubstitutionFailed(f"{why} in {shown!r}", line=_line(self.text, start), hint=_ESCAPE_HINT)


def _default(value: str, args: list[str]) -> str:
    return value or "".join(args)


def _substring(value: str, args: list[str]) -> str:
    """Offsets and lengths are of bytes; negative ones count from the end. What is no number changes nothing."""
    if any(not re.fullmatch(r"[+-]?[0-9]+", arg) for arg in args):
        return value
    data = value.encode()
    start = int(args[0])
    start = max(0, len(data) + start) if start < 0 else start
    if len(args) == 1:
        return data[start:].decode()
    length = int(args[1])
    end = len(data) + length if length < 0 else start + length
    return data[start:end].decode() if end >= start else ""


def _first(change: Callable[[str], str]) -> Callable[[str, list[str]], str]:
    return lambda value, _: change(value[:1]) + value[1:]


def _each(change: Callable[[str], str]) -> Callable[[str, list[str]], str]:
    return lambda value, _: "".join(map(change, value))


def _upper(char: str) -> str:
    return char.upper() if len(char.upper()) == 1 else char


def _lower(char: str) -> str:
    return char.lower() if len(char.lower()) == 1 else char


def _replace(count: int) -> Callable[[str, list[str]], str]:
    return lambda value, args: value.replace(args[0], args[1] if len(args) > 1 else "", count)


def _replace_prefix(value: str, args: list[str]) -> str:
    return args[1] + value.removeprefix(args[0]) if len(args) == 2 and value.startswith(args[0]) else value


def _replace_suffix(value: str, args: list[str]) -> str:
    return value.removesuffix(args[0]) + args[1] if len(args) == 2 and value.endswith(args[0]) else value


def _length(value: str, args: list[str]) -> str:
    return str(len(value.encode())) if not args else _trim(value, args, longest=False, suffix=False)


def _trimmer(*, longest: bool, suffix: bool) -> Callable[[str, list[str]], str]:
    return lambda value, args: _trim(value, args, longest=longest, suffix=suffix)


def _trim(value: str, args: list[str], *, longest: bool, suffix: bool) -> str:
    """Takes off the shortest or longest non-empty end that the glob matches."""
    glob = _glob(args[0][::-1] if suffix else args[0], longest=longest)
    turned = value[::-1] if suffix else value
    length = glob.prefix(turned) if glob is not None else None
    if length is None:
        return value
    length = max(length, 1)  # stars alone match nothing too, which would take nothing off
    return turned[length:][::-1] if suffix else turned[length:]


def _glob(pattern: str, *, longest: bool) -> Linear | None:
    """`*` any run, `?` any character, `[...]` a class, a backslash escapes; None for a malformed one.

    As each star takes as little (or as much) as lets the rest match, all together do.
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out.append(".*" if longest else ".*?")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            if at == len(pattern):
                return None
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                return None
            body = pattern[at:end]
            inside = re.sub(r"[\[\]^&~|\\]", lambda match: "\\" + match[0], body.removeprefix("^"))
            out.append(f"[{'^' if body.startswith('^') else ''}{inside}]")
            at = end + 1
        else:
            out.append(re.escape(char))
    try:
        return Linear("".join(out))
    except PatternError:
        return None


_FUNCTIONS: dict[str, Callable[[str, list[str]], str]] = {
    "#": _length,
    "##": _trimmer(longest=True, suffix=False),
    "%": _trimmer(longest=False, suffix=True),
    "%%": _trimmer(longest=True, suffix=True),
    ",": _first(_lower),
    ",,": _each(_lower),
    "^": _first(_upper),
    "^^": _each(_upper),
    ":": _substring,
    "/": _replace(1),
    "//": _replace(-1),
    "/#": _replace_prefix,
    "/%": _replace_suffix,
}
